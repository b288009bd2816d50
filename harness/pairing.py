"""Which cells a claim compares: pairs that share the seed and everything but what is compared."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from harness.errors import HarnessError, UnknownName
from harness.formula import Condition, Formula, parse_precondition
from harness.records import CellResult, CellSpec, ClaimSpec, Selector

COORDINATES = ("workload", "parallelizer", "device")
Unit = dict[str, CellSpec]
Key = tuple[object, ...]


def expand(claim: ClaimSpec, cells: Sequence[CellSpec]) -> list[ClaimSpec]:
    """One claim for each label of the coordinate that ``each`` names."""
    if claim.each is None:
        return [claim]
    first = next(iter(claim.cells.values()))
    labels = dict.fromkeys(getattr(cell, claim.each).label for cell in select(first, cells))
    return [
        claim.model_copy(
            update={
                "id": f"{claim.id}[{label}]",
                "each": None,
                "cells": {a: s.model_copy(update={claim.each: _literal(label)}) for a, s in claim.cells.items()},
            }
        )
        for label in labels
    ]


def _literal(label: str) -> str:
    """A glob that fits this label alone."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in label)


def select(selector: Selector, cells: Iterable[CellSpec]) -> list[CellSpec]:
    """The cells whose labels (or components' names) fit."""
    return [cell for cell in cells if all(_fits(selector, cell, axis) for axis in COORDINATES)]


def _fits(selector: Selector, cell: CellSpec, axis: str) -> bool:
    pattern = getattr(selector, axis)
    component = getattr(cell, axis)
    names = (component.name, component.name.rpartition(":")[2])
    return pattern is None or pattern in names or fnmatchcase(component.label, pattern)


def pairings(
    claim: ClaimSpec, cells: Sequence[CellSpec], results: Mapping[str, CellResult] | None = None
) -> list[Unit]:
    """Every pair of the claim, as alias -> cell; without results, ``best`` keeps every candidate's pairs."""
    units: list[Unit] = []
    for one in expand(claim, cells):
        units += _pairings(one, cells, results)
    return units


def _pairings(claim: ClaimSpec, cells: Sequence[CellSpec], results: Mapping[str, CellResult] | None) -> list[Unit]:
    shared = _shared(claim)
    tuning = {seed for selector in claim.cells.values() for seed in selector.on_seeds}
    found: dict[Key, dict[str, list[CellSpec]]] = {}
    for alias, selector in claim.cells.items():
        candidates = select(selector, cells)
        if selector.best and results is not None:
            candidates = _best(selector, candidates, shared, results)
        for cell in candidates:
            if cell.seed not in tuning or results is None:
                found.setdefault(_key(cell, shared), {}).setdefault(alias, []).append(cell)
    whole = [group for group in found.values() if len(group) == len(claim.cells)]
    return [unit for group in whole for unit in _combine(group)]


def _combine(group: Mapping[str, list[CellSpec]]) -> list[Unit]:
    """One unit for each candidate of the alias that has most; the other aliases' first beside it."""
    longest = max(group.values(), key=len)
    return [{a: c[min(i, len(c) - 1)] for a, c in group.items()} for i in range(len(longest))]


def _shared(claim: ClaimSpec) -> tuple[str, ...]:
    """The coordinates that are not compared: all selectors say the same of them."""
    selectors = list(claim.cells.values())
    return tuple(axis for axis in COORDINATES if len({getattr(s, axis) for s in selectors}) == 1)


def _key(cell: CellSpec, shared: tuple[str, ...], *, with_seed: bool = True) -> Key:
    labels = tuple(getattr(cell, axis).label for axis in shared)
    return (*labels, cell.budget, *((cell.seed,) if with_seed else ()))


def _best(
    selector: Selector, cells: list[CellSpec], shared: tuple[str, ...], results: Mapping[str, CellResult]
) -> list[CellSpec]:
    """Keep, in each group, the labels whose median of the metric is best on the tuning seeds."""
    way, metric = parse_best(selector.best or "")
    groups: dict[Key, dict[Key, list[CellSpec]]] = {}
    for cell in cells:
        labels = tuple(getattr(cell, axis).label for axis in COORDINATES)
        groups.setdefault(_key(cell, shared, with_seed=False), {}).setdefault(labels, []).append(cell)
    kept: list[CellSpec] = []
    for candidates in groups.values():
        scored = [(_score(c, metric, selector.on_seeds, results), c) for c in candidates.values()]
        known = [(score, c) for score, c in scored if score is not None]
        if known:
            kept += (min if way == "min" else max)(known, key=lambda pair: pair[0])[1]
    return kept


def _score(
    cells: Iterable[CellSpec], metric: str, seeds: Collection[int], results: Mapping[str, CellResult]
) -> float | None:
    found = [results[c.id].metrics.get(metric) for c in cells if c.id in results and (not seeds or c.seed in seeds)]
    values = [value for value in found if value is not None]
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
    for axis in COORDINATES:
        if getattr(selector, axis) is not None and not any(_fits(selector, cell, axis) for cell in cells):
            labels = {getattr(cell, axis).label for cell in cells}
            raise UnknownName(f"{axis} in cells.{alias}", getattr(selector, axis), labels)
    if not select(selector, cells):
        raise HarnessError(f"cells.{alias} names no cell: no cell has all of that")


def _check_pairs(claim: ClaimSpec, cells: Sequence[CellSpec]) -> None:
    """Without ``best``, each alias has one cell in each pair."""
    units = pairings(claim, cells)
    if not units:
        raise HarnessError(f"no pair: {', '.join(claim.cells)} never share seed, budget and all that is not compared")
    for one in expand(claim, cells):
        shared = _shared(one)
        for alias, selector in one.cells.items():
            seen: dict[Key, CellSpec] = {}
            for cell in select(selector, cells) if not selector.best else ():
                other = seen.setdefault(_key(cell, shared), cell)
                if other.id != cell.id:
                    raise HarnessError(f"cells.{alias} fits both {other.id!r} and {cell.id!r}: narrow it or add best")
