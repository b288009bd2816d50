"""Small cells of a parallelizer and a workload, each run once in a process of its own and kept."""

from __future__ import annotations

import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from harness.components import Budget, Censored
from harness.process import run_cell, warm_up
from harness.records import CellResult, CellSpec, ComponentSpec
from harness.registry import Offer, Registry
from harness.store import write_atomically
from harness.testing.declared import available
from harness.testing.outcomes import Skip
from harness.tracefile import Trace

DEVICE = ComponentSpec(name="cpu", label="cpu")
STEPS = 3
SECONDS = 0.5
TIME_LIMIT = 60.0


@dataclass(frozen=True)
class Evidence:
    """What one cell left: how it ended, and its trace unless even that failed."""

    reason: str
    trace: Trace | None
    metrics: dict[str, float | Censored | None] = field(default_factory=dict)

    @property
    def done(self) -> Trace:
        """The trace of a cell that ended well; skip where another check tells that it did not."""
        if self.reason or self.trace is None:
            raise Skip(f"its cell failed: {self.reason}")
        return self.trace


@dataclass(frozen=True)
class Pair:
    """A parallelizer and a workload that it accepts."""

    parallelizer: Offer
    workload: Offer

    @property
    def imports(self) -> set[str]:
        """The heavy modules that running it imports."""
        return {*self.parallelizer.thing.imports, *self.workload.thing.imports}


class Bench:
    """Runs cells, each once however many checks ask for it; its folder goes when it does.

    ``ahead`` are the heavy modules that the process which cells are forked from imports at once.
    """

    def __init__(self, registry: Registry, *, time_limit: float = TIME_LIMIT, ahead: Iterable[str] = ()) -> None:
        self.registry = registry
        self.time_limit = time_limit
        self._ahead = set(ahead)
        self._kept: dict[tuple[object, ...], Evidence] = {}

    @cached_property
    def _folder(self) -> Path:
        folder = tempfile.mkdtemp(prefix="harness-check-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)

    def ran(
        self, pair: Pair, budget: Budget, *, seed: int = 0, repeat: int = 0, alone: bool = True, metric: str = ""
    ) -> Evidence:
        """The cell's evidence; ``repeat`` tells apart cells that are otherwise the same."""
        key = _key(pair, budget, seed, repeat, alone, metric)
        if key not in self._kept:
            self._require(pair)
            self._kept[key] = self._run(pair, budget, seed, alone, metric)
        return self._kept[key]

    def kept(self, pair: Pair, budget: Budget) -> bool:
        """Whether the cell was run already, so that asking for its evidence takes no time."""
        return _key(pair, budget) in self._kept

    def pairs(self, parallelizer: Offer) -> list[Pair]:
        """A parallelizer with each workload of a kind that it accepts."""
        accepted = parallelizer.thing.accepts()
        return [Pair(parallelizer, w) for w in self.registry.of_kind("workload") if issubclass(w.thing, accepted)]

    def _require(self, pair: Pair) -> None:
        """Skip a pair that cannot run here with its defaults."""
        parallelizer, workload = available(pair.parallelizer), available(pair.workload)
        refusal = parallelizer.refuses(workload, self.registry.build("device", DEVICE.name, {}))
        if refusal:
            raise Skip(refusal)

    def _run(self, pair: Pair, budget: Budget, seed: int, alone: bool, metric: str) -> Evidence:
        warm_up(self._ahead | pair.imports)
        folder = self._folder / str(len(self._kept))
        folder.mkdir()
        spec = CellSpec(
            id=f"{pair.workload.name}/{pair.parallelizer.name}/{seed}",
            suite="check",
            block="check",
            workload=_spec(pair.workload),
            parallelizer=_spec(pair.parallelizer),
            device=DEVICE,
            seed=seed,
            budget=budget,
            metrics=(ComponentSpec(name=metric, label=metric),) if metric else (),
            time_limit=self.time_limit,
            alone=alone,
        )
        path = folder / "spec.json"
        write_atomically(path, spec.model_dump_json())
        end = run_cell(spec, path, start="fork", stop=threading.Event())
        return _evidence(folder, end.reason)


def _key(
    pair: Pair, budget: Budget, seed: int = 0, repeat: int = 0, alone: bool = True, metric: str = ""
) -> tuple[object, ...]:
    return (pair.parallelizer.qualified, pair.workload.qualified, budget, seed, repeat, alone, metric)


def _spec(offer: Offer) -> ComponentSpec:
    return ComponentSpec(name=offer.qualified, label=offer.name)


def _evidence(folder: Path, reason: str) -> Evidence:
    stored, trace = folder / "result.json", folder / "trace.parquet"
    read = Trace.read(trace) if trace.exists() else None
    if not stored.exists():
        return Evidence(reason or "ended and left no result", read)
    result = CellResult.model_validate_json(stored.read_bytes())
    measured = {name: result.measured(name) for name in result.metrics}
    return Evidence(reason or result.reason, read, measured)
