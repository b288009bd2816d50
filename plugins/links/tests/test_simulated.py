"""The simulated device against closed forms, and what must hold of any simulation."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulating import BANDWIDTH, LATENCY, bytes_sent, flat, hollow, launch, spans, traced

from harness import HarnessError, PeerLost, Trace
from harness.devices import WorkerFailed
from harness.tracefile import merge
from harness_links import Simulated


def seconds(size):
    return size / BANDWIDTH


def ping(size, worker):
    if worker.rank == 0:
        worker.comm.isend(hollow(size), 1)
    elif worker.rank == 1:
        worker.comm.receive(0)
    return worker.clock()


@pytest.mark.parametrize("size", [0, 1, 1000, 10**9])
def test_a_message_takes_latency_and_bytes_over_bandwidth(size):
    sent, arrived = launch(flat(2, numerics=False), partial(ping, size), 2)
    assert sent == 0
    assert arrived == pytest.approx(LATENCY + seconds(size), rel=1e-12)


@pytest.mark.parametrize("of_device", [False, True])
@pytest.mark.parametrize("of_cell", [False, True])
def test_the_trace_says_whether_anything_was_computed(tmp_path, of_device, of_cell):
    launch(flat(2, numerics=of_device), partial(ping, 1), 2, tmp_path, numerics=of_cell)
    assert Trace.read(merge(tmp_path)).fact("simulated") == {"numerics": of_device and of_cell}


def send_and_wait(worker):
    if worker.rank == 0:
        worker.comm.send(np.zeros(1000, np.uint8), 1)
        return worker.clock()
    worker.comm.receive(0)
    return worker.clock()


def test_a_send_is_over_when_it_has_left_its_link():
    assert launch(flat(2), send_and_wait, 2) == [pytest.approx(seconds(1000)), pytest.approx(LATENCY + seconds(1000))]


def reduce_all(length, worker):
    worker.comm.all_reduce(np.broadcast_to(np.float32(0), (length,)))
    return worker.clock()


@pytest.mark.parametrize("numerics", [False, True])
@pytest.mark.parametrize("workers", [2, 3, 8, 16])
def test_a_ring_all_reduce_takes_its_closed_form(workers, numerics):
    length = 48 * 25
    returned, events = traced(flat(workers, numerics=numerics), partial(reduce_all, length), workers)
    closed = 2 * (workers - 1) * (LATENCY + 4 * length / workers / BANDWIDTH)
    assert returned == [pytest.approx(closed, rel=1e-9)] * workers
    assert [bytes_sent(e) for e in events] == [2 * (workers - 1) * 4 * length / workers] * workers


@pytest.mark.parametrize("length", [0, 1, 7, 10])
def test_a_length_that_the_ring_does_not_divide_costs_the_same_without_numerics(length):
    with_data, without = (traced(flat(4, numerics=n), partial(reduce_all, length), 4) for n in (True, False))
    assert with_data[0] == pytest.approx(without[0])
    assert [bytes_sent(e) for e in with_data[1]] == [bytes_sent(e) for e in without[1]]


def pipeline(minibatches, cost, size, worker):
    """Forward only."""
    rank, comm = worker.rank, worker.comm
    for minibatch in range(minibatches):
        if rank:
            comm.receive(rank - 1)
        with worker.work("forward", cost, step=minibatch):
            pass
        if rank < worker.size - 1:
            comm.isend(hollow(size), rank + 1)
    return worker.clock()


@pytest.mark.parametrize(("stages", "minibatches"), [(1, 5), (2, 1), (4, 7), (16, 50)])
def test_a_pipeline_of_equal_stages_takes_minibatches_plus_stages_less_one(stages, minibatches):
    device = flat(stages, latency=0, numerics=False)
    ends = launch(device, partial(pipeline, minibatches, 0.5, 0), stages)
    assert max(ends) == pytest.approx((minibatches + stages - 1) * 0.5)


@pytest.mark.parametrize("size", [100_000, 500_000, 2_000_000])
def test_communication_overlaps_computation(size):
    minibatches, cost = 20, 0.5
    ends = launch(flat(2, latency=0, numerics=False), partial(pipeline, minibatches, cost, size), 2)
    assert max(ends) == pytest.approx(2 * cost + seconds(size) + (minibatches - 1) * max(cost, seconds(size)))


def exchange(pairs, worker):
    """Send 1000 bytes along each pair at once; when each of mine arrived."""
    for source, to in pairs:
        if worker.rank == source:
            worker.comm.isend(hollow(1000), to)
    ends = []
    for source, to in pairs:
        if worker.rank == to:
            worker.comm.receive(source)
            ends.append(worker.clock())
    return ends


def arrivals(device, workers, pairs):
    returned = launch(device, partial(exchange, pairs), workers)
    return sorted(round(end, 9) for ends in returned for end in ends)


SERVERS = Simulated(
    levels=[{"workers": 2, "bandwidth": 1e9}, {"workers": 3, "bandwidth": BANDWIDTH, "latency": LATENCY}],
    numerics=False,
)


@pytest.mark.parametrize(
    ("what", "pairs", "rounds"),
    [
        ("one flow", [(0, 2)], [1]),
        ("two workers of one server, to two servers", [(0, 2), (1, 4)], [1, 2]),
        ("two servers, to one", [(0, 4), (2, 5)], [1, 2]),
        ("two pairs of servers", [(0, 2), (4, 1)], [1, 1]),
        ("there and back", [(0, 2), (2, 0)], [1, 1]),
        ("one worker, three messages", [(0, 2), (0, 2), (0, 4)], [1, 2, 3]),
    ],
)
def test_flows_that_share_a_servers_link_come_one_after_the_other(what, pairs, rounds):
    got = arrivals(SERVERS, 6, pairs)
    assert got == pytest.approx([LATENCY + n * seconds(1000) for n in rounds], abs=1e-5)


def test_a_message_within_a_server_does_not_wait_for_the_servers_link():
    assert arrivals(SERVERS, 6, [(0, 2), (1, 0)])[0] == pytest.approx(1000 / 1e9)


# Random programs: each rank computes and sends for a while, then receives all that was sent to it.

PROGRAMS = st.integers(1, 6).flatmap(
    lambda size: st.lists(
        st.lists(st.tuples(st.integers(0, size - 1), st.integers(0, 5000), st.floats(0, 0.01)), max_size=6),
        min_size=size,
        max_size=size,
    )
)
HIERARCHIES = st.lists(
    st.tuples(st.integers(2, 3), st.sampled_from([1e5, 1e6, 1e9]), st.sampled_from([0.0, 1e-3])), min_size=3, max_size=3
).map(lambda levels: [{"workers": m, "bandwidth": b, "latency": t} for m, b, t in levels])


def follow(program, worker):
    clocks, received = [worker.clock()], 0
    for to, size, cost in program[worker.rank]:
        with worker.work("compute", cost):
            pass
        worker.comm.isend(np.zeros(size, np.uint8), to)
        clocks.append(worker.clock())
    for source, sends in enumerate(program):
        for to, _, _ in sends:
            if to == worker.rank:
                received += worker.comm.receive(source).nbytes
                clocks.append(worker.clock())
    return clocks, received


@settings(max_examples=40, deadline=None)
@given(PROGRAMS, HIERARCHIES)
def test_any_program_keeps_time_bytes_and_the_critical_path(program, levels):
    device = Simulated(levels=levels)
    returned, events = traced(device, partial(follow, program), len(program))
    for clocks, _ in returned:
        assert clocks == sorted(clocks)
    assert sum(received for _, received in returned) == sum(bytes_sent(e) for e in events)
    links = device.links()
    for rank, sends in enumerate(program):
        departure = 0.0
        for to, size, cost in sends:
            departure += cost
            arrival = departure + (links.route(rank, to).seconds(size) if to != rank else 0)
            assert returned[to][0][-1] >= arrival * (1 - 1e-12)
        assert returned[rank][0][-1] >= departure


@settings(max_examples=15, deadline=None)
@given(PROGRAMS, HIERARCHIES)
def test_two_runs_leave_identical_traces(program, levels):
    first, second = (traced(Simulated(levels=levels), partial(follow, program), len(program)) for _ in range(2))
    assert repr(first) == repr(second)


@settings(max_examples=15, deadline=None)
@given(PROGRAMS, HIERARCHIES)
def test_times_and_bytes_are_the_same_without_numerics(program, levels):
    first, second = (
        traced(Simulated(levels=levels, numerics=n), partial(follow, program), len(program)) for n in (True, False)
    )
    assert repr(first) == repr(second)


def test_spans_are_as_long_as_their_cost():
    _, (events,) = traced(flat(1), partial(pipeline, 3, 0.25, 0), 1)
    assert spans(events, "forward") == [(0, 0.25), (0.25, 0.5), (0.5, 0.75)]
    assert spans(events, "run") == [(0, 0.75)]
    assert [value for name, *_, value in events if name == "run"] == [0.75]


def compute(worker):
    bodies = []
    with worker.work("step", 1.0) as needed:
        if needed:
            bodies.append(worker.clock())
    return bodies


def test_bodies_run_only_where_the_cell_and_the_device_want_numerics():
    assert launch(flat(1), compute, 1) == [[1.0]]
    assert launch(flat(1, numerics=False), compute, 1) == [[]]
    assert launch(flat(1), compute, 1, numerics=False) == [[]]


class Stopwatch:
    """A real clock that runs only when told to."""

    def __init__(self, monkeypatch):
        self.seconds = 0.0
        monkeypatch.setattr("harness_links.actors.perf_counter", lambda: self.seconds)


def nested(watch, worker):
    """Work that is measured around work of a known cost, and what the clock shows in between."""
    shown = []
    with worker.work("outer"):
        watch.seconds += 1
        shown.append(worker.clock())
        with worker.work("inner", 5.0):
            watch.seconds += 100
        shown.append(worker.clock())
        watch.seconds += 2
    watch.seconds += 100
    return [*shown, worker.clock()]


@pytest.mark.parametrize(("speed", "clocks"), [(1.0, [1, 6, 8]), (0.5, [2, 7, 11])])
def test_work_without_a_cost_takes_its_real_time_over_the_speed(monkeypatch, speed, clocks):
    assert launch(flat(1, speed=speed), partial(nested, Stopwatch(monkeypatch)), 1) == [clocks]


def wait_while_measured(watch, worker):
    with worker.work("step"):
        watch.seconds += 1
        if worker.rank:
            worker.comm.receive(0)
        else:
            worker.comm.send(np.zeros(1, np.uint8), 1)
        watch.seconds += 1
    return worker.clock()


def test_the_time_of_others_is_not_charged_to_who_waits(monkeypatch):
    device = flat(2, bandwidth=1.0, latency=0.5)
    assert launch(device, partial(wait_while_measured, Stopwatch(monkeypatch)), 2) == [1 + 1 + 1, 1 + 1 + 0.5 + 1]


@pytest.mark.parametrize(
    ("cost", "message"), [(None, "work 'step' has no cost"), (-1.0, "costs -1.0 seconds"), (float("nan"), "costs nan")]
)
def test_a_cost_that_is_none_or_no_time_is_refused(cost, message):
    def main(worker):
        with worker.work("step", cost):
            pass

    with pytest.raises(WorkerFailed, match=message):
        launch(flat(1, numerics=False), main, 1)


def circle(worker):
    if worker.rank < 3:
        worker.comm.receive((worker.rank + 1) % 3, tag=5)
    elif worker.rank == 3:
        worker.comm.receive(0)


def test_a_deadlock_says_who_waits_for_whom():
    with pytest.raises(WorkerFailed) as caught:
        launch(flat(5), circle, 5)
    assert str(caught.value) == (
        "deadlock at 0 s: worker 0 waits for worker 1 (tag 5), worker 1 waits for worker 2 (tag 5), "
        "worker 2 waits for worker 0 (tag 5); 1 more waits"
    )


def meet_or_not(worker):
    if worker.rank:
        worker.comm.barrier()
    else:
        worker.comm.receive(1)


def test_a_deadlock_in_a_collective_is_told_as_one():
    with pytest.raises(WorkerFailed, match=r"worker 1 waits for worker 0 \(a collective or request\)"):
        launch(flat(2), meet_or_not, 2)


def receive_in_a_thread(worker):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(worker.comm.receive, 1 - worker.rank).result()


def test_a_thread_of_a_workers_own_is_told_what_to_use_instead():
    with pytest.raises(WorkerFailed, match="has one thread: use isend and irecv"):
        launch(flat(2), receive_in_a_thread, 2)


def fail_early(worker):
    if worker.rank == 2:
        raise ValueError("on purpose")
    worker.comm.receive(worker.rank + 1)


def test_a_worker_that_raises_ends_the_launch_and_is_named():
    with pytest.raises(WorkerFailed) as caught:
        launch(flat(3), fail_early, 3)
    assert str(caught.value) == "worker 2 failed: ValueError: on purpose"


def wait_for_the_gone(worker):
    if worker.rank == 1:
        worker.comm.send(np.ones(3), 0)
        return None
    heard = worker.comm.receive(1)
    with pytest.raises(PeerLost, match="worker 1 is lost: it has ended"):
        worker.comm.receive(1)
    return heard.tolist()


def test_what_was_sent_before_an_end_arrives_and_then_the_peer_is_lost():
    assert launch(flat(2), wait_for_the_gone, 2) == [[1, 1, 1], None]


def pass_large(size, worker):
    comm = worker.comm
    right, left = (worker.rank + 1) % worker.size, (worker.rank - 1) % worker.size
    sending = comm.isend(hollow(size), right)
    received = comm.receive(left)
    sending.wait()
    return received.shape, comm.all_reduce(received).shape, [a.shape for a in comm.all_gather(received)]


def test_without_numerics_half_a_gigabyte_takes_no_memory():
    size = 500_000_000
    tracemalloc.start()
    try:
        returned = launch(flat(4, numerics=False), partial(pass_large, size), 4)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert returned == [((size,), (size,), [(size,)] * 4)] * 4
    assert peak < 10_000_000


def reduce_constant(worker):
    return worker.comm.all_reduce(np.broadcast_to(np.float64(worker.rank), (6,))).tolist()


def test_with_numerics_an_array_in_one_place_is_an_array_like_any_other():
    assert launch(flat(3), reduce_constant, 3) == [[3.0] * 6] * 3


def ask(worker):
    """Worker 0 answers requests, each in half a second."""
    comm = worker.comm

    def answer(source, arrays):
        with worker.work("answer", 0.5, peer=source):
            return [arrays[0] * 2]

    if worker.rank == 0:
        comm.serve(answer)
        comm.barrier()
        return None
    (reply,) = comm.request([np.array([worker.rank])], 0)
    asked = worker.clock()
    comm.barrier()
    return reply.tolist(), asked


def test_requests_are_answered_one_at_a_time_in_virtual_time():
    _, (first, one), (second, two) = launch(flat(3, latency=0.01, bandwidth=1e9), ask, 3)
    assert (first, second) == ([2], [4])
    assert one == pytest.approx(0.5 + 2 * 0.01, abs=1e-6)
    assert two == pytest.approx(1.0 + 2 * 0.01, abs=1e-6)


def test_more_workers_than_links_are_refused_in_one_line():
    with pytest.raises(HarnessError, match="room for 2 workers, not for 3"):
        launch(flat(2), compute, 3)


def reduce_in_servers(worker):
    """Each server by itself, and then the first workers of all."""
    comm, server = worker.comm, worker.rank // 2
    comm.group([2 * server, 2 * server + 1]).all_reduce(hollow(2000))
    within = worker.clock()
    if worker.rank % 2 == 0:
        comm.group([0, 2, 4]).all_reduce(hollow(3000))
    return within, worker.clock() - within


def test_groups_reduce_over_the_links_between_their_members():
    returned, events = traced(SERVERS, reduce_in_servers, 6)
    for rank, (within, between) in enumerate(returned):
        assert within == pytest.approx(2 * 1000 / 1e9)
        assert between == pytest.approx(4 * (LATENCY + seconds(1000)) if rank % 2 == 0 else 0)
    assert [bytes_sent(e) for e in events] == [2000 + 4000, 2000] * 3


def gather_unequal(worker):
    return [part.shape for part in worker.comm.all_gather(hollow(worker.rank + 1))], worker.clock()


@pytest.mark.parametrize("numerics", [True, False])
def test_what_is_gathered_may_differ_in_shape(numerics):
    size, clocks = 4, [0.0] * 4
    for step in range(size - 1):
        departures = [clock + seconds((rank - step) % size + 1) for rank, clock in enumerate(clocks)]
        clocks = [max(departures[rank], departures[rank - 1] + LATENCY) for rank in range(size)]
    returned = launch(flat(size, numerics=numerics), gather_unequal, size)
    assert returned == [([(1,), (2,), (3,), (4,)], pytest.approx(clock)) for clock in clocks]


def reduce_tensors(worker):
    import torch

    expanded = worker.comm.all_reduce(torch.zeros(1).expand(4, 10**8))
    meta = worker.comm.all_reduce(torch.empty(4, 10**8, device="meta"))
    return tuple(expanded.shape), meta.device.type, worker.clock()


def test_tensors_without_data_are_reduced_by_size():
    pytest.importorskip("torch")
    closed = 2 * 2 * (LATENCY + seconds(1.6e9) / 2)
    assert launch(flat(2, numerics=False), reduce_tensors, 2) == [((4, 10**8), "meta", pytest.approx(closed))] * 2


def work_and_reduce(cost, parts, worker):
    """Work; sum arrays that were ready within it beside it; when the last sum was there."""
    with worker.work("backward", cost):
        wait = worker.comm.all_reduce_beside([(hollow(size), ago) for size, ago in parts])
    wait()
    return worker.clock()


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 50), st.floats(0, 0.5)), max_size=5), st.integers(2, 4))
def test_sums_beside_work_start_when_they_are_ready_and_the_one_before_is_done(drawn, workers):
    parts = sorted(((workers * 1000 * size, ago) for size, ago in drawn), key=lambda part: -part[1])
    done = 0.0
    for size, ago in parts:
        done = max(done, 0.5 - ago) + 2 * (workers - 1) * (LATENCY + seconds(size / workers))
    ends = launch(flat(workers, numerics=False), partial(work_and_reduce, 0.5, parts), workers)
    assert ends == [pytest.approx(max(done, 0.5))] * workers


def test_sums_beside_work_send_the_bytes_of_sums_after_it():
    parts = [(30_000, 0.4), (12_000, 0.0)]
    _, beside = traced(flat(3, numerics=False), partial(work_and_reduce, 0.5, parts), 3)
    _, after = traced(flat(3, numerics=False), partial(reduce_all, 42_000 // 4), 3)
    assert [bytes_sent(e) for e in beside] == [bytes_sent(e) for e in after]
