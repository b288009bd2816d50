"""Refusing claims that could never be measured, in one line that says what would be right."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from harness.errors import HarnessError, UnknownName
from harness.formula import Condition, Formula, parse_precondition
from harness.pairing import COORDINATES, Key, fits, key_of, pairings, parse_best, select, shared_axes, tuning_seeds
from harness.records import CellSpec, ClaimSpec, Selector


def check_claim(
    claim: ClaimSpec, cells: Sequence[CellSpec], metrics: Collection[str], estimators: Collection[str] = ()
) -> None:
    """Refuse a claim that could never be measured, saying what would be right."""
    Condition.parse(claim.holds)
    formulas = [Formula.parse(claim.measure)]
    for when in (claim.when, *(selector.when for selector in claim.cells.values())):
        if when:
            formulas.append(parse_precondition(when)[0])
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
        _check_when(alias, claim)
    _check_pairs(claim, cells)


def _check_selector(alias: str, selector: Selector, cells: Sequence[CellSpec], metrics: Collection[str]) -> None:
    if selector.best:
        metric = parse_best(selector.best)[1]
        if metric not in metrics:
            raise UnknownName("metric", metric, metrics)
    elif selector.on_seeds:
        raise HarnessError(f"cells.{alias}: on_seeds says what best is chosen on, and there is no best")
    for axis in COORDINATES:
        if getattr(selector, axis) is not None and not any(fits(selector, cell, axis) for cell in cells):
            labels = {getattr(cell, axis).label for cell in cells}
            raise UnknownName(f"{axis} in cells.{alias}", getattr(selector, axis), labels)
    chosen = select(selector, cells)
    if not chosen:
        raise HarnessError(f"cells.{alias} names no cell: no cell has all of that")
    absent = sorted(set(selector.on_seeds) - {cell.seed for cell in chosen})
    if absent:
        raise HarnessError(f"cells.{alias}: no cell has the seed {absent[0]} of on_seeds")


def _check_when(alias: str, claim: ClaimSpec) -> None:
    """A condition on candidates speaks of them, and of aliases that are not chosen themselves."""
    selector = claim.cells[alias]
    if selector.when is None:
        return
    if not selector.best:
        raise HarnessError(f"cells.{alias}: when says what best is chosen among, and there is no best")
    names = {name for name, _ in parse_precondition(selector.when)[0].names}
    if alias not in names:
        raise HarnessError(f"cells.{alias}: when says nothing of {alias}: write '{alias}.METRIC >= 0.8'")
    for name in sorted(names - {alias}):
        if claim.cells[name].best:
            raise HarnessError(f"cells.{alias}: when names {name}, which is chosen by best itself; use a fixed one")


def _check_pairs(claim: ClaimSpec, cells: Sequence[CellSpec]) -> None:
    """There are pairs, in each of which an alias without ``best`` has one cell, and not another's."""
    if claim.each and claim.each not in shared_axes(claim):
        raise HarnessError(f"each = {claim.each!r}: its cells are compared by {claim.each}; choose another")
    units = pairings(claim, cells)
    if not units:
        raise HarnessError(f"no pair: {', '.join(claim.cells)} never share seed, budget and all that is not compared")
    tuning = tuning_seeds(claim)
    if all(cell.seed in tuning for unit in units for cell in unit.values()):
        raise HarnessError("no pair: on_seeds takes every seed; leave some for the claim")
    for alias, selector in claim.cells.items():
        if not selector.best:
            _check_alone(alias, select(selector, cells), shared_axes(claim))
    fixed = [alias for alias, selector in claim.cells.items() if not selector.best]
    for unit in units:
        if len({unit[alias].id for alias in fixed}) < len(fixed):
            raise HarnessError(f"{' and '.join(fixed)} compare {unit[fixed[0]].id!r} with itself: narrow one of them")


def _check_alone(alias: str, cells: Iterable[CellSpec], shared: tuple[str, ...]) -> None:
    seen: dict[Key, CellSpec] = {}
    for cell in cells:
        other = seen.setdefault((*key_of(cell, shared), cell.seed), cell)
        if other.id != cell.id:
            raise HarnessError(
                f"cells.{alias} fits both {other.id!r} and {cell.id!r}: narrow it to one label, or add best"
            )
