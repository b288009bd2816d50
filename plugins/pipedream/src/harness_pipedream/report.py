"""The section of a run's page that shows the plans that its cells ran."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness import HarnessError, Trace
from harness.report.markup import Markup, element, join, table
from harness_pipedream.planning.plan import Plan

if TYPE_CHECKING:
    from harness.store import Run

TITLE = "Pipelines"
HEADS = (
    "stage",
    "layers",
    "ranks",
    "in flight",
    "ms",
    "compute",
    "all-reduce",
    "input",
    "held up by",
    "memory (bytes)",
)
TIMES = ("seconds", "compute_seconds", "sync_seconds", "input_seconds")


@dataclass
class Planned:
    """A plan, the cells' names without their seeds, the seeds that got this very plan, and what it promised."""

    plan: Plan
    of: str
    fact: Mapping[str, Any]
    seeds: list[int] = field(default_factory=list)

    @property
    def promises(self) -> list[Mapping[str, Any]]:
        """What was predicted of each stage; nothing where no profile told."""
        stages = self.fact.get("stages", [])
        return stages if len(stages) == len(self.plan.stages) else [{} for _ in self.plan.stages]


def sections(run: Run) -> list[tuple[str, str]]:
    """The section, where a cell of the run stored a plan."""
    shown = [_shown(planned) for planned in plans(run)]
    return [(TITLE, join(shown))] if shown else []


def plans(run: Run) -> list[Planned]:
    """The plans that the traces hold; cells that differ in nothing but the seed share theirs where it is the same."""
    found: dict[tuple[str, str, Plan], Planned] = {}
    for cell, fact in _facts(run):
        try:
            plan = Plan.from_json(fact["plan"])
        except (HarnessError, KeyError, TypeError):
            continue  # Another plugin's fact of this name.
        of = f"{cell.workload.label}, {cell.parallelizer.label}, {cell.device.label}"
        same = Plan(plan.stages, plan.groups)
        found.setdefault((cell.suite, of, same), Planned(plan, of, fact)).seeds.append(cell.seed)
    return list(found.values())


def _facts(run: Run) -> Iterator[tuple[Any, dict[str, Any]]]:
    for cell in run.record.cells:
        path = run.cell_folder(cell) / "trace.parquet"
        if path.exists() and (fact := Trace.read(path).fact("plan")):
            yield cell, fact


def _shown(planned: Planned) -> Markup:
    plan, promises = planned.plan, planned.promises
    rows = [
        _row(index, layers=_range(stage.layers, promise), ranks=ranks, held=held, promise=promise)
        for index, (stage, ranks, held, promise) in enumerate(
            zip(plan.stages, plan.ranks, plan.in_flight, promises, strict=True)
        )
    ]
    seeds = ", ".join(map(str, sorted(set(planned.seeds))))
    caption = f"{planned.of}: stages, and what was predicted per minibatch"
    return join(
        [
            element("h3", f"{planned.of}: {plan}"),
            element("p", _summary(planned), " ", element("span", f"(seeds {seeds})", class_="soft")),
            table(caption, HEADS, rows),
        ]
    )


def _summary(planned: Planned) -> str:
    plan, fact = planned.plan, planned.fact
    parts = [f"{plan.kind} on {plan.workers} workers, NOAM {plan.noam}"]
    if "seconds" in fact:
        parts.append(f"predicted {_milliseconds(fact['seconds'])} ms a minibatch")
    if "paced_seconds" in fact:
        parts.append(f"{_milliseconds(fact['paced_seconds'])} ms with {fact.get('depth', plan.noam)} in flight")
    if "bottleneck" in fact:
        parts.append(f"held up by stage {fact['bottleneck']}")
    if "speedup" in fact:
        parts.append(f"{_number(fact['speedup'])} times data parallelism as cost model {fact.get('cost', '-')} has it")
    return "; ".join(parts) + "."


def _row(index: int, *, layers: str, ranks: tuple[int, ...], held: int, promise: Mapping[str, Any]) -> list[object]:
    times = [_milliseconds(promise.get(name)) for name in TIMES]
    memory = promise.get("memory_bytes")
    size = f"{memory:,}" if isinstance(memory, int) else "-"
    return [index, layers, ", ".join(map(str, ranks)), held, *times, promise.get("held_up_by", "-"), size]


def _range(layers: tuple[int, ...], promise: Mapping[str, Any]) -> str:
    """The layers' numbers, and the names of the first and the last where a profile told them."""
    ordered = list(layers) == list(range(layers[0], layers[-1] + 1))
    numbers = f"{layers[0]} to {layers[-1]}" if ordered and len(layers) > 1 else ", ".join(map(str, layers))
    names = dict.fromkeys(promise[key] for key in ("first_layer", "last_layer") if key in promise)
    return f"{numbers} ({' to '.join(map(str, names))})" if names else numbers


def _milliseconds(seconds: object) -> str:
    return _number(seconds * 1000) if isinstance(seconds, int | float) else "-"


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else "-"
