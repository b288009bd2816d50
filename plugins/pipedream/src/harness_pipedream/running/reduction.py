"""Summing a stage's gradients over its replicas while the backward pass goes on.

The backward pass reaches a stage's parameters from the last to the first. They are taken in buckets in that
order, on all replicas alike; a bucket whose gradients are all there is summed by a thread beside the backward
pass, and only what is not done by the round's end is waited for (Li et al.: PyTorch Distributed, VLDB 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import torch

from harness import Communicator
from harness_pipedream.running.buckets import BUCKET_BYTES, buckets

Sum = Callable[[], torch.Tensor]


class Reduction:
    """The sums of one round's gradients after another, in buckets of so many bytes.

    With a virtual clock threads would not exist in its time: unless it ``overlaps``, all is summed at the round's end.
    """

    def __init__(
        self,
        peers: Communicator,
        parameters: Sequence[torch.nn.Parameter],
        *,
        overlaps: bool = True,
        bucket_bytes: int = BUCKET_BYTES,
    ) -> None:
        self._peers = peers
        self._parameters = parameters
        self._buckets = buckets([parameter.nbytes for parameter in parameters], bucket_bytes)
        self._thread = ThreadPoolExecutor(1, "all_reduce") if overlaps else None
        self._given: dict[int, torch.Tensor] = {}
        self._under_way: list[Sum] = []

    def give(self, index: int, gradient: torch.Tensor) -> None:
        """Take a parameter's gradient, which is complete; start the next bucket if that fills it."""
        self._given[index] = gradient
        while self._waiting and all(index in self._given for index in self._waiting[0]):
            self._under_way.append(self._start(self._waiting[0]))

    def finish(self, gradients: Sequence[torch.Tensor | None]) -> list[torch.Tensor]:
        """Wait for all sums, in the order of the parameters; zeros stand for gradients that no backward gave."""
        for index, (gradient, parameter) in enumerate(zip(gradients, self._parameters, strict=True)):
            if index not in self._given:
                self.give(index, torch.zeros_like(parameter) if gradient is None else gradient)
        sums: dict[int, torch.Tensor] = {}
        for bucket, total in zip(self._buckets, self._under_way, strict=True):
            parts = torch.split(total(), [self._parameters[index].numel() for index in bucket])
            sums.update((i, part.view_as(self._parameters[i])) for i, part in zip(bucket, parts, strict=True))
        self._given, self._under_way = {}, []
        return [sums[index] for index in range(len(self._parameters))]

    @property
    def _waiting(self) -> list[list[int]]:
        return self._buckets[len(self._under_way) :]

    def _start(self, bucket: Sequence[int]) -> Sum:
        flat = torch.cat([self._given[index].reshape(-1) for index in bucket])
        if not self._thread:
            return lambda: self._peers.all_reduce(flat)
        future: Future[torch.Tensor] = self._thread.submit(self._peers.all_reduce, flat)
        return future.result
