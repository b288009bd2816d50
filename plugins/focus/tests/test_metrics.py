"""Metrics on traces whose numbers are known."""

import pytest

from harness import TraceWriter
from harness.tracefile import Trace, merge
from harness_focus import metrics


def trace_of(folder, *, spans=(), counts=(), front=None, met=True):
    trace = TraceWriter(folder)
    for name, seconds in spans:
        trace.add_span(name, 0.0, 99.0, value=seconds)
    for name, amount, *step in counts:
        trace.count(name, amount, step=step[0] if step else -1)
    if front:
        trace.fact("front", {"points": front, "met": met})
    trace.close()
    return Trace.read(merge(folder))


TIMED = [("expert_timing", 10.0)]
STREAM = [("expert_timed", 500), ("frames", 3000)]


def test_ingest_is_counted_in_three_ways(tmp_path):
    spans = [
        *TIMED,
        ("camera", 4.0),
        ("cheap_network", 1.0),
        ("cheap_network", 2.0),
        ("indexing", 5.0),
        ("training", 7.0),
    ]
    counts = [*STREAM, ("camera_frames", 1000), ("calibration_calls", 200)]
    trace = trace_of(tmp_path, spans=spans, counts=counts)
    assert metrics.IngestCost().measure(trace) == 3
    assert metrics.IngestCost(accounting="machine").measure(trace) == pytest.approx(5 + 12)
    assert metrics.IngestCost(accounting="all").measure(trace) == pytest.approx(5 + 12 + 200 * 0.02 + 7)
    assert metrics.IngestCalls().measure(trace) == 200


def test_a_query_is_its_calls_and_what_it_takes_itself(tmp_path):
    spans = [*TIMED, ("query", 0.5), ("query", 0.3), ("small_network", 3.0), ("query_training", 20.0)]
    counts = [*STREAM, ("query_calls", 100, 4), ("query_calls", 300, 1), ("small_timed", 6000)]
    counts += [("small_calls", 6000, 4), ("small_calls", 600, 1), ("calibration_calls", 50)]
    trace = trace_of(tmp_path, spans=spans, counts=counts)
    assert metrics.QueryCalls().measure(trace) == 200
    assert metrics.QueryLatency().measure(trace) == pytest.approx((400 * 0.02 + 0.8 + 3.0 + 0.3) / 2)
    assert metrics.QueryLatency(training=True).measure(trace) == pytest.approx(6.05 + 20 + 1)
    assert metrics.IngestCalls().measure(trace) == 0, "labels that a query needs are the query's"
    once = metrics.IngestCost(accounting="all").measure(trace) - metrics.IngestCost(accounting="machine").measure(trace)
    assert once == pytest.approx(20 + 1), "but they are spent once on the stream"


def test_precision_and_recall_are_means_over_the_classes_that_have_one(tmp_path):
    counts = [("right", 8, 0), ("wrong", 2, 0), ("missed", 0, 0)]
    counts += [("right", 0, 1), ("wrong", 0, 1), ("missed", 4, 1), ("right", 3, 2), ("wrong", 0, 2), ("missed", 3, 2)]
    trace = trace_of(tmp_path, counts=counts)
    assert metrics.Precision().measure(trace) == pytest.approx((0.8 + 1) / 2)
    assert metrics.Recall().measure(trace) == pytest.approx((1 + 0 + 0.5) / 3)
    assert metrics.Precision(average="micro").measure(trace) == pytest.approx(11 / 13)
    assert metrics.Recall(average="micro").measure(trace) == pytest.approx(11 / 18)


def test_multiply_adds_are_calls_times_a_call(tmp_path):
    counts = [("expert_multiply_adds", 1000), ("cheap_multiply_adds", 10), ("cheap_calls", 70), ("ingest_calls", 2)]
    assert metrics.IngestMultiplyAdds().measure(trace_of(tmp_path, counts=counts)) == 2700


@pytest.mark.parametrize(("met", "counted"), [(True, 4), (False, 0)])
def test_the_fronts_points_count_where_they_meet_the_target(met, counted, tmp_path):
    assert metrics.FrontSize().measure(trace_of(tmp_path, front=[{"ingest": 1.0}] * 4, met=met)) == counted


def test_the_fronts_range_is_from_its_dearest_to_its_cheapest_point(tmp_path):
    points = [{"ingest": 2.0, "query": 90.0}, {"ingest": 5.0, "query": 30.0}, {"ingest": 8.0, "query": 10.0}]
    trace = trace_of(tmp_path, front=points)
    assert metrics.FrontRange(cost="ingest").measure(trace) == 4
    assert metrics.FrontRange(cost="query").measure(trace) == 9


def test_without_a_front_there_is_no_range(tmp_path):
    assert metrics.FrontRange().measure(trace_of(tmp_path)) is None


@pytest.mark.parametrize("metric", metrics.METRICS, ids=lambda metric: metric.name)
def test_what_a_trace_does_not_hold_is_not_measured(metric, tmp_path):
    assert metric().measure(trace_of(tmp_path)) is None
