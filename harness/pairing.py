"""Which cells a claim compares: pairs that share the seed and everything but what is compared."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from harness.errors import HarnessError, UnknownName
from harness.formula import Condition, Formula, parse_precondition
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


def select(selector: Selector, cells: Iterable[CellSpec]) -> list[CellSpec]:
    """The cells whose labels (or components' names) fit."""
    return [cell for cell in cells if all(_fits(selector, cell, axis) for axis in COORDINATES)]


def _fits(selector: Selector, cell: CellSpec, axis: str) -> bool:
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
    shared = _shared(claim)
    tuning = _tuning_seeds(claim) if results is not None else set()
    found: dict[Key, dict[str, list[CellSpec]]] = {}
    for alias, selector in claim.cells.items():
        candidates = select(selector, cells)
        if selector.best and results is not None:
            candidates = _best(selector, candidates, shared, results)
        for cell in candidates:
            if cell.seed not in tuning:
                found.setdefault((*_key(cell, shared), cell.seed), {}).setdefault(alias, []).append(cell)
    whole = [group for group in found.values() if len(group) == len(claim.cells)]
    return [unit for group in whole for unit in _combine(group)]


def _combine(group: Mapping[str, list[CellSpec]]) -> list[Unit]:
    """One unit for each candidate of the alias that has most; the others' beside it."""
    longest = max(group.values(), key=len)
    return [{alias: c[min(i, len(c) - 1)] for alias, c in group.items()} for i in range(len(longest))]


def _tuning_seeds(claim: ClaimSpec) -> set[int]:
    """The seeds that something is chosen on, and that no alias is judged by."""
    return {seed for selector in claim.cells.values() for seed in selector.on_seeds}


def _shared(claim: ClaimSpec) -> tuple[str, ...]:
    """The coordinates that are not compared: all selectors say the same of them."""
    selectors = list(claim.cells.values())
    return tuple(axis for axis in COORDINATES if len({getattr(s, axis) for s in selectors}) == 1)


def _key(cell: CellSpec, axes: Iterable[str]) -> Key:
    """What the cells of a pair have in common, the seed aside."""
    return (*(getattr(cell, axis).label for axis in axes), cell.budget)


def _best(
    selector: Selector, cells: list[CellSpec], shared: tuple[str, ...], results: Mapping[str, CellResult]
) -> list[CellSpec]:
    """Keep, in each group, the labels whose median of the metric is best; nothing where none is known."""
    way, metric = parse_best(selector.best or "")
    worst, choose = (math.inf, min) if way == "min" else (-math.inf, max)
    groups: dict[Key, dict[Key, list[CellSpec]]] = {}
    for cell in cells:
        groups.setdefault(_key(cell, shared), {}).setdefault(_key(cell, COORDINATES), []).append(cell)
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


def check_claim(
    claim: ClaimSpec, cells: Sequence[CellSpec], metrics: Collection[str], estimators: Collection[str] = ()
) -> None:
    """Refuse a claim that could never be measured, saying what would be right."""
    Condition.parse(claim.holds)
    formulas = [Formula.parse(claim.measure)]
    if claim.when:
        formulas.append(parse_precondition(claim.when)[0])
    for formula in formulas:
        for alias, metric in formula.names:
            if alias not in claim.cells:
                raise UnknownName("cells", alias, claim.cells)
            if metric not in metrics:
                raise UnknownName("metric", metric, metrics)
    if not formulas[0].names:
        raise HarnessError(f"measure {claim.measure!r} names no metric: write 'a.{next(iter(metrics))}'")
    if claim.estimator is not None and claim.estimator not in estimators:
        raise UnknownName("estimator", claim.estimator, estimators)
    for alias, selector in claim.cells.items():
        _check_selector(alias, selector, cells, metrics)
    _check_pairs(claim, cells)


def _check_selector(alias: str, selector: Selector, cells: Sequence[CellSpec], metrics: Collection[str]) -> None:
    if selector.best:
        metric = parse_best(selector.best)[1]
        if metric not in metrics:
            raise UnknownName("metric", metric, metrics)
    elif selector.on_seeds:
        raise HarnessError(f"cells.{alias}: on_seeds says what best is chosen on, and there is no best")
    for axis in COORDINATES:
        if getattr(selector, axis) is not None and not any(_fits(selector, cell, axis) for cell in cells):
            labels = {getattr(cell, axis).label for cell in cells}
            raise UnknownName(f"{axis} in cells.{alias}", getattr(selector, axis), labels)
    chosen = select(selector, cells)
    if not chosen:
        raise HarnessError(f"cells.{alias} names no cell: no cell has all of that")
    absent = sorted(set(selector.on_seeds) - {cell.seed for cell in chosen})
    if absent:
        raise HarnessError(f"cells.{alias}: no cell has the seed {absent[0]} of on_seeds")


def _check_pairs(claim: ClaimSpec, cells: Sequence[CellSpec]) -> None:
    """There are pairs, in each of which an alias without ``best`` has one cell, and not another's."""
    if claim.each and claim.each not in _shared(claim):
        raise HarnessError(f"each = {claim.each!r}: its cells are compared by {claim.each}; choose another")
    units = pairings(claim, cells)
    if not units:
        raise HarnessError(f"no pair: {', '.join(claim.cells)} never share seed, budget and all that is not compared")
    tuning = _tuning_seeds(claim)
    if all(cell.seed in tuning for unit in units for cell in unit.values()):
        raise HarnessError("no pair: on_seeds takes every seed; leave some for the claim")
    for alias, selector in claim.cells.items():
        if not selector.best:
            _check_alone(alias, select(selector, cells), _shared(claim))
    fixed = [alias for alias, selector in claim.cells.items() if not selector.best]
    for unit in units:
        if len({unit[alias].id for alias in fixed}) < len(fixed):
            raise HarnessError(f"{' and '.join(fixed)} compare {unit[fixed[0]].id!r} with itself: narrow one of them")


def _check_alone(alias: str, cells: Iterable[CellSpec], shared: tuple[str, ...]) -> None:
    seen: dict[Key, CellSpec] = {}
    for cell in cells:
        other = seen.setdefault((*_key(cell, shared), cell.seed), cell)
        if other.id != cell.id:
            raise HarnessError(
                f"cells.{alias} fits both {other.id!r} and {cell.id!r}: narrow it to one label, or add best"
            )
