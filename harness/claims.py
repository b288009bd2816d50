"""Judging claims: what was measured against what the paper says, never in the claim's favour by default."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from harness.components import Censored, Estimator
from harness.formula import Bounds, Condition, Formula, parse_precondition
from harness.pairing import COORDINATES, Unit, expand, pairings, spoken
from harness.records import CellResult, CellSpec, ClaimResult, ClaimSpec, Verdict
from harness.statistics import Estimate, bootstrap, estimate

MIN_PAIRS = 6
UNDEFINED = "the formula has no value"
Values = dict[str, float | Bounds]


def judge(
    claims: Sequence[ClaimSpec],
    cells: Sequence[CellSpec],
    results: Mapping[str, CellResult],
    *,
    exact: Collection[str] = (),
    estimators: Mapping[str, Estimator] | None = None,
) -> list[ClaimResult]:
    """A verdict for each claim, from stored results alone.

    ``results`` are keyed by cell id; ``exact`` holds the labels of the metrics that are the same each
    time for a given seed.
    """
    found = []
    for claim in claims:
        for one, among in expand(claim, cells):
            planned = len(pairings(one, among))
            units = pairings(one, among, results)
            found.append(_Judgement(one, results, exact, len(units)).of(units, planned, estimators or {}))
    return found


@dataclass
class _Judgement:
    """One claim being judged; ``lost`` counts the pairs that gave no number, by reason.

    ``doubtful`` are those of them that broke or are undefined: with one of these, the rest are not sure to hold.
    """

    claim: ClaimSpec
    results: Mapping[str, CellResult]
    exact: Collection[str]
    asked: int
    unreached: int = 0
    doubtful: int = 0
    lost: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.formula = Formula.parse(self.claim.measure)
        self.condition = Condition.parse(self.claim.holds)
        enough = 1 if all(metric in self.exact for _, metric in self.formula.names) else MIN_PAIRS
        self.enough = self.condition.of or enough

    def of(self, units: Sequence[Unit], planned: int, estimators: Mapping[str, Estimator]) -> ClaimResult:
        if not units:
            missing = "which cells are best is not known" if planned else "none of its pairs is among these cells"
            return self._result("not measured", None, missing)
        if self.claim.estimator is not None:
            return self._estimated(units, estimators.get(self.claim.estimator))
        samples = [sample for unit in units if (sample := self._sample(unit)) is not None]
        if not samples:
            return self._result("not measured", None)
        if self.condition.needed:
            share = sum(self.condition.met(sample) for sample in samples) / len(samples)
            found = Estimate(share, share, share, len(samples))
        else:
            found = estimate(samples, ratio=self.formula.is_quotient and min(samples) >= 0)
        return self._result(self._verdict(found), found)

    def _sample(self, unit: Unit) -> float | None:
        """One pair's number: where something was not reached, the end that speaks against the claim."""
        values = self._values(unit, self.formula)
        if values is None or not self._applies(unit):
            return None
        if self.formula.unreached(values):
            self.unreached += 1
            return None
        bounds = self.formula.bounds(values)
        if bounds is None:
            self.lost[UNDEFINED] += 1
            self.doubtful += 1
            return None
        return self.condition.worse(*bounds)

    def _applies(self, unit: Unit) -> bool:
        """Whether the precondition surely holds; a pair for which it is not known is lost."""
        if self.claim.when is None:
            return True
        formula, condition = parse_precondition(self.claim.when)
        values = self._values(unit, formula)
        if values is None:
            return False
        bounds = formula.bounds(values)
        if bounds is not None and condition.all_met(*bounds):
            return True
        self.lost[f"not {self.claim.when}"] += 1
        return False

    def _values(self, unit: Unit, formula: Formula) -> Values | None:
        """What was measured of one pair; of a pair that lacks something, the first reason counts."""
        values: Values = {}
        for alias, metric in formula.names:
            result = self.results.get(unit[alias].id)
            value = result.measured(metric) if result is not None else None
            if value is None:
                self.lost[_loss(alias, unit[alias], result, metric)] += 1
                self.doubtful += result is not None and result.outcome in ("failed", "timeout")
                return None
            values[f"{alias}.{metric}"] = (value.bound, math.inf) if isinstance(value, Censored) else value
        return values

    def _estimated(self, units: Sequence[Unit], estimator: Estimator | None) -> ClaimResult:
        if estimator is None:
            return self._result("not measured", None, f"no estimator {self.claim.estimator!r} is installed")
        mappings = list(filter(None, map(self._mapping, units)))
        if not mappings:
            return self._result("not measured", None)
        try:
            found = bootstrap(mappings, estimator.estimate)
        except Exception as error:  # a plugin's: it costs its own claim, and no other
            return self._result("not measured", None, f"{estimator.name}: {type(error).__name__}: {error}")
        return self._result(self._verdict(found), found)

    def _mapping(self, unit: Unit) -> Mapping[str, float] | None:
        """What an estimator sees of a unit: its metrics, and its components' numeric parameters."""
        values = self._values(unit, self.formula)
        if values is None or not self._applies(unit):
            return None
        mapping = {name: value for name, value in values.items() if not isinstance(value, tuple)}
        if len(mapping) < len(values):
            self.unreached += 1
            return None
        for alias, cell in unit.items():
            for axis in COORDINATES:
                for name, value in getattr(cell, axis).parameters.items():
                    if isinstance(value, int | float):
                        mapping[f"{alias}.{axis}.{name}"] = float(value)
        return mapping

    def _verdict(self, found: Estimate) -> Verdict:
        """Never in the claim's favour where a cell broke, or a number is infinite or has too few pairs behind it."""
        ends = (found.value, found.low, found.high)
        if found.count < self.enough or any(math.isnan(end) for end in ends):
            return "inconclusive"
        condition = self.condition
        if condition.needed:
            right = found.value >= condition.needed / condition.of
            wrong = not right
        else:
            right, wrong = condition.all_met(found.low, found.high), condition.none_met(found.low, found.high)
        if right and all(math.isfinite(end) for end in ends) and not self.doubtful:
            return "holds"
        return "falls short" if wrong else "inconclusive"

    def _result(self, verdict: Verdict, found: Estimate | None, why: str = "") -> ClaimResult:
        claim = self.claim
        return ClaimResult(
            id=claim.id,
            says=claim.says,
            source=claim.source,
            measure=spoken(claim),
            paper=claim.paper,
            evidence=claim.evidence,
            measured=_plain(found.value) if found else None,
            low=_plain(found.low) if found else None,
            high=_plain(found.high) if found else None,
            pairs=found.count if found else 0,
            unreached=self.unreached,
            holds=claim.holds,
            verdict=verdict,
            reason="; ".join(part for part in (why, *self._reasons(verdict, found)) if part),
        )

    def _reasons(self, verdict: Verdict, found: Estimate | None) -> list[str]:
        """Too few pairs, and why pairs were lost."""
        parts = []
        if found and verdict == "inconclusive" and found.count < self.enough:
            parts.append(f"{found.count} of the {self.enough} pairs that are needed")
        if self.unreached and verdict == "not measured":
            parts.append(f"{self.unreached} of {self.asked} pairs: no target was reached")
        return parts + [f"{count} of {self.asked} pairs: {why}" for why, count in self.lost.items() if count]


def _loss(alias: str, cell: CellSpec, result: CellResult | None, metric: str) -> str:
    """Why a cell gave no number."""
    name = f"{alias} ({cell.parallelizer.label})"
    if result is None:
        return f"{name} has not run"
    if result.outcome != "done":
        return f"{name} {result.outcome}: {result.reason}"
    return f"{metric} of {name} was not measured"


def _plain(value: float) -> float | None:
    """JSON has no form for what is not finite."""
    return value if math.isfinite(value) else None
