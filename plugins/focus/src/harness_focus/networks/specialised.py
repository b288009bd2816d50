"""Cheap networks specialised to a stream: few layers on small pictures, and the stream's own classes (section 4.3).

A network that was published for ImageNet is cut off after its first blocks; a layer on what is left gives a short
feature vector, and a last one the probabilities of the stream's Ls most frequent classes and OTHER. The blocks keep
their weights or go on learning. A network of three convolutions, from scratch, is the cheapest.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils.fusion import fuse_conv_bn_eval

from harness import HarnessError
from harness_focus.networks.efficientnet import EfficientNetLite
from harness_focus.networks.pretrained import batch, published

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_focus.video.reading import Image

VARIANT = "lite0"
FEATURES = 64  # of the vector that is clustered
CHANNELS = (16, 32, 64)  # of the network from scratch
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Architecture:
    """What a network is made of.

    Pictures of ``side`` pixels; ``blocks`` of the published network, 0 for one from scratch.
    """

    side: int
    blocks: int

    def __str__(self) -> str:
        kind = f"{self.blocks} blocks" if self.blocks else "from scratch"
        return f"{self.side} pixels, {kind}"

    def body(self, *, weights: bool) -> EfficientNetLite | Scratch:
        """The layers below the features; with published weights, or for weights that are loaded later."""
        if not self.blocks:
            return Scratch()
        if weights:
            return published(VARIANT, classes=1, blocks=self.blocks)
        return EfficientNetLite(VARIANT, classes=1, blocks=self.blocks)


class Scratch(nn.Module):
    """Three convolutions, each at half the resolution of the one before."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise((3, *CHANNELS)):
            conv = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
            layers += [conv, nn.BatchNorm2d(outputs), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.features = CHANNELS[-1]

    def embed(self, x: Tensor) -> Tensor:
        """(pictures, features), of (pictures, 3, height, width)."""
        y: Tensor = self.body(x)
        return y.mean((2, 3))


class Layers(nn.Module):
    """The network: a body, the features that are clustered, and the classes' logits."""

    def __init__(self, body: EfficientNetLite | Scratch, classes: int) -> None:
        super().__init__()
        self.body = body
        self.hidden = nn.Sequential(nn.Linear(body.features, FEATURES), nn.ReLU())
        self.classifier = nn.Linear(FEATURES, classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features and logits, of pictures from -1 to 1."""
        features: Tensor = self.hidden(self.body.embed(x))
        return features, self.classifier(features)


class Specialised:
    """A cheap network for one stream, ready to run; ``classes`` are its own and OTHER."""

    def __init__(self, architecture: Architecture, classes: Sequence[str], layers: Layers) -> None:
        self.architecture, self.classes = architecture, tuple(classes)
        self._state = {name: value.clone() for name, value in layers.state_dict().items()}
        self.identity = f"specialised, {architecture}, {_digest(self._state)[:12]}"
        self._layers = folded(layers.eval()).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def __call__(self, crops: Sequence[Image]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Features of unit length, (crops, 64), and probabilities, (crops, classes)."""
        features, logits = self._layers(2 * batch(crops, self.architecture.side, CPU) - 1)
        return normalize(features).numpy(), logits.softmax(1).numpy()

    def save(self, folder: Path) -> Path:
        """Write one file, named by its content."""
        held: dict[str, Any] = {"architecture": asdict(self.architecture), "classes": self.classes}
        buffer = io.BytesIO()
        torch.save({**held, "state": self._state}, buffer)
        path = folder / f"specialised-{_digest(self._state)[:16]}.pt"
        path.write_bytes(buffer.getvalue())
        return path

    @classmethod
    def load(cls, path: Path) -> Specialised:
        """Read what ``save`` wrote. Raises HarnessError for any other file."""
        try:
            held = torch.load(path, weights_only=True)
            architecture, classes = Architecture(**held["architecture"]), held["classes"]
            layers = Layers(architecture.body(weights=False), len(classes))
            layers.load_state_dict(held["state"])
        except Exception as error:  # torch raises errors of many kinds
            raise HarnessError(f"is no specialised network: {error}".split("\n")[0], where=str(path)) from None
        return cls(architecture, classes, layers)


def folded(module: nn.Module) -> nn.Module:
    """Take batch normalisations into the convolutions before them, which runs faster and gives the same."""
    for child in module.children():
        folded(child)
    names = list(module._modules)
    for name, following in pairwise(names):
        conv, norm = module._modules[name], module._modules[following]
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            module._modules[name] = fuse_conv_bn_eval(conv, norm)
            module._modules[following] = nn.Identity()
    return module


def _digest(state: dict[str, Tensor]) -> str:
    content = sha256()
    for name in sorted(state):
        content.update(name.encode() + state[name].contiguous().numpy().tobytes())
    return content.hexdigest()
