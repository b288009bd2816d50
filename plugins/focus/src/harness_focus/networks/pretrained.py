"""Networks that are published with their weights, as ingest and queries use them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from harness import HarnessError
from harness_focus.declared import EFFICIENTNETS, YOLO
from harness_focus.networks import OTHER
from harness_focus.networks.efficientnet import EfficientNetLite
from harness_focus.networks.known import coco_names, imagenet_names, lite_identity, yolo_identity
from harness_focus.networks.yolo import YoloTiny

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_focus.video.reading import Image

SURE = 0.1  # under this, what YOLO sees is nothing that it knows


class Lite:
    """EfficientNet-Lite on crops of ``side`` pixels: features, probabilities, or labels of ImageNet."""

    def __init__(self, variant: str = "lite0", *, side: int = 224, device: str = "cpu") -> None:
        self.side, self.device = side, torch.device(device)
        self.identity = lite_identity(variant, side)
        self.classes = imagenet_names()
        self.network = published(variant).to(self.device)

    @torch.inference_mode()
    def __call__(self, crops: Sequence[Image]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Features of unit length, (crops, 1280), and probabilities, (crops, 1000)."""
        features = self.network.embed(2 * batch(crops, self.side, self.device) - 1)
        probabilities = self.network.classifier(features).softmax(1)
        return normalize(features).cpu().numpy(), probabilities.cpu().numpy()


class Labels:
    """The same network where it is the expensive one: the likeliest class of each crop."""

    def __init__(self, variant: str = "lite2", *, side: int = 224, device: str = "cpu") -> None:
        self._network = Lite(variant, side=side, device=device)
        self.identity, self.classes = self._network.identity, self._network.classes

    def __call__(self, crops: Sequence[Image]) -> list[str]:
        """A label for each crop."""
        return [self.classes[n] for n in self._network(crops)[1].argmax(1)]


class Yolo:
    """YOLOv3-tiny on crops: the surest of COCO's 80 kinds, or OTHER."""

    def __init__(self, *, side: int = 224, device: str = "cpu") -> None:
        if side % 32:
            raise HarnessError(f"YOLO's pictures have sides that are multiples of 32, not {side}")
        self.side, self.device = side, torch.device(device)
        self.identity = yolo_identity(side)
        self.classes = coco_names()
        self.network = YoloTiny(len(self.classes))
        self.network.load_darknet(YOLO.path("yolov3-tiny.weights"))
        self.network.eval().to(self.device)

    @torch.inference_mode()
    def __call__(self, crops: Sequence[Image]) -> list[str]:
        """A label for each crop."""
        sureness, best = self.network(batch(crops, self.side, self.device)).max(1)
        return [
            self.classes[n] if sure > SURE else OTHER for n, sure in zip(best.tolist(), sureness.tolist(), strict=True)
        ]


def batch(crops: Sequence[Image], side: int, device: torch.device) -> Tensor:
    """Crops as one tensor, (crops, 3, side, side), from 0 to 1; shapes are stretched."""
    stacked = np.stack([cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA) for crop in crops])
    tensor = torch.from_numpy(stacked).to(device).permute(0, 3, 1, 2).float() / 255
    return tensor.contiguous(memory_format=torch.channels_last)


def published(variant: str, *, classes: int = 1000, blocks: int | None = None) -> EfficientNetLite:
    """EfficientNet-Lite with its published weights, as far as it has them; ready to classify."""
    dataset = EFFICIENTNETS[variant]
    network = EfficientNetLite(variant, classes=classes, blocks=blocks)
    network.load_published(torch.load(dataset.path(dataset.members[0].file_name), weights_only=True))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
    return network.eval()
