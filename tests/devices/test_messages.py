from functools import partial

import numpy as np
import pytest
import torch
from device_support import DEVICES, bytes_sent, launch

from harness.worker import PeerLost


def swap_many(count, worker):
    other = 1 - worker.rank
    sends = [
        worker.comm.isend(np.array([tag, i, worker.rank]), other, tag=tag) for i in range(count) for tag in (0, 1, 2)
    ]
    received = [[worker.comm.receive(other, tag=tag).tolist() for _ in range(count)] for tag in (2, 0, 1)]
    for send in sends:
        send.wait()
    return received


def test_messages_of_a_tag_arrive_in_order_and_sending_never_waits_for_receiving(device):
    for rank, received in enumerate(launch(device, partial(swap_many, 50), 2)):
        assert received == [[[tag, i, 1 - rank] for i in range(50)] for tag in (2, 0, 1)]


def send_large(worker):
    other = 1 - worker.rank
    worker.comm.send(np.full(1_000_000, float(worker.rank)), other)
    return worker.comm.receive(other)[-1]


def test_both_may_send_more_than_buffers_hold_before_either_receives(wired):
    assert launch(wired, send_large, 2) == [1.0, 0.0]


def change_after(worker):
    if worker.rank == 0:
        array = np.zeros(1000)
        worker.comm.send(array, 1)
        array[:] = 9
        worker.comm.send(array, 1)
        return None
    first, second = worker.comm.receive(0), worker.comm.receive(0)
    first += 1
    return first.max(), second.min()


def test_an_array_may_change_once_it_was_sent(wired):
    assert launch(wired, change_after, 2)[1] == (1.0, 9.0)


def talk_to_oneself(worker):
    array = np.arange(3)
    worker.comm.send(array, worker.rank, tag=4)
    array[:] = 0
    return worker.comm.receive(worker.rank, tag=4).tolist()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_may_send_to_itself(wired, workers):
    assert launch(wired, talk_to_oneself, workers) == [[0, 1, 2]] * workers


def send_some(worker):
    if worker.rank == 0:
        worker.comm.send(np.zeros(10), 1)
        worker.comm.send(torch.zeros(3, dtype=torch.bfloat16), 2)
        worker.comm.send(np.zeros(0), 2)
        worker.comm.send(1.0, 1)
    elif worker.rank == 1:
        return [worker.comm.receive(0).shape for _ in range(2)]
    else:
        return [tuple(worker.comm.receive(0).shape) for _ in range(2)]
    return None


def test_payload_is_counted_at_the_sender_by_receiver(wired, tmp_path):
    assert launch(wired, send_some, 3, tmp_path) == [None, [(10,), ()], [(3,), (0,)]]
    assert bytes_sent(tmp_path, 0) == {1: 88, 2: 6}
    assert bytes_sent(tmp_path, 1) == {}


def serve_shards(worker):
    """Each rank serves a table of its own and asks all for their rows, itself too."""
    table = np.arange(6.0).reshape(3, 2) + 100 * worker.rank

    def handler(source, arrays):
        rows, scale = arrays
        return [table[rows] * scale, np.array([source])]

    worker.comm.serve(handler)
    worker.comm.barrier()
    replies = []
    for _ in range(5):
        for to in range(worker.size):
            rows, source = worker.comm.request([np.array([2, 0]), np.float64(2)], to)
            replies.append((to, rows.tolist(), source.tolist()))
    worker.comm.barrier()
    return replies


@pytest.mark.parametrize("workers", [1, 3])
def test_requests_are_answered_by_every_serving_rank(device, workers, tmp_path):
    for rank, replies in enumerate(launch(device, serve_shards, workers, tmp_path)):
        one = [(to, [[8 + 200 * to, 10 + 200 * to], [200 * to, 2 + 200 * to]], [rank]) for to in range(workers)]
        assert replies == one * 5
    for rank in range(workers):
        # A request: two int64 and a float64; a reply: 2 x 2 float64 and an int64. Five of each.
        assert bytes_sent(tmp_path, rank) == dict.fromkeys(range(workers), 5 * (24 + 40))


def handle_badly(worker):
    def handler(source, arrays):
        raise ValueError(f"no answer for worker {source}")

    if worker.rank == 0:
        worker.comm.serve(handler)
    worker.comm.barrier()
    if worker.rank == 1:
        worker.comm.request([np.zeros(1)], 0)
    worker.comm.receive((worker.rank + 1) % 3, tag=1)


def test_a_handler_that_raises_fails_the_serving_worker(wired):
    with pytest.raises(RuntimeError, match="worker 0 failed: ValueError: no answer for worker 1"):
        launch(wired, handle_badly, 3)


def work_in_groups(worker):
    """Rows and columns of a 2 x 2 grid, and the whole, at once; groups renumber in the order given."""
    comm, rank = worker.comm, worker.rank
    row = comm.group([rank // 2 * 2 + 1, rank // 2 * 2])
    column = comm.group([rank % 2, rank % 2 + 2])
    value = torch.tensor([10.0**rank])
    sums = [float(c.all_reduce(value)) for c in (column, comm, row)]
    gathered = [int(part) for part in row.all_gather(np.array(rank))]
    row.send(np.array(rank), 1 - row.rank, tag=3)
    return (row.rank, row.size), sums, gathered, int(row.receive(1 - row.rank, tag=3))


def test_groups_renumber_their_members_and_do_not_disturb_each_other(device):
    for rank, (place, sums, gathered, partner) in enumerate(launch(device, work_in_groups, 4)):
        row = [rank // 2 * 2 + 1, rank // 2 * 2]
        column = [rank % 2, rank % 2 + 2]
        assert place == (row.index(rank), 2)
        assert sums == [sum(10.0**r for r in ranks) for ranks in (column, range(4), row)]
        assert gathered == row
        assert partner == sum(row) - rank


def count_in_group(worker):
    if worker.rank:
        group = worker.comm.group([2, 1])
        group.send(np.zeros(group.rank + 1), 1 - group.rank)
        group.receive(1 - group.rank)


def test_groups_count_bytes_under_the_launchs_ranks(wired, tmp_path):
    launch(wired, count_in_group, 3, tmp_path)
    assert [bytes_sent(tmp_path, rank) for rank in (1, 2)] == [{2: 16}, {1: 8}]


def twice_the_same_group(worker):
    first, second = (worker.comm.group(range(worker.size)) for _ in range(2))
    other = 1 - worker.rank
    second.isend(np.array(2), other)
    first.isend(np.array(1), other)
    return int(first.receive(other)), int(second.receive(other))


def test_two_groups_of_the_same_ranks_are_apart(wired):
    assert launch(wired, twice_the_same_group, 2) == [(1, 2), (1, 2)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda comm: comm.send(np.zeros(1), 2), "there is no worker 2: ranks go from 0 to 1"),
        (lambda comm: comm.irecv(-1), "there is no worker -1"),
        (lambda comm: comm.group([1 - comm.rank]), "must name each member once"),
        (lambda comm: comm.group([0, 1, 1]), "must name each member once"),
        (lambda comm: [comm.serve(print) for _ in range(2)], "serves already"),
        (lambda comm: comm.broadcast(None, comm.rank), "has no array to give"),
    ],
)
def test_misuse_is_named(call, message):
    with pytest.raises(RuntimeError, match=message):
        launch(DEVICES["threads"], lambda worker: call(worker.comm), 2)


def leave_early(worker):
    if worker.rank == 0:
        worker.comm.send(np.array(1), 1)
        return "left"
    assert worker.comm.receive(0) == 1
    try:
        worker.comm.receive(0)
    except PeerLost as error:
        return str(error)
    return "received"


def test_waiting_for_a_worker_that_has_ended_says_so(wired):
    assert launch(wired, leave_early, 2) == ["left", "worker 0 is lost: it has ended"]
