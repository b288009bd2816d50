"""SkewScout: decentralized learning over skewed labels (Hsieh et al., ICML 2020)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import Estimator, Metric, Parallelizer, hookimpl
from harness_skewscout.estimators import DEGREE_CORRELATION
from harness_skewscout.metrics import AccuracyOfMean, NormalizationDivergence, UpdateBytes
from harness_skewscout.parallelizers import Bsp, Dgc, FedAvg, Gaia, SkewScout

if TYPE_CHECKING:
    from harness.store import Run


@hookimpl
def harness_parallelizers() -> Iterable[type[Parallelizer[Any]]]:
    """Ways to learn where the data are."""
    return [Bsp, Dgc, FedAvg, Gaia, SkewScout]


@hookimpl
def harness_metrics() -> Iterable[type[Metric]]:
    """What it costs and gives."""
    return [AccuracyOfMean, NormalizationDivergence, UpdateBytes]


@hookimpl
def harness_estimators() -> Iterable[Estimator]:
    """For the claim that more skew costs more."""
    return [DEGREE_CORRELATION]


@hookimpl
def harness_report_sections(run: Run) -> Iterable[tuple[str, str]]:
    """How the labels are divided, and what SkewScout decided."""
    from harness_skewscout import decisions, report

    return [*report.sections(run), *decisions.sections(run)]


@hookimpl
def harness_suites() -> Iterable[Path]:
    """The suites that come with the plugin."""
    return sorted((Path(__file__).parent / "suites").glob("*.toml"))
