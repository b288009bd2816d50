"""The streams of real data."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import Budget, Job, Trace, TraceWriter
from harness.devices.cpu import Cpu
from harness.tracefile import merge
from harness_strsaga.stream import Dense, Pairs, Sparse
from harness_strsaga.workloads import WORKLOADS, AdultStream, CrossesStream, FlightsStream, MovielensStream


def test_registering_imports_nothing_heavy() -> None:
    code = (
        "import sys, harness_strsaga.workloads, harness_strsaga.metrics;"
        "print([m for m in ('numba', 'pyarrow', 'scipy', 'torch', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_names_and_rates_are_the_papers() -> None:
    found = {w.name: (w().mu, w.paper_rate) for w in WORKLOADS}
    assert found == {
        "adult-stream": (7e-4, 0.05),
        "crosses-stream": (1e-5, 0.5),
        "flights-stream": (7e-4, 0.05),
        "movielens-stream": (1e-4, 0.02),
    }


def test_the_census_is_the_same_dense_and_sparse() -> None:
    dense, sparse = AdultStream(points=2000).stream(0), AdultStream(points=2000, layout="sparse").stream(0)
    assert isinstance(dense.points, Dense)
    assert isinstance(sparse.points, Sparse)
    np.testing.assert_array_equal(dense.points.rows, sparse.points.matrix().toarray())
    np.testing.assert_array_equal(dense.targets, sparse.targets)
    assert set(dense.targets) == {-1.0, 1.0}


def test_crosses_are_unit_rows_of_over_ten_thousand_features() -> None:
    stream = CrossesStream(points=2000).stream(0)
    assert isinstance(stream.points, Sparse)
    assert stream.points.dimension > 10_000
    np.testing.assert_allclose(stream.points.matrix().power(2).sum(axis=1), 1.0)
    assert len(np.unique(stream.points.columns)) > 2_000


def test_flights_by_their_own_times_follow_days_and_nights() -> None:
    stream = FlightsStream(arrivals="own", points=2500, steps=72).stream(0)
    # 2,500 flights are three days of January: nothing leaves in the small hours.
    assert (stream.arrivals == 0).sum() >= 8
    assert stream.arrivals.sum() == 2250


def test_ratings_are_pairs_around_the_middle_of_the_scale() -> None:
    stream = MovielensStream(arrivals="own").stream(0)
    assert isinstance(stream.points, Pairs)
    assert (stream.points.user_count, stream.points.item_count, stream.rank) == (943, 1682, 5)
    assert set(stream.targets) == {-2.0, -1.0, 0.0, 1.0, 2.0}
    assert stream.loss == "factorization"


@pytest.mark.parametrize("workload", [AdultStream(loss="ridge"), FlightsStream(loss="ridge")], ids=lambda w: w.name)
def test_a_loss_is_a_parameter(workload: Any) -> None:
    assert workload.problem() == {"loss": "ridge"}


def test_the_serial_reference_leaves_what_metrics_read(tmp_path: Path) -> None:
    workload = AdultStream(points=1000, steps=10, evaluations=5)
    writer = TraceWriter(tmp_path)
    workload.serial(Job(workload, Cpu(), Budget(), 0, writer, tmp_path))
    writer.close()
    trace = Trace.read(merge(tmp_path))
    found = trace.values("suboptimality")
    assert found.step.tolist() == [1, 3, 5, 7, 9]
    assert -1e-12 <= found.value.min() <= found.value.max() < np.log(2)
    assert trace.total("gradients") == 10 * 450
    assert trace.fact("stream")["dimension"] == 124


def test_equal_points_have_equal_keys_and_other_points_others() -> None:
    a, b = AdultStream(points=1000).stream(0), AdultStream(points=1000, arrivals="bursts").stream(0)
    assert a.key == b.key  # the minimiser does not depend on when points arrive
    assert a.key != AdultStream(points=1000).stream(1).key
    assert a.key != dataclasses.replace(a, mu=1.0).key
