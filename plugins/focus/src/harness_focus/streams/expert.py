"""The expensive network of composed streams: EfficientNet-Lite taught the streams' kinds, trained once and kept.

Its body keeps the published weights; a linear layer on its features learns the kinds, from cut-outs placed before the
streams' background as they look there. One cut-out in four is held out, and measures it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from harness_focus.declared import SURVEILLANCE
from harness_focus.kept import digest, kept, named
from harness_focus.networks import EXPENSIVE_BATCH, batches, labelled
from harness_focus.networks.pretrained import batch, published
from harness_focus.networks.specialised import folded
from harness_focus.streams.cutouts import CUTOUTS, KINDS, divided
from harness_focus.streams.examples import Studio

if TYPE_CHECKING:
    from harness_focus.networks.efficientnet import EfficientNetLite
    from harness_focus.video.reading import Image

VARIANT, SIDE = "lite2", 160
EXAMPLES = 2_000
DECAY = 1e-4
STEPS = 200
VERSION = 2


class Expert:
    """Labels crops with the kinds of a composed stream."""

    def __init__(self, *, device: str = "cpu") -> None:
        name = f"expert-{named(VERSION, VARIANT, SIDE, EXAMPLES, *(m.sha256 for m in CUTOUTS.members))}.pt"
        weights = kept(name, _train)
        self.device, self.classes = torch.device(device), KINDS
        self.identity = f"efficientnet-{VARIANT} for {len(KINDS)} kinds, {SIDE} pixels, {digest(weights)[:12]}"
        self.network = _body()
        self.network.classifier.load_state_dict(torch.load(weights, weights_only=True))
        self.network.to(self.device)

    @torch.inference_mode()
    def __call__(self, crops: Sequence[Image]) -> list[str]:
        """A label for each crop."""
        logits = self.network(2 * batch(crops, SIDE, self.device) - 1)
        return [KINDS[n] for n in logits.argmax(1).tolist()]


def accuracy(expert: Expert, count: int, *, seed: int = 2) -> float:
    """The share that the network has right of so many pictures of held-out cut-outs, kinds equally often."""
    crops, kinds = Studio(divided()[1], _scene(), seed=seed).pictures(count)
    called = labelled(crops, expert)
    return float(np.mean([KINDS[kind] == label for kind, label in zip(kinds, called, strict=True)]))


def _scene() -> Path:
    return SURVEILLANCE.path("vtest.avi")


def _body() -> EfficientNetLite:
    network = published(VARIANT, classes=len(KINDS))
    folded(network)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
    return network


def _train(target: Path) -> None:
    network = _body()
    crops, kinds = Studio(divided()[0], _scene(), seed=1).pictures(EXAMPLES)
    fit(network.classifier, _features(network, crops), torch.from_numpy(kinds))
    torch.save(network.classifier.state_dict(), target)


@torch.no_grad()
def _features(network: EfficientNetLite, crops: Sequence[Image]) -> Tensor:
    device = torch.device("cpu")
    return torch.cat([network.embed(2 * batch(part, SIDE, device) - 1) for part in batches(crops, EXPENSIVE_BATCH)])


def fit(layer: torch.nn.Linear, features: Tensor, kinds: Tensor) -> None:
    """Multinomial logistic regression with L2 weight ``DECAY``."""
    for parameter in layer.parameters():
        torch.nn.init.zeros_(parameter)
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=STEPS, line_search_fn="strong_wolfe")

    def risk() -> Tensor:
        optimizer.zero_grad()
        loss = cross_entropy(layer(features), kinds) + DECAY * (layer.weight**2).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(risk)  # type: ignore[no-untyped-call]
