"""Judging claims: what was measured against what the paper says, never in the claim's favour by default."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from harness.components import Censored, Estimator
from harness.formula import Bounds, Condition, Formula, parse_precondition
from harness.pairing import COORDINATES, Unit, expand, pairings
from harness.records import CellResult, CellSpec, ClaimResult, ClaimSpec, Verdict
from harness.statistics import Estimate, bootstrap, estimate

MIN_PAIRS = 6
Value = float | Censored | None


def judge(
    claims: Sequence[ClaimSpec],
    cells: Sequence[CellSpec],
    results: Mapping[str, CellResult],
    *,
    exact: Collection[str] = (),
    estimators: Mapping[str, Estimator] | None = None,
) -> list[ClaimResult]:
    """A verdict for each claim; ``exact`` holds the metrics that are the same each time for a given seed."""
    found = []
    for claim in claims:
        for one in expand(claim, cells):
            estimator = (estimators or {}).get(one.estimator or "")
            found.append(_Judgement(one, results, exact, estimator).of(pairings(one, cells, results)))
    return found


@dataclass
class _Judgement:
    claim: ClaimSpec
    results: Mapping[str, CellResult]
    exact: Collection[str]
    estimator: Estimator | None
    unreached: int = 0
    lost: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.formula = Formula.parse(self.claim.measure)
        self.condition = Condition.parse(self.claim.holds)
        self.enough = 1 if all(metric in self.exact for _, metric in self.formula.names) else MIN_PAIRS

    def of(self, units: Sequence[Unit]) -> ClaimResult:
        if self.estimator is not None:
            return self._estimated([mapping for mapping in map(self._mapping, units) if mapping is not None])
        samples = [sample for unit in units if (sample := self._sample(unit)) is not None]
        if not samples:
            return self._result("not measured", None, 0, len(units))
        if self.condition.needed:
            return self._counted(samples, len(units))
        found = estimate(samples, ratio=self.formula.is_quotient and min(samples) > 0)
        return self._result(self._verdict(found), found, len(samples), len(units))

    def _sample(self, unit: Unit) -> float | None:
        """One pair's number: where something was not reached, the end that speaks against the claim."""
        values = self._values(unit, self.formula)
        if values is None or not self._applies(unit):
            return None
        bounds = self.formula.bounds(values)
        if bounds is None and any(isinstance(value, tuple) for value in values.values()):
            self.unreached += 1
            return None
        if bounds is None:
            self.lost["the formula has no value"] += 1
            return None
        return self.condition.worse(*bounds)

    def _applies(self, unit: Unit) -> bool:
        if self.claim.when is None:
            return True
        formula, condition = parse_precondition(self.claim.when)
        values = self._values(unit, formula)
        bounds = formula.bounds(values) if values is not None else None
        if bounds is not None and condition.all_met(*bounds):
            return True
        self.lost[f"not {self.claim.when}"] += 1
        return False

    def _values(self, unit: Unit, formula: Formula) -> dict[str, float | Bounds] | None:
        values: dict[str, float | Bounds] = {}
        for alias, metric in formula.names:
            value = self._value(unit[alias], metric)
            if value is None:
                return None
            values[f"{alias}.{metric}"] = (value.bound, math.inf) if isinstance(value, Censored) else value
        return values

    def _value(self, cell: CellSpec, metric: str) -> Value:
        result = self.results.get(cell.id)
        value = result.measured(metric) if result is not None and result.outcome == "done" else None
        if value is None:
            self.lost[self._loss(cell, result, metric)] += 1
        return value

    @staticmethod
    def _loss(cell: CellSpec, result: CellResult | None, metric: str) -> str:
        label = cell.parallelizer.label
        if result is None:
            return f"{label} has not run"
        if result.outcome != "done":
            return f"{label} {result.outcome}: {result.reason}"
        return f"{metric} of {label} was not measured"

    def _mapping(self, unit: Unit) -> dict[str, float] | None:
        """What an estimator sees of a unit: its metrics, and its components' numeric parameters."""
        values = self._values(unit, self.formula)
        if values is None or not self._applies(unit) or any(isinstance(v, tuple) for v in values.values()):
            return None
        mapping = {name: value for name, value in values.items() if isinstance(value, float)}
        for alias, cell in unit.items():
            for axis in COORDINATES:
                for name, value in getattr(cell, axis).parameters.items():
                    if isinstance(value, int | float):
                        mapping[f"{alias}.{axis}.{name}"] = float(value)
        return mapping

    def _estimated(self, mappings: list[Mapping[str, float]]) -> ClaimResult:
        assert self.estimator is not None
        if not mappings:
            return self._result("not measured", None, 0, 0)
        found = bootstrap(mappings, self.estimator.estimate)
        return self._result(self._verdict(found), found, len(mappings), len(mappings))

    def _counted(self, samples: list[float], asked: int) -> ClaimResult:
        """The share of pairs that fulfil the condition, against the share that is needed."""
        share = sum(self.condition.met(sample) for sample in samples) / len(samples)
        found = Estimate(share, share, share, len(samples))
        verdict: Verdict = "inconclusive"
        if len(samples) >= self.condition.of:
            verdict = "holds" if share >= self.condition.needed / self.condition.of else "falls short"
        return self._result(verdict, found, len(samples), asked)

    def _verdict(self, found: Estimate) -> Verdict:
        if found.count < self.enough or math.isnan(found.low) or math.isnan(found.high):
            return "inconclusive"
        if self.condition.all_met(found.low, found.high):
            return "holds"
        return "falls short" if self.condition.none_met(found.low, found.high) else "inconclusive"

    def _result(self, verdict: Verdict, found: Estimate | None, pairs: int, asked: int) -> ClaimResult:
        claim = self.claim
        return ClaimResult(
            id=claim.id,
            says=claim.says,
            source=claim.source,
            paper=claim.paper,
            evidence=claim.evidence,
            measured=_plain(found.value) if found else None,
            low=_plain(found.low) if found else None,
            high=_plain(found.high) if found else None,
            pairs=pairs,
            unreached=self.unreached,
            holds=claim.holds,
            verdict=verdict,
            reason=self._reason(verdict, pairs, asked),
        )

    def _reason(self, verdict: Verdict, pairs: int, asked: int) -> str:
        parts = [f"{count} of {asked} pairs: {why}" for why, count in self.lost.items()] if asked else []
        if verdict == "inconclusive" and 0 < pairs < self.enough:
            parts.insert(0, f"{pairs} pairs, and {self.enough} are needed")
        return "; ".join(parts)


def _plain(value: float) -> float | None:
    """JSON has no form for what is not finite."""
    return value if math.isfinite(value) else None
