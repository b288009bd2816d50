"""NoScope's small network: two convolutions, from scratch, and for each class how sure it is (VLDB 2017, section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from harness_focus.costs import batches, multiply_adds
from harness_focus.pretrained import batch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_focus.footage import Footage
    from harness_focus.video import Image

SIDE = 50  # pixels, as NoScope has it
CHANNELS, HIDDEN = 32, 128
SAMPLES, EPOCHS, MINIBATCH, RATE = 4_000, 8, 64, 1e-3
CPU = torch.device("cpu")


class Binary:
    """Scores from 0 to 1 of each class that was taught, for crops."""

    def __init__(self, classes: int) -> None:
        self.network = nn.Sequential(
            nn.Conv2d(3, CHANNELS, 3, stride=2),
            nn.ReLU(),
            nn.Conv2d(CHANNELS, CHANNELS, 3, stride=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.LazyLinear(HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, classes),
        )

    @classmethod
    def taught(cls, footage: Footage, objects: NDArray[np.int64], classes: Sequence[int], *, seed: int) -> Binary:
        """A network taught to tell each of some classes from all else, on objects' labels."""
        rng = np.random.default_rng(seed)
        mine = rng.permutation(objects)[:SAMPLES]
        inputs = torch.cat([_inputs(crops) for crops in batches([footage.crops[n] for n in mine.tolist()])])
        targets = torch.from_numpy(footage.labels[mine][:, None] == np.array(classes)).float()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            binary = cls(len(classes))
            binary.network(inputs[:1])  # sizes its lazy layer
            binary._fit(inputs, targets, rng)
        return binary

    def _fit(self, inputs: Tensor, targets: Tensor, rng: np.random.Generator) -> None:
        optimizer = torch.optim.Adam(self.network.parameters(), RATE)
        for _ in range(EPOCHS):
            for chosen in torch.split(torch.from_numpy(rng.permutation(len(inputs))), MINIBATCH):
                optimizer.zero_grad()
                loss = binary_cross_entropy_with_logits(self.network(_mirrored(inputs[chosen], rng)), targets[chosen])
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()

    @property
    def multiply_adds(self) -> int:
        """Of one call."""
        return multiply_adds(lambda: self.network(torch.zeros(1, 3, SIDE, SIDE)))

    @torch.inference_mode()
    def __call__(self, crops: Sequence[Image]) -> NDArray[np.float32]:
        """(crops, classes)."""
        found = [self.network(_inputs(part)).sigmoid().numpy() for part in batches(crops)]
        return np.concatenate(found)


def _inputs(crops: Sequence[Image]) -> Tensor:
    return 2 * batch(crops, SIDE, CPU) - 1


def _mirrored(inputs: Tensor, rng: np.random.Generator) -> Tensor:
    """Half of the pictures, left and right exchanged."""
    turned = torch.from_numpy(rng.random(len(inputs)) < 0.5)
    return torch.where(turned[:, None, None, None], inputs.flip(3), inputs)
