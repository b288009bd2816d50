"""EfficientNet-Lite (Tan and Le, ICML 2019; the lite variants have ReLU6 and no squeeze-and-excitation).

A stem, inverted bottlenecks, a head of 1x1 convolutions, the mean over the picture, and a linear layer. Any size of
picture will do; the published weights were trained at 224 (lite0) to 260 (lite2) pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

# kernel, stride, expansion, channels, repeats (Tan and Le, table 1)
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
SCALES = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2)}  # width, depth
STEM, HEAD = 32, 1280


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow does, where the weights come from: more at the right and below."""

    def forward(self, x: Tensor) -> Tensor:
        """Pad, then convolve."""
        high, wide = (_padding(size, self.kernel_size[0], self.stride[0]) for size in x.shape[-2:])
        if high % 2 or wide % 2:  # a convolution's own padding, which copies nothing, is the same on all sides
            x, high, wide = functional.pad(x, (wide // 2, wide - wide // 2, high // 2, high - high // 2)), 0, 0
        return functional.conv2d(x, self.weight, self.bias, self.stride, (high // 2, wide // 2), 1, self.groups)


def _padding(size: int, kernel: int, stride: int) -> int:
    return max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)


def _layer(inputs: int, outputs: int, kernel: int = 1, *, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    conv = SameConv(inputs, outputs, kernel, stride, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01)]


class Bottleneck(nn.Sequential):
    """An inverted bottleneck: expand, convolve each channel, project; with a skip connection where shapes agree."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int, expansion: int) -> None:
        inner = inputs * expansion
        expand = [*_layer(inputs, inner), nn.ReLU6()] if expansion > 1 else []
        depthwise = [*_layer(inner, inner, kernel, stride=stride, groups=inner), nn.ReLU6()]
        super().__init__(*expand, *depthwise, *_layer(inner, outputs))
        self.skips = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Run the layers."""
        y: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return x + y if self.skips else y


class EfficientNetLite(nn.Module):
    """The network; ``blocks`` keeps that many of its bottlenecks (16 or more in all) and leaves out the head."""

    def __init__(self, variant: str = "lite0", *, classes: int = 1000, blocks: int | None = None) -> None:
        super().__init__()
        width, depth = SCALES[variant]
        bottlenecks = list(_bottlenecks(width, depth))
        kept = bottlenecks[:blocks]
        last = [m for m in kept[-1] if isinstance(m, nn.BatchNorm2d)][-1].num_features
        head = [*_layer(last, HEAD), nn.ReLU6()] if blocks is None else []
        self.body = nn.Sequential(*_layer(3, STEM, 3, stride=2), nn.ReLU6(), *kept, *head)
        self.features = HEAD if blocks is None else last
        self.classifier = nn.Linear(self.features, classes)

    def embed(self, x: Tensor) -> Tensor:
        """The penultimate layer's features, (pictures, features), of (pictures, 3, height, width) from -1 to 1."""
        y: Tensor = self.body(x)
        return y.mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (pictures, classes)."""
        y: Tensor = self.classifier(self.embed(x))
        return y

    def load_published(self, state: Mapping[str, Tensor]) -> None:
        """Take published weights, whose names differ and whose order is ours; what this network lacks is left out."""
        order = [*_names(state, "_conv_stem", "_bn0"), *(n for n in state if n.startswith("_blocks."))]
        own = self.state_dict()
        body = [name for name in own if name.startswith("body.")]
        if len(order) < len(body):
            order += _names(state, "_conv_head", "_bn1")
        found = {name: state[theirs] for name, theirs in zip(body, order, strict=False)}
        if self.classifier.out_features == len(state["_fc.bias"]) and self.features == HEAD:
            found |= {"classifier.weight": state["_fc.weight"], "classifier.bias": state["_fc.bias"]}
        self.load_state_dict({**own, **found})


def _names(state: Mapping[str, Tensor], *modules: str) -> list[str]:
    return [name for name in state if name.rpartition(".")[0] in modules]


def _bottlenecks(width: float, depth: float) -> Iterator[Bottleneck]:
    channels = [STEM, *(_rounded(c * width) for _, _, _, c, _ in STAGES)]
    for n, ((kernel, stride, expansion, _, repeats), (inputs, outputs)) in enumerate(
        zip(STAGES, pairwise(channels), strict=True)
    ):
        fixed = n in (0, len(STAGES) - 1)  # the lite variants do not deepen the first and the last stage
        for repeat in range(repeats if fixed else math.ceil(repeats * depth)):
            yield Bottleneck(
                outputs if repeat else inputs, outputs, kernel, stride=1 if repeat else stride, expansion=expansion
            )


def _rounded(channels: float, divisor: int = 8) -> int:
    """A multiple of eight, at most a tenth less (Tan and Le's own code)."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded
