"""A stage of torch's that leaves a trace: what it computes and when, and what it sends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.distributed import P2POp
from torch.distributed.pipelining import PipelineStage

if TYPE_CHECKING:
    from harness import Worker
    from harness_pipedream.models.layers import Part


class Journal:
    """What one worker does when. Between two pieces of work torch sends and waits: the span ``wait``."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.step = 0
        self._idle_since = worker.clock()

    def begin(self, step: int) -> None:
        """Begin a minibatch."""
        self.step = step
        self._idle_since = self.worker.clock()

    @contextmanager
    def work(self, name: str, *, peer: int = -1) -> Iterator[None]:
        """Record work, and the wait before it, for what ``peer`` sends."""
        worker = self.worker
        worker.trace.add_span("wait", self._idle_since, worker.clock(), step=self.step, peer=peer)
        with worker.work(name, step=self.step):
            yield
        self._idle_since = worker.trace.clock()

    def sent(self, operations: Sequence[P2POp]) -> None:
        """Count what torch is about to send."""
        for operation in operations:
            self.worker.trace.count("bytes_sent", operation.tensor.nbytes, step=self.step, peer=operation.peer)


class Single(nn.Module):
    """A part that gives its one tensor as such, in one piece of memory, as process groups send it."""

    def __init__(self, part: Part) -> None:
        super().__init__()
        self.part = part

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run the layers."""
        (output,) = self.part(x)
        return output.contiguous()  # type: ignore[no-any-return]


class RecordedStage(PipelineStage):
    """A stage whose shapes are known ahead, so that torch does not run it to find them out.

    Each operation that sends is asked for once by torch's schedules, when its tensor is there and goes
    to another worker: that is where bytes are counted. torch's handshake, 4 bytes a link each way
    before the first minibatch, is left out.
    """

    def __init__(self, part: Part, index: int, tensors: Sequence[torch.Tensor], journal: Journal) -> None:
        super().__init__(
            Single(part),
            index,
            len(tensors) - 1,
            torch.device(journal.worker.torch_device),
            input_args=tensors[index],
            output_args=tensors[index + 1],
        )
        self._journal = journal

    def forward_one_chunk(self, *args: Any, **options: Any) -> Any:
        """Run the layers on one microbatch."""
        with self._work("forward", self.stage_index - 1):
            return super().forward_one_chunk(*args, **options)

    def backward_one_chunk(self, *args: Any, **options: Any) -> None:
        """Run them backwards."""
        with self._work("backward", self.stage_index + 1):
            super().backward_one_chunk(*args, **options)

    def get_fwd_send_ops(self, fwd_chunk_id: int) -> list[P2POp]:
        """What sends a microbatch's activations."""
        operations = super().get_fwd_send_ops(fwd_chunk_id)
        self._journal.sent(operations)
        return operations

    def get_bwd_send_ops(self, bwd_chunk_id: int) -> list[P2POp]:
        """What sends the gradients of a microbatch's inputs."""
        operations = super().get_bwd_send_ops(bwd_chunk_id)
        self._journal.sent(operations)
        return operations

    @contextmanager
    def _work(self, name: str, source: int) -> Iterator[None]:
        journal = self._journal
        # Weights change only once a minibatch, after all of it.
        journal.worker.trace.value("version", journal.step, step=journal.step)
        with journal.work(name, peer=self.stage_index_to_group_rank.get(source, -1)):
            yield
