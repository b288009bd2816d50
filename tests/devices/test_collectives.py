"""Every device's collectives against NumPy, on seeded random cases: kinds, dtypes, shapes, operations."""

from functools import partial

import numpy as np
import pytest
import torch
from device_support import DEVICES, bytes_sent, launch
from hypothesis import given, settings
from hypothesis import strategies as st

DTYPES = ["int32", "int64", "float16", "float32", "float64", "bfloat16"]
SHAPES = [(), (0,), (1,), (3,), (7,), (2, 0, 3), (4, 5), (3, 1, 4)]
SUITE = range(40)


def case(seed, rank, *, same_shape=True):
    """A rank's array in a case: small integers, which every dtype adds up exactly."""
    common = np.random.default_rng(seed)
    dtype, shape = common.choice(DTYPES), SHAPES[common.integers(len(SHAPES))]
    tensor = bool(common.integers(2)) or dtype == "bfloat16"
    own = np.random.default_rng([seed, rank])
    if not same_shape:
        shape = SHAPES[own.integers(len(SHAPES))]
    array = own.integers(-8, 9, shape)
    if common.integers(2):
        array = np.asfortranarray(array)
    return torch.from_numpy(array).to(getattr(torch, dtype)) if tensor else array.astype(dtype)


def plain(array):
    """(kind, dtype, nested lists) of anything that came back."""
    return type(array).__name__, str(array.dtype), tuple(array.shape), array.tolist()


def operation(seed):
    return ["sum", "max", "min"][seed % 3]


def reduce_all(worker):
    comm = worker.comm
    return [plain(comm.all_reduce(case(seed, worker.rank), operation(seed))) for seed in SUITE]


def gather_all(worker):
    return [
        [plain(part) for part in worker.comm.all_gather(case(seed, worker.rank, same_shape=False))] for seed in SUITE
    ]


def broadcast_all(worker):
    roots = [seed % worker.size for seed in SUITE]
    return [
        plain(worker.comm.broadcast(case(seed, root) if worker.rank == root else None, root))
        for seed, root in zip(SUITE, roots, strict=True)
    ]


def everything(worker):
    return reduce_all(worker), gather_all(worker), broadcast_all(worker)


@pytest.mark.parametrize("workers", [1, 2, 3, 4])
def test_collectives_agree_with_numpy_on_every_rank(device, workers):
    functions = {"sum": np.sum, "max": np.max, "min": np.min}
    for reduced, gathered, spread in launch(device, everything, workers):
        for seed in SUITE:
            arrays = [case(seed, rank) for rank in range(workers)]
            kind, dtype, shape, values = reduced[seed]
            assert (kind, dtype, shape) == plain(arrays[0])[:3]
            expected = functions[operation(seed)]([np.array(a.tolist()) for a in arrays], axis=0)
            assert np.array_equal(np.array(values).reshape(shape), expected.reshape(shape))
            assert gathered[seed] == [plain(case(seed, rank, same_shape=False)) for rank in range(workers)]
            assert spread[seed] == plain(arrays[seed % workers])


def reduce_noise(length, worker):
    noise = worker.rng(5).standard_normal(length).astype(np.float32)
    arrays = [noise, torch.from_numpy(noise), torch.from_numpy(noise).bfloat16()]
    results = [worker.comm.all_reduce(array, "mean") for array in arrays]
    assert np.array_equal(noise, arrays[0])
    return noise, [torch.as_tensor(result).float().numpy() for result in results]


def test_the_mean_is_close_to_numpys_and_the_same_bits_everywhere(device):
    ranks = launch(device, partial(reduce_noise, 1001), 3)
    expected = np.mean([noise for noise, _ in ranks], axis=0, dtype=np.float64)
    for i, tolerance in enumerate([1e-6, 1e-6, 0.03]):
        for _, results in ranks:
            assert results[i].tobytes() == ranks[0][1][i].tobytes()
            assert np.allclose(results[i], expected, atol=tolerance)


def reduce_one(length, worker):
    worker.comm.all_reduce(np.ones(length))
    worker.comm.all_reduce(torch.ones(length))


@pytest.mark.parametrize("workers", [2, 3, 4])
def test_all_reduce_sends_the_least_that_is_possible(device, workers, tmp_path):
    length = 1000
    launch(device, partial(reduce_one, length), workers, tmp_path)
    ideal = 2 * (workers - 1) / workers * length * (8 + 4)
    for rank in range(workers):
        sent = bytes_sent(tmp_path, rank)
        assert list(sent) == [(rank + 1) % workers]
        assert sent[(rank + 1) % workers] == pytest.approx(ideal, abs=2 * (8 + 4))


def spread_one(length, worker):
    worker.comm.broadcast(np.ones(length) if worker.rank == 1 else None, root=1)
    worker.comm.barrier()


@pytest.mark.parametrize("workers", [2, 3, 4])
def test_broadcast_sends_the_array_once_to_each_other_rank(wired, workers, tmp_path):
    launch(wired, partial(spread_one, 100), workers, tmp_path)
    sent = [bytes_sent(tmp_path, rank) for rank in range(workers)]
    received = [sum(by_peer.get(rank, 0) for by_peer in sent) for rank in range(workers)]
    assert received == [0 if rank == 1 else 800 for rank in range(workers)]


def gather_ragged(worker):
    worker.comm.all_gather(np.zeros(10 * worker.rank, np.uint8))


def test_all_gather_hands_every_array_round_once(wired, tmp_path):
    launch(wired, gather_ragged, 3, tmp_path)
    sent = [bytes_sent(tmp_path, rank) for rank in range(3)]
    assert sent == [{1: 0 + 20}, {2: 10 + 0}, {0: 20 + 10}]


def arrive_late(worker):
    worker.comm.send(np.array(1), (worker.rank + 1) % worker.size)
    worker.comm.barrier()
    handle = worker.comm.irecv((worker.rank - 1) % worker.size)
    worker.comm.barrier()
    return int(handle.wait())


def test_collectives_do_not_take_callers_messages(wired):
    assert launch(wired, arrive_late, 3) == [1, 1, 1]


def disagree(worker):
    worker.comm.all_reduce(np.zeros(4 + worker.rank))


def test_arrays_of_different_shapes_are_an_error_not_a_wrong_sum():
    with pytest.raises(RuntimeError, match=r"worker \d failed: all_reduce: arrays differ between workers"):
        launch(DEVICES["threads"], disagree, 2)


def mean_of_integers(worker):
    worker.comm.all_reduce(torch.ones(2, dtype=torch.int64), "mean")


def test_the_mean_of_integers_is_refused(device):
    with pytest.raises(RuntimeError, match=r"no mean of torch\.int64"):
        launch(device, mean_of_integers, 2)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 9), st.integers(0, 40), st.integers(0, 8))
def test_any_number_of_threads_reduces_any_length(workers, length, root):
    root %= workers

    def main(worker):
        total = worker.comm.all_reduce(np.arange(length) * worker.rank)
        return total.tolist(), worker.comm.broadcast(np.array(root) if worker.rank == root else None, root)

    expected = (np.arange(length) * sum(range(workers))).tolist()
    assert launch(DEVICES["threads"], main, workers) == [(expected, root)] * workers
