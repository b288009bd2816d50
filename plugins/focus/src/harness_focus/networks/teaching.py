"""Teaching a specialised network, on the labels that the expensive network gave a sample of the stream.

Every class is shown about as often as any other; pictures are mirrored, moved, scaled and lit differently each time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, cross_entropy, grid_sample

from harness.workloads.training import DEFAULT_GENERATOR
from harness_focus.networks import OTHER
from harness_focus.networks.specialised import Architecture, Layers, Specialised

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_focus.video.reading import Image

STEPS, MINIBATCH = 300, 64  # of a training, unless told otherwise; crops of a step
RATE, SLOWER = 3e-3, 0.2  # Adam's; published blocks learn so much slower
SMOOTHING = 0.05  # of the labels, so that the second and third class mean something
SHIFT, SCALE, LIGHT = 0.12, 0.15, 0.2  # shares by which a picture is changed


def specialise(
    crops: Sequence[Image],
    labels: NDArray[np.int64],
    classes: Sequence[str],
    architecture: Architecture,
    *,
    most: int,
    steps: int = STEPS,
    seed: int,
) -> Specialised:
    """Teach a network the ``most`` most frequent of the classes that the labels show, and OTHER for the rest."""
    own = [number for number in frequent(labels, most + 1) if classes[number] != OTHER][:most]
    targets = np.full(len(classes), len(own), dtype=np.int64)
    targets[own] = np.arange(len(own))
    pictures = np.stack([_small(crop, architecture.side) for crop in crops])
    with DEFAULT_GENERATOR, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = Layers(architecture.body(weights=True), len(own) + 1)
    _fit(layers, architecture, torch.from_numpy(pictures), targets[labels], steps, np.random.default_rng(seed))
    return Specialised(architecture, [*(classes[n] for n in own), OTHER], layers)


def frequent(labels: NDArray[np.int64], most: int) -> list[int]:
    """The most frequent classes, at most so many; one that is not there is none of them."""
    counts = np.bincount(labels)
    order = np.argsort(-counts, kind="stable")
    return [int(label) for label in order[:most] if counts[label]]


def _small(crop: Image, side: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _fit(
    layers: Layers,
    architecture: Architecture,
    pictures: Tensor,
    targets: NDArray[np.int64],
    steps: int,
    rng: np.random.Generator,
) -> None:
    optimizer = torch.optim.AdamW(_groups(layers, architecture), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _warmth(step / steps))
    layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
    layers.train()
    shares = 1 / np.bincount(targets)[targets]
    for _ in range(steps):
        some = rng.choice(len(targets), MINIBATCH, p=shares / shares.sum())
        optimizer.zero_grad()
        _, logits = layers(varied(pictures[some], rng))
        loss = cross_entropy(logits, torch.from_numpy(targets[some]), label_smoothing=SMOOTHING)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()


def _groups(layers: Layers, architecture: Architecture) -> list[dict[str, object]]:
    """What learns, and how fast."""
    top: list[nn.Parameter] = [*layers.hidden.parameters(), *layers.classifier.parameters()]
    body = [*layers.body.body.parameters()]
    if not architecture.blocks:
        return [{"params": top + body, "lr": RATE}]
    return [{"params": top, "lr": RATE}, {"params": body, "lr": RATE * SLOWER}]


def _warmth(done: float, rise: float = 0.1) -> float:
    """The step size over the training: a short rise, then half a cosine."""
    return max(done / rise, 0.02) if done < rise else 0.5 + 0.5 * math.cos(math.pi * (done - rise) / (1 - rise))


def varied(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Pictures, (n, side, side, 3) bytes, as (n, 3, side, side) from -1 to 1, each changed at random."""
    count = len(pictures)
    images = pictures.permute(0, 3, 1, 2).float() / 127.5 - 1
    maps = np.zeros((count, 2, 3))
    maps[:, 0, 0] = rng.uniform(1 - SCALE, 1 + SCALE, count) * rng.choice([-1, 1], count)
    maps[:, 1, 1] = rng.uniform(1 - SCALE, 1 + SCALE, count)
    maps[:, :, 2] = rng.uniform(-SHIFT, SHIFT, (count, 2))
    grid = affine_grid(torch.from_numpy(maps).float(), list(images.shape), align_corners=False)
    moved = grid_sample(images, grid, padding_mode="border", align_corners=False)
    light = torch.from_numpy(rng.uniform(1 - LIGHT, 1 + LIGHT, (count, 1, 1, 1))).float()
    lit = ((moved + 1) * light - 1).clamp(-1, 1)
    return lit.contiguous(memory_format=torch.channels_last)
