"""Suites: a TOML file becomes blocks of cells, metrics to take and claims to test.

Everything that can be wrong with a suite is found here, before anything runs.
"""

from __future__ import annotations

import itertools
import shutil
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt, ValidationError

from harness.claimcheck import check_claim
from harness.components import Budget, Device, Parallelizer, Workload
from harness.errors import HarnessError, UnknownName, suggestion
from harness.pairing import pairings
from harness.records import CellSpec, ClaimSpec, ComponentSpec, Record
from harness.registry import NotInstalled, Registry, explain
from harness.units import ByteSize, Duration

Entry = str | dict[str, Any]
QUICK_SEEDS = 2


class MatrixTable(Record):
    """One ``[[matrix]]``: every combination of its lists becomes a cell."""

    workload: Entry | list[Entry] = Field(
        description="a name, or a table of name, label and parameters; of lists, every combination"
    )
    parallelizer: Entry | list[Entry] = Field(description="likewise; each has to accept each workload")
    device: Entry | list[Entry] = Field("cpu", description="likewise")
    seeds: PositiveInt | Annotated[list[NonNegativeInt], Field(min_length=1)] = Field(
        1, description="how many, counted from 0, or a list of them; a cell for each"
    )
    budget: Budget | None = Field(None, description="in place of the suite's")
    time_limit: Duration | None = Field(None, description="in place of the suite's")
    memory_limit: ByteSize | None = Field(None, description="in place of the suite's")
    numerics: bool = Field(True, description="false leaves computation out, on devices that know its cost")
    python: str | None = Field(None, description="another interpreter, for components whose pins clash")


class SuiteTable(Record):
    """A suite file."""

    title: str = Field(description="in one line, over its tables")
    description: str = Field("", description="what is compared, on what, and what to know to read the figures")
    metrics: list[Entry] = Field(
        min_length=1, description="names, or tables of name, label and parameters; taken of every cell"
    )
    matrix: list[MatrixTable] = Field(min_length=1, description="tables [[matrix]]: the cells")
    claims: list[ClaimSpec] = Field([], description="tables [[claims]]: what is to be tested")
    budget: Budget = Field(Budget(), description="how far each cell goes: whichever of its limits comes first")
    time_limit: Duration = Field(600.0, description="after which a cell is stopped, such as '5 min'")
    memory_limit: ByteSize = Field(16 * 2**30, description="resident memory of a cell's processes, such as '4 GiB'")


@dataclass(frozen=True)
class Suite:
    """A suite, checked and expanded; ``cells`` lie block by block."""

    name: str
    title: str
    text: str
    cells: tuple[CellSpec, ...]
    claims: tuple[ClaimSpec, ...]
    file: str = ""

    def only(self, pattern: str) -> Suite:
        """Keep the cells whose id matches a glob."""
        kept = tuple(c for c in self.cells if fnmatchcase(c.id, pattern))
        if not kept:
            raise HarnessError(f"no cell of {self.name} matches {pattern!r}; ids look like {self.cells[0].id!r}")
        return replace(self, cells=kept)

    def sharing(self) -> Suite:
        """Let the cells share the machine: what depends on the clock is then not measured."""
        return replace(self, cells=tuple(c.model_copy(update={"alone": False}) for c in self.cells))

    def quick(self) -> Suite:
        """Keep the first seeds of each combination."""
        kept: dict[str, list[CellSpec]] = {}
        for cell in self.cells:
            kept.setdefault(cell.id.rpartition("/")[0], []).append(cell)
        chosen = {c.id for cells in kept.values() for c in sorted(cells, key=lambda c: c.seed)[:QUICK_SEEDS]}
        return replace(self, cells=tuple(c for c in self.cells if c.id in chosen))


def chosen(
    names: Sequence[str], registry: Registry, *, only: str | None, quick: bool, jobs: int, elsewhere: bool
) -> list[Suite]:
    """The suites of a run, with no more of their cells than are asked for; ``jobs`` cells share the machine."""
    suites = [load(locate(name, registry), registry, elsewhere=elsewhere) for name in names]
    if len({suite.name for suite in suites}) < len(suites):
        raise HarnessError("two of the suites have one name; rename a file")
    suites = [suite.only(only) for suite in suites] if only else suites
    suites = [suite.quick() for suite in suites] if quick else suites
    return [suite.sharing() for suite in suites] if jobs > 1 else suites


def locate(name: str, registry: Registry) -> Path:
    """Find a suite: a path, or the name of one that comes with a plugin."""
    path = Path(name)
    if path.suffix == ".toml" or path.exists():
        if path.is_file():
            return path
        near = suggestion(path.name, (file.name for file in path.parent.glob("*.toml")))
        raise HarnessError(f"no such suite file; {near}", where=name)
    try:
        found: Path = registry.offer("suite", name).thing
    except UnknownName as error:
        raise HarnessError(f"{error}; or give a file's path, such as suites/{name}.toml") from None
    return found


def load(path: Path, registry: Registry, *, elsewhere: bool = False) -> Suite:
    """Read and check a suite file; raise one clear line about the first thing wrong.

    What is to run ``elsewhere`` is not skipped for what is missing here.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise HarnessError(f"cannot be read: {error}", where=str(path)) from None
    return parse(text, name=path.stem, where=str(path), registry=registry, elsewhere=elsewhere)


def title(path: Path) -> str:
    """A suite's title, unchecked; its path where there is none to be read."""
    with suppress(OSError, ValueError):
        return str(tomllib.loads(path.read_text(encoding="utf-8")).get("title", path))
    return str(path)


def parse(text: str, *, name: str, where: str, registry: Registry, elsewhere: bool = False) -> Suite:
    """Check and expand a suite's text; ``where`` names it in errors."""
    try:
        table = SuiteTable.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise HarnessError(f"not valid TOML: {error}", where=where) from None
    except ValidationError as error:
        raise HarnessError(_explain(error), where=where) from None
    metrics = [_component("metric", entry, registry, f"{where}: metrics[{i}]") for i, entry in enumerate(table.metrics)]
    _refuse_twins((m.label for m in metrics), "metric", where)
    _refuse_twins((c.id for c in table.claims), "claim", where)
    expansion = _Expansion(name, table, tuple(metrics), registry, where, elsewhere)
    cells = _unique(expansion.cells(), where)
    for i, claim in enumerate(table.claims):
        try:
            check_claim(claim, cells, [m.label for m in metrics], registry.names("estimator"))
        except HarnessError as error:
            raise HarnessError(str(error), where=f"{where}: claims[{i}] ({claim.id})") from None
    return Suite(name, table.title, text, tuple(_in_blocks(cells, table.claims)), tuple(table.claims), where)


@dataclass(frozen=True)
class _Expansion:
    suite: str
    table: SuiteTable
    metrics: tuple[ComponentSpec, ...]
    registry: Registry
    where: str
    elsewhere: bool

    def cells(self) -> Iterator[CellSpec]:
        for i, matrix in enumerate(self.table.matrix):
            if matrix.python and not self.elsewhere and shutil.which(matrix.python) is None:
                raise HarnessError(
                    f"no interpreter {matrix.python!r}: name one that can be run, such as '.venv/bin/python'",
                    where=f"{self.where}: matrix[{i}].python",
                )
            axes = [
                self._axis(kind, getattr(matrix, kind), f"{self.where}: matrix[{i}].{kind}")
                for kind in ("workload", "parallelizer", "device")
            ]
            seeds = list(range(matrix.seeds)) if isinstance(matrix.seeds, int) else matrix.seeds
            for workload, parallelizer, device in itertools.product(*axes):
                skip = self._fit(workload, parallelizer, device, f"{self.where}: matrix[{i}]", bool(matrix.python))
                for seed in seeds:
                    yield CellSpec(
                        id=f"{self.suite}/{workload.label}/{parallelizer.label}/{device.label}/{seed}",
                        suite=self.suite,
                        block="",
                        workload=workload,
                        parallelizer=parallelizer,
                        device=device,
                        seed=seed,
                        budget=matrix.budget or self.table.budget,
                        metrics=self.metrics,
                        time_limit=matrix.time_limit or self.table.time_limit,
                        memory_limit=matrix.memory_limit or self.table.memory_limit,
                        numerics=matrix.numerics,
                        python=matrix.python,
                        skip=skip,
                    )

    def _axis(self, kind: str, entries: Entry | list[Entry], where: str) -> list[ComponentSpec]:
        if not isinstance(entries, list):
            return [_component(kind, entries, self.registry, where)]
        if not entries:
            raise HarnessError(f"empty: name at least one {kind}", where=where)
        return [_component(kind, entry, self.registry, f"{where}[{i}]") for i, entry in enumerate(entries)]

    def _fit(
        self,
        workload: ComponentSpec,
        parallelizer: ComponentSpec,
        device: ComponentSpec,
        where: str,
        elsewhere: bool,
    ) -> str:
        """Refuse a combination that makes no sense; return why one that does cannot run here."""
        try:
            task: Workload = self.registry.build("workload", workload.name, workload.parameters)
            method: Parallelizer[Any] = self.registry.build("parallelizer", parallelizer.name, parallelizer.parameters)
            place: Device = self.registry.build("device", device.name, device.parameters)
        except NotInstalled as missing:
            return str(missing)
        refusal = _refusal(method, task, place)
        if refusal:
            fitting = ", ".join(fitting_parallelizers(type(task), self.registry)) or "none"
            raise HarnessError(f"{refusal}; {task.name} has these: {fitting}", where=where)
        if elsewhere or self.elsewhere:
            return ""
        return next((str(a) for c in (task, method, place) if not (a := c.availability()).ok), "")


def _refusal(method: Parallelizer[Any], task: Workload, place: Device) -> str:
    if not isinstance(task, method.accepts()):
        kinds = " or ".join(kind.__name__ for kind in method.accepts())
        return f"{method.name} takes a {kinds}, which {task.name} is not"
    return method.refuses(task, place)


def fitting_parallelizers(task: type[Workload], registry: Registry) -> list[str]:
    """The names of the parallelizers whose workload kinds include this class."""
    return [o.name for o in registry.of_kind("parallelizer") if issubclass(task, o.thing.accepts())]


def _component(kind: str, entry: Entry, registry: Registry, where: str) -> ComponentSpec:
    """Read a name, or a table of name, label and parameters; check both against the class."""
    table: dict[str, Any] = {"name": entry} if isinstance(entry, str) else dict(entry)
    name, label = table.pop("name", None), table.pop("label", None)
    if not isinstance(name, str):
        raise HarnessError(f"name is missing: write {{ name = {kind.upper()!r}, ... }}", where=where)
    if label is not None and (not isinstance(label, str) or not label or "/" in label):
        raise HarnessError(f"label must be text without '/', not {label!r}", where=where)
    with suppress(NotInstalled):
        registry.build(kind, name, table, where=where)
    return ComponentSpec(name=name, label=label or _label(name, table), parameters=_plain(table, where))


def _plain(table: dict[str, Any], where: str) -> dict[str, Any]:
    """Refuse TOML's dates, which JSON has no form for."""
    for key, value in table.items():
        if type(value).__module__ == "datetime":
            raise HarnessError(f"{key}: write the date as text", where=where)
    return table


def _label(name: str, parameters: dict[str, Any]) -> str:
    inside = ",".join(f"{key}={value}" for key, value in parameters.items()).replace("/", "-")
    bare = name.rpartition(":")[2]
    return f"{bare}({inside})" if inside else bare


def _explain(error: ValidationError) -> str:
    """Name the near keys of the very table in which an unknown one stands."""
    first = error.errors()[0]
    models: dict[str, type[BaseModel]] = {"matrix": MatrixTable, "claims": ClaimSpec}
    return explain(error, models.get(str(first["loc"][0]), SuiteTable) if len(first["loc"]) > 1 else SuiteTable)


def _refuse_twins(names: Iterable[str], kind: str, where: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise HarnessError(f"two {kind}s are called {name!r}: give one a label of its own", where=where)
        seen.add(name)


def _unique(cells: Iterable[CellSpec], where: str) -> list[CellSpec]:
    """Drop repetitions of one cell; refuse two different cells with one id."""
    found: dict[str, CellSpec] = {}
    for cell in cells:
        if found.setdefault(cell.id, cell) != cell:
            raise HarnessError(f"two different cells are called {cell.id!r}: give them labels", where=where)
    return list(found.values())


def _in_blocks(cells: Sequence[CellSpec], claims: Sequence[ClaimSpec]) -> list[CellSpec]:
    """Put cells that a claim pairs, or that differ in the parallelizer alone, into one block, lowest seeds first."""
    leader = {cell.id: cell.id for cell in cells}

    def find(cell: str) -> str:
        while leader[cell] != cell:
            leader[cell] = cell = leader[leader[cell]]
        return cell

    peers: dict[tuple[str, str, int], str] = {}
    for cell in cells:
        first = peers.setdefault((cell.workload.label, cell.device.label, cell.seed), cell.id)
        leader[find(cell.id)] = find(first)
    for claim in claims:
        for pair in pairings(claim, cells):
            first, *others = (cell.id for cell in pair.values())
            for other in others:
                leader[find(other)] = find(first)
    blocked = [cell.model_copy(update={"block": find(cell.id)}) for cell in cells]
    order = {block: i for i, block in enumerate(dict.fromkeys(c.block for c in sorted(blocked, key=lambda c: c.seed)))}
    return sorted(blocked, key=lambda c: order[c.block])
