"""Sums over replicas, begun in the backward pass, against the plain sum."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, get_ident
from typing import Any, cast

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from harness import Communicator
from harness_pipedream.running.buckets import buckets
from harness_pipedream.running.reduction import Reduction
from harness_pipedream.running.stage import ModelStage

PEERS = 3


class Peers:
    """Replicas that all have the same gradients."""

    def __init__(self, before: Callable[[], object] = lambda: None) -> None:
        self.sizes: list[int] = []
        self.threads: set[int] = set()
        self._before = before

    def all_reduce(self, array: torch.Tensor) -> torch.Tensor:
        self._before()
        self.sizes.append(array.numel())
        self.threads.add(get_ident())
        return PEERS * array


class Part(nn.Sequential):
    """Two dense layers, as one stage."""

    inputs = (0,)
    outputs = (1,)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        return (super().forward(x),)


def reduction(peers: Peers, parameters: list[nn.Parameter], **options: Any) -> Reduction:
    return Reduction(cast("Communicator", peers), parameters, **options)


@given(st.lists(st.integers(0, 50)), st.integers(1, 100))
def test_buckets_hold_all_from_the_last_to_the_first_and_are_no_larger_than_they_have_to_be(
    sizes: list[int], limit: int
) -> None:
    found = buckets(sizes, limit)
    assert [index for bucket in found for index in bucket] == list(reversed(range(len(sizes))))
    for bucket in found[:-1]:
        assert sum(sizes[index] for index in bucket) >= limit
    for bucket in found:
        assert sum(sizes[index] for index in bucket[:-1]) < limit


@given(st.permutations(range(6)), st.sets(st.integers(0, 5)), st.integers(1, 200), st.booleans())
def test_gradients_come_back_summed_in_whatever_order_they_came(
    order: list[int], missing: set[int], limit: int, overlaps: bool
) -> None:
    parameters = [nn.Parameter(torch.zeros(index + 1, 2)) for index in range(6)]
    peers = Peers()
    sums = reduction(peers, parameters, overlaps=overlaps, bucket_bytes=limit)
    for turn in (1, 2):
        gradients = [None if i in missing else torch.full((i + 1, 2), float(turn + i)) for i in range(6)]
        for index in order:
            if (gradient := gradients[index]) is not None:
                sums.give(index, gradient)
        for index, total in enumerate(sums.finish(gradients)):
            given_ = gradients[index]
            assert torch.equal(total, torch.zeros(index + 1, 2) if given_ is None else PEERS * given_)
    sizes = [sum(parameters[i].numel() for i in bucket) for bucket in buckets([p.nbytes for p in parameters], limit)]
    assert peers.sizes == 2 * sizes


def test_the_last_layers_sum_is_under_way_before_the_backward_pass_is_over() -> None:
    begun = Event()
    seen: list[bool] = []

    class Waiting(torch.autograd.Function):
        """In the middle of the backward pass, wait for the sum of what lies behind."""

        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
            seen.append(begun.wait(30))
            return gradient

    class Pause(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return cast("torch.Tensor", Waiting.apply(x))

    part = Part(nn.Linear(4, 4, bias=False), Pause(), nn.Linear(4, 4, bias=False))
    stage = ModelStage(part, lambda module: torch.optim.SGD(module.parameters(), lr=0.1))
    peers = Peers(begun.set)
    stage._reduction = reduction(peers, stage.weights.newest, bucket_bytes=1)
    (output,) = stage.forward(0, 0, (torch.ones(2, 4),))
    stage.backward(0, 0, (torch.ones_like(output),), closing=True)
    assert seen == [True]
    alone = [gradient.clone() for gradient in stage.weights.gradients if gradient is not None]
    stage.reduce()
    assert peers.sizes == [16, 16]
    assert get_ident() not in peers.threads
    for total, gradient in zip(stage.weights.gradients, alone, strict=True):
        assert total is not None
        assert torch.equal(total, PEERS * gradient)


def test_backwards_of_one_round_add_up_before_they_are_summed() -> None:
    part = Part(nn.Linear(3, 2))
    stage = ModelStage(part, lambda module: torch.optim.SGD(module.parameters(), lr=0.1))
    stage.join(cast("Communicator", Peers()), overlaps=True)
    units = [torch.randn(5, 3) for _ in range(2)]
    for unit, x in enumerate(units):
        (output,) = stage.forward(unit, 0, (x,))
        stage.backward(unit, 0, (torch.ones_like(output),), closing=unit == 1)
    stage.reduce()
    weight, bias = stage.weights.gradients
    assert weight is not None
    assert bias is not None
    torch.testing.assert_close(weight, PEERS * sum(x.sum(0) for x in units).expand(2, 3))
    torch.testing.assert_close(bias, torch.full((2,), PEERS * 10.0))
