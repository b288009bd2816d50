"""Averaging gradients over workers, a bucket at a time: with torch's DistributedDataParallel or a communicator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from inspect import signature
from typing import Any

import numpy as np
import torch
from torch import nn

from harness.errors import HarnessError
from harness.worker import Worker


class Average(ABC):
    """``model`` is what to call forward; after its backward pass and ``finish``, gradients are the workers' mean."""

    model: Callable[[torch.Tensor], torch.Tensor]

    @abstractmethod
    def finish(self, step: int) -> None:
        """Complete what the backward pass began."""


@contextmanager
def averaging(worker: Worker, model: nn.Module, *, bucket: int, backend: str = "auto") -> Iterator[Average]:
    """Choose between torch and the communicator."""
    if backend == "torch" and worker.torch_group is None:
        raise HarnessError(
            "torch has no process group here: ask for the backend communicator, or for a device that runs workers "
            "as processes"
        )
    if worker.torch_group is None or backend == "communicator" or worker.size == 1:
        yield ByCommunicator(worker, model, bucket)
    else:
        with worker.torch_group():
            yield ByTorch(worker, model, bucket)


class ByCommunicator(Average):
    """Buckets in the order in which the backward pass fills them, each all-reduced after it."""

    def __init__(self, worker: Worker, model: nn.Module, bucket: int) -> None:
        self.model = model
        self._worker = worker
        self._buckets = buckets([p for p in model.parameters() if p.requires_grad], bucket)

    def finish(self, step: int) -> None:
        """Average bucket after bucket."""
        if self._worker.size == 1:
            return
        for bucket in self._buckets:
            with self._worker.trace.span("all_reduce", step=step):
                if self._worker.job.numerics:
                    self._reduce(bucket)
                else:
                    self._worker.comm.all_reduce(_hollow(bucket))

    def _reduce(self, bucket: Sequence[nn.Parameter]) -> None:
        gradients = [_gradient(parameter) for parameter in bucket]
        mean = self._worker.comm.all_reduce(torch.cat([gradient.flatten() for gradient in gradients]), "mean")
        parts = torch.split(mean, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))


class ByTorch(Average):
    """DistributedDataParallel, which starts to average a bucket as soon as the backward pass has filled it.

    Bytes are counted as a ring's, 2 (m - 1) / m of each bucket, to the right. A span ``all_reduce``
    begins with the bucket and ends when torch calls it done, which nccl does when it is queued.
    """

    def __init__(self, worker: Worker, model: nn.Module, bucket: int) -> None:
        from torch.nn.parallel import DistributedDataParallel

        # All begin with the same weights, and statistics of batch normalization stay each worker's own.
        known = signature(DistributedDataParallel).parameters
        statistics = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
        options: dict[str, Any] = {"init_sync": False, statistics: False}
        parallel = DistributedDataParallel(model, bucket_cap_mb=bucket / 2**20, **options)
        # Torch looks at a hook's annotations, and wants types where there are strings.
        parallel.register_comm_hook(None, lambda _, bucket: self._average(bucket))
        self.model = parallel
        self._worker = worker
        self._averaged: list[tuple[int, float, float]] = []

    def finish(self, step: int) -> None:
        """Write down what was averaged; the hooks ran in threads of torch, and a trace has one writer."""
        worker, averaged = self._worker, sorted(self._averaged, key=lambda one: one[1:])
        self._averaged = []
        for size, start, end in averaged:
            worker.trace.add_span("all_reduce", start, end, step=step)
            amount = size * 2 * (worker.size - 1) // worker.size
            worker.trace.count("bytes_sent", amount, peer=(worker.rank + 1) % worker.size)

    def _average(self, bucket: Any) -> torch.futures.Future[torch.Tensor]:
        import torch.distributed as dist

        gradients: torch.Tensor = bucket.buffer()
        start = self._worker.trace.clock()
        gradients.div_(self._worker.size)

        def done(future: Any) -> torch.Tensor:
            self._averaged.append((gradients.nbytes, start, self._worker.trace.clock()))
            reduced: torch.Tensor = future.value()[0]
            return reduced

        work = dist.all_reduce(gradients, async_op=True)
        assert work is not None
        averaged: torch.futures.Future[torch.Tensor] = work.get_future().then(done)
        return averaged


def buckets(parameters: Sequence[nn.Parameter], size: int) -> list[list[nn.Parameter]]:
    """Parameters from the last to the first, in groups of at least ``size`` bytes but for the last group."""
    found: list[list[nn.Parameter]] = []
    held = size
    for parameter in reversed(parameters):
        if held >= size:
            found.append([])
            held = 0
        found[-1].append(parameter)
        held += parameter.nbytes
    return found


def _gradient(parameter: nn.Parameter) -> torch.Tensor:
    if parameter.grad is None:
        raise HarnessError(f"a parameter of shape {tuple(parameter.shape)} has no gradient: the loss must use them all")
    return parameter.grad


def _hollow(bucket: Sequence[nn.Parameter]) -> Any:
    """An array of a bucket's size whose elements are all one, for links that need no content."""
    return np.broadcast_to(np.zeros((), np.uint8), (sum(parameter.nbytes for parameter in bucket),))
