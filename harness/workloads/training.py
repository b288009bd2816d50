"""The workload kind of minibatch training: a torch model, a loss, and data in memory."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from harness.components import Job, Serial, Workload
from harness.errors import HarnessError
from harness.trace import TraceWriter
from harness.worker import Worker

DEFAULT_GENERATOR = threading.Lock()
Split = Literal["even", "label", "dirichlet", "field"]

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray


class TrainingWorkload(Workload, Serial):
    """Minibatch SGD on a torch model; subclasses say which model and which data."""

    requires: ClassVar[tuple[str, ...]] = ("torch",)
    remedy: ClassVar[str] = "pip install 'paper-harness[torch]'"
    imports: ClassVar[tuple[str, ...]] = ("torch",)

    batch_size: PositiveInt = Field(64, description="samples a minibatch, all workers together")
    rate: PositiveFloat = Field(0.05, description="step size")
    rate_drops: tuple[PositiveInt, ...] = Field((), description="minibatches after which it falls to a tenth")
    momentum: NonNegativeFloat = Field(0.9, description="momentum of SGD")
    weight_decay: NonNegativeFloat = Field(0.0, description="L2 weight")
    evaluations: PositiveFloat = Field(2.0, description="evaluations an epoch")
    partitions: PositiveInt = Field(4, description="places that the samples are divided over, where they stay")
    split: Split = Field("even", description="how they are divided; a label's or a field's samples stay together")
    degree: float = Field(1.0, ge=0, le=1, description="share of the samples that go where their label does")
    alpha: PositiveFloat = Field(0.5, description="concentration of Dirichlet shares; the smaller, the more skew")

    @abstractmethod
    def model(self) -> torch.nn.Module:
        """Build the model; its initial weights come from torch's default generator, seeded by the caller."""

    @abstractmethod
    def train_set(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs (n, ...) and targets (n,), or (n, t) where the model's outputs are (n, classes, t)."""

    @abstractmethod
    def test_set(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Held-out inputs and targets, as in ``train_set``."""

    def field(self) -> NDArray[Any]:
        """What a split by field goes by: a value for each training sample."""
        raise HarnessError(f"{self.name} has no field to split by; use label or dirichlet")

    def partition(self, seed: int) -> list[NDArray[np.int64]]:
        """The training samples of each place, as indices; the same for a seed, whoever asks.

        Only parallelizers that leave data where they are ask for it. Raises ``HarnessError`` where a
        place could not fill its share of a minibatch.
        """
        import numpy as np

        from harness.workloads import partition

        labels, places = self.train_set()[1].numpy(), self.partitions
        if labels.ndim > 1 and self.split in ("label", "dirichlet"):
            raise HarnessError(f"{self.name} has no one label for a sample to split by; use even or field")
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0x5EED,)))
        if self.split == "label":
            parts = partition.by_label(labels, places, rng, degree=self.degree)
        elif self.split == "dirichlet":
            parts = partition.by_dirichlet(labels, places, rng, alpha=self.alpha)
        elif self.split == "field":
            parts = partition.by_field(self.field(), places)
        else:
            parts = partition.even(len(labels), places, rng)
        partition.check(parts, self.batch_size // places)
        return parts

    def prepare(self) -> None:
        """Load both sets; raises ``HarnessError`` where there is not one minibatch."""
        samples = len(self.train_set()[1])
        if samples < self.batch_size:
            raise HarnessError(f"{self.name} has {samples} samples, not one minibatch of {self.batch_size}; use more")
        self.test_set()

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy."""
        import torch

        return torch.nn.functional.cross_entropy(outputs, targets)

    def initial_model(self, seed: int, device: str = "cpu") -> torch.nn.Module:
        """The model with the initial weights that this seed gives, the same on every worker."""
        import torch

        # The generator is the process's own, and workers may be its threads.
        with DEFAULT_GENERATOR, torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.model().to(device)

    def rate_at(self, step: int) -> float:
        """The step size of a minibatch, counted from 0."""
        return self.rate * 0.1 ** sum(step >= drop for drop in self.rate_drops)

    def optimizer(self, model: torch.nn.Module) -> torch.optim.Optimizer:
        """SGD with the workload's momentum and weight decay; its step size falls as ``rate_drops`` says.

        It counts minibatches in its parameter groups (``minibatches``), so that its saved state goes on where it was.
        Where one update averages several, ``minibatches_an_update`` says so.
        """
        import torch

        made = torch.optim.SGD(model.parameters(), lr=self.rate, momentum=self.momentum, weight_decay=self.weight_decay)
        if self.rate_drops:
            made.register_step_pre_hook(self._drop_rate)
        return made

    def _drop_rate(self, optimizer: torch.optim.Optimizer, *_: object) -> None:
        for group in optimizer.param_groups:
            before = group.get("minibatches", 0)
            group["minibatches"] = before + group.get("minibatches_an_update", 1)
            # A factor, and not the rate itself: a parallelizer may have scaled that.
            group["lr"] *= self.rate_at(group["minibatches"] - 1) / self.rate_at(max(0, before - 1))

    def batches(self, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """One epoch's minibatches, as indices into the training set; a last partial one is dropped."""
        order = rng.permutation(len(self.train_set()[1]))
        for start in range(0, len(order) - self.batch_size + 1, self.batch_size):
            yield order[start : start + self.batch_size]

    def evaluate(self, model: torch.nn.Module, trace: TraceWriter, step: int, device: str = "cpu") -> None:
        """Record ``loss`` and ``accuracy`` on the test set, everyone else being paused."""
        with trace.span("evaluate", step=step):
            model.eval()
            loss, accuracy = self.scores(model, device)
            model.train()
            trace.value("loss", loss, step=step)
            trace.value("accuracy", accuracy, step=step)

    def scores(self, model: Callable[[torch.Tensor], torch.Tensor], device: str = "cpu") -> tuple[float, float]:
        """Loss and accuracy on the test set of a model, or of anything that maps inputs to outputs."""
        import torch

        inputs, targets = self.test_set()
        with torch.no_grad():
            outputs = torch.cat([model(part.to(device)).cpu() for part in torch.split(inputs, 1024)])
            return float(self.loss(outputs, targets)), float((outputs.argmax(1) == targets).float().mean())

    def serial(self, job: Job[Any]) -> None:
        """Train with one worker on the job's device."""
        job.launch(train_serially, 1)


def train_serially(worker: Worker) -> None:
    """Plain minibatch SGD, the reference for every way to divide it."""
    import torch

    job, device = worker.job, worker.torch_device
    workload: TrainingWorkload = job.workload
    inputs, targets = (tensor.to(device) for tensor in workload.train_set())
    model = workload.initial_model(job.seed, device)
    optimizer = workload.optimizer(model)
    per_epoch = len(targets) // workload.batch_size
    pace = max(1, round(per_epoch / workload.evaluations))
    step = 0
    while not job.spent(epochs=step / per_epoch, steps=step):
        for batch in workload.batches(job.rng(step)):
            chosen = torch.from_numpy(batch).to(device)
            with worker.work("step", step=step):
                optimizer.zero_grad()
                workload.loss(model(inputs[chosen]), targets[chosen]).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            worker.trace.count("samples", len(batch))
            step += 1
            if step % pace == 0:
                workload.evaluate(model, worker.trace, step, device)
            if job.spent(epochs=step / per_epoch, steps=step):
                break
    if step % pace:
        workload.evaluate(model, worker.trace, step, device)
