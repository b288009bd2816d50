"""Which cells a claim compares: pairs that share the seed and everything but what is compared."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from harness.errors import HarnessError
from harness.formula import Formula, parse_precondition
from harness.records import CellResult, CellSpec, ClaimSpec, Selector

COORDINATES = ("workload", "parallelizer", "device")
Unit = dict[str, CellSpec]
Key = tuple[object, ...]


def expand(claim: ClaimSpec, cells: Sequence[CellSpec]) -> list[tuple[ClaimSpec, list[CellSpec]]]:
    """The claim and the cells it may speak of: once, or once for each label of the coordinate that ``each`` names."""
    axis = claim.each
    if axis is None:
        return [(claim, list(cells))]
    first = next(iter(claim.cells.values()))
    labels = dict.fromkeys(getattr(cell, axis).label for cell in select(first, cells))
    if not labels:  # its cells were left out of the run: still a claim, and not measured
        return [(claim, [])]
    return [
        (
            claim.model_copy(update={"id": f"{claim.id}[{label}]", "each": None}),
            [cell for cell in cells if getattr(cell, axis).label == label],
        )
        for label in labels
    ]


def spoken(claim: ClaimSpec) -> str:
    """The measure, and what its names stand for: ``a.risk / b.risk, a: saga, b: sgd``."""
    # Of several aliases, what tells them apart; one alone is compared with nothing, so all that is said of it.
    shared = shared_axes(claim) if len(claim.cells) > 1 else ()
    named = []
    for alias, selector in claim.cells.items():
        labels = ", ".join(filter(None, (getattr(selector, axis) for axis in COORDINATES if axis not in shared)))
        best = f"({selector.best})" if selector.best else ""
        named += [f"{alias}: {' '.join(filter(None, (labels, best)))}"] if labels or best else []
    return ", ".join([claim.measure, *named])


def select(selector: Selector, cells: Iterable[CellSpec]) -> list[CellSpec]:
    """The cells whose labels (or components' names) fit."""
    return [cell for cell in cells if all(fits(selector, cell, axis) for axis in COORDINATES)]


def fits(selector: Selector, cell: CellSpec, axis: str) -> bool:
    """Whether a selector speaks of the cell, as far as one coordinate says."""
    pattern = getattr(selector, axis)
    component = getattr(cell, axis)
    exact = (component.label, component.name, component.name.rpartition(":")[2])
    return pattern is None or pattern in exact or fnmatchcase(component.label, pattern)


def pairings(
    claim: ClaimSpec, cells: Sequence[CellSpec], results: Mapping[str, CellResult] | None = None
) -> list[Unit]:
    """Every pair of the claim, as alias -> cell.

    Without results ``best`` keeps every candidate's pairs, and the seeds that it is chosen on theirs:
    the cells that belong in one block. With them, an alias whose best is not known has no pairs.
    """
    return [unit for one, among in expand(claim, cells) for unit in _pairings(one, among, results)]


def _pairings(claim: ClaimSpec, cells: Sequence[CellSpec], results: Mapping[str, CellResult] | None) -> list[Unit]:
    shared = shared_axes(claim)
    tuning = tuning_seeds(claim) if results is not None else set()
    chosen: dict[str, list[CellSpec]] = {}
    for alias, selector in claim.cells.items():
        candidates = select(selector, cells)
        if selector.best and results is not None:
            candidates = _best(selector, _eligible(alias, candidates, claim, cells, results), shared, results)
        chosen[alias] = [cell for cell in candidates if cell.seed not in tuning]
    return _units(chosen, shared)


def _units(chosen: Mapping[str, Iterable[CellSpec]], shared: tuple[str, ...]) -> list[Unit]:
    """What the aliases' cells have in common decides which of them go together."""
    found: dict[Key, dict[str, list[CellSpec]]] = {}
    for alias, cells in chosen.items():
        for cell in cells:
            found.setdefault((*key_of(cell, shared), cell.seed), {}).setdefault(alias, []).append(cell)
    whole = [group for group in found.values() if len(group) == len(chosen)]
    return [unit for group in whole for unit in _combine(group)]


def _combine(group: Mapping[str, list[CellSpec]]) -> list[Unit]:
    """One unit for each candidate of the alias that has most; the others' beside it."""
    longest = max(group.values(), key=len)
    return [{alias: c[min(i, len(c) - 1)] for alias, c in group.items()} for i in range(len(longest))]


def tuning_seeds(claim: ClaimSpec) -> set[int]:
    """The seeds that something is chosen on, and that no alias is judged by."""
    return {seed for selector in claim.cells.values() for seed in selector.on_seeds}


def shared_axes(claim: ClaimSpec) -> tuple[str, ...]:
    """The coordinates that are not compared: all selectors say the same of them."""
    selectors = list(claim.cells.values())
    return tuple(axis for axis in COORDINATES if len({getattr(s, axis) for s in selectors}) == 1)


def key_of(cell: CellSpec, axes: Iterable[str]) -> Key:
    """What the cells of a pair have in common, the seed aside."""
    return (*(getattr(cell, axis).label for axis in axes), cell.budget)


def _eligible(
    alias: str,
    candidates: Iterable[CellSpec],
    claim: ClaimSpec,
    cells: Sequence[CellSpec],
    results: Mapping[str, CellResult],
) -> list[CellSpec]:
    """Keep the labels that meet the alias's ``when`` in the median over pairs; one without a number does not."""
    selector = claim.cells[alias]
    if selector.when is None:
        return list(candidates)
    formula, condition = parse_precondition(selector.when)
    others = {name: select(claim.cells[name], cells) for name, _ in formula.names if name != alias}
    labels: dict[Key, list[CellSpec]] = {}
    for cell in candidates:
        labels.setdefault(key_of(cell, COORDINATES), []).append(cell)
    kept: list[CellSpec] = []
    for group in labels.values():
        asked = [cell for cell in group if not selector.on_seeds or cell.seed in selector.on_seeds]
        values = [_evaluated(formula, unit, results) for unit in _units({alias: asked, **others}, shared_axes(claim))]
        known = [condition.worse(-math.inf, math.inf) if math.isnan(value) else value for value in values]
        if known and condition.met(statistics.median(known)):
            kept += group
    return kept


def _evaluated(formula: Formula, unit: Unit, results: Mapping[str, CellResult]) -> float:
    """A formula's value for a unit; NaN where something was not measured or not reached."""
    found = {}
    for alias, metric in formula.names:
        result = results.get(unit[alias].id)
        value = result.measured(metric) if result is not None else None
        if isinstance(value, float):
            found[f"{alias}.{metric}"] = value
    return formula.evaluate(found)


def _best(
    selector: Selector, cells: list[CellSpec], shared: tuple[str, ...], results: Mapping[str, CellResult]
) -> list[CellSpec]:
    """Keep, in each group, the labels whose median of the metric is best; nothing where none is known."""
    way, metric = parse_best(selector.best or "")
    worst, choose = (math.inf, min) if way == "min" else (-math.inf, max)
    groups: dict[Key, dict[Key, list[CellSpec]]] = {}
    for cell in cells:
        groups.setdefault(key_of(cell, shared), {}).setdefault(key_of(cell, COORDINATES), []).append(cell)
    kept: list[CellSpec] = []
    for candidates in groups.values():
        scores = {key: _score(c, metric, selector.on_seeds, results, worst) for key, c in candidates.items()}
        known = {key: score for key, score in scores.items() if score is not None and math.isfinite(score)}
        if known:
            kept += candidates[choose(known, key=known.__getitem__)]
    return kept


def _score(
    cells: Iterable[CellSpec],
    metric: str,
    seeds: Collection[int],
    results: Mapping[str, CellResult],
    worst: float,
) -> float | None:
    """The median over the seeds, of which one that failed or did not reach its target counts as the worst."""
    values: list[float] = []
    for cell in cells:
        result = results.get(cell.id)
        if result is None or (seeds and cell.seed not in seeds):
            continue
        value = result.metrics.get(metric)
        if result.outcome in ("failed", "timeout") or metric in result.censored:
            values.append(worst)
        elif result.outcome == "done" and value is not None:
            values.append(value)
    return statistics.median(values) if values else None


def parse_best(text: str) -> tuple[str, str]:
    """Read ``min suboptimality``."""
    way, _, metric = text.partition(" ")
    if way not in ("min", "max") or not metric.strip().isidentifier():
        raise HarnessError(f"best: write 'min METRIC' or 'max METRIC', not {text!r}")
    return way, metric.strip()
