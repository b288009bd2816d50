"""YOLOv3-tiny (Redmon and Farhadi 2018), read from Darknet's own file of weights.

Thirteen convolutions, of which two give detections on grids of 1/32 and 1/16 of the picture's side. Each cell of a
grid has three anchors; each anchor a box, how sure there is an object, and how sure it is of each class.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

ANCHORS = 3
STEM = ((3, 16), (16, 32), (32, 64), (64, 128), (128, 256))


def _conv(inputs: int, outputs: int, kernel: int = 3) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.1))


class YoloTiny(nn.Module):
    """The network; ``forward`` gives, for each picture, how sure it is that an object of each class is somewhere."""

    def __init__(self, classes: int = 80) -> None:
        super().__init__()
        self.classes = classes
        outputs = ANCHORS * (classes + 5)
        self.stem = nn.ModuleList(_conv(*channels) for channels in STEM)
        self.deep = nn.Sequential(_conv(256, 512), _SamePool(), _conv(512, 1024), _conv(1024, 256, 1))
        self.coarse = nn.Sequential(_conv(256, 512), nn.Conv2d(512, outputs, 1))
        self.lift = nn.Sequential(_conv(256, 128, 1), nn.Upsample(scale_factor=2))
        self.fine = nn.Sequential(_conv(384, 256), nn.Conv2d(256, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(pictures, classes) of (pictures, 3, side, side) from 0 to 1; sides are multiples of 32."""
        for n, layer in enumerate(self.stem):
            shallow = layer(x)
            x = nn.functional.max_pool2d(shallow, 2) if n < len(self.stem) - 1 else shallow
        deep = self.deep(nn.functional.max_pool2d(shallow, 2))
        grids = (self.coarse(deep), self.fine(torch.cat([self.lift(deep), shallow], 1)))
        return torch.cat([self._sureness(grid) for grid in grids], 1).amax(1)

    def _sureness(self, grid: Tensor) -> Tensor:
        """(pictures, anchors and cells, classes): that there is an object, times that it is of the class."""
        pictures, _, height, width = grid.shape
        cells = grid.view(pictures, ANCHORS, self.classes + 5, height, width).movedim(2, -1).flatten(1, 3)
        sureness: Tensor = cells[..., 4:5].sigmoid() * cells[..., 5:].sigmoid()
        return sureness

    def load_darknet(self, path: Path) -> None:
        """Read weights in Darknet's order: layer by layer, biases (or batch norm) first."""
        numbers = torch.from_numpy(np.fromfile(path, dtype=np.float32, offset=20))
        reader = _Reader(numbers)
        layers = list(self.modules())
        for n, layer in enumerate(layers):
            if isinstance(layer, nn.Conv2d):
                norm = layers[n + 1] if n + 1 < len(layers) else None
                if isinstance(norm, nn.BatchNorm2d):
                    reader.fill(norm.bias, norm.weight, norm.running_mean, norm.running_var)
                else:
                    reader.fill(layer.bias)
                reader.fill(layer.weight)
        assert reader.at == len(numbers), f"{len(numbers) - reader.at} numbers are left over"


class _SamePool(nn.Module):
    """A maximum over two by two pixels that keeps the size: Darknet pads at the right and below."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.max_pool2d(nn.functional.pad(x, (0, 1, 0, 1), value=float("-inf")), 2, stride=1)


class _Reader:
    def __init__(self, numbers: Tensor) -> None:
        self.numbers, self.at = numbers, 0

    def fill(self, *tensors: Tensor | None) -> None:
        for tensor in tensors:
            assert tensor is not None
            with torch.no_grad():
                tensor.copy_(self.numbers[self.at : self.at + tensor.numel()].view_as(tensor))
            self.at += tensor.numel()
