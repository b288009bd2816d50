"""The models of the core's workloads: sequences of layers, each of which gives one tensor, so that they can be cut."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

Normalizer = Callable[[int], list[nn.Module]]


def normalizer(kind: str, groups: int) -> Normalizer:
    """What follows a convolution of so many channels: nothing, batch, group or layer normalization."""
    if kind == "batch":
        return lambda channels: [nn.BatchNorm2d(channels)]
    if kind == "none":
        return lambda channels: []
    # Over all channels and pixels of a sample, a single group is layer normalization.
    return lambda channels: [nn.GroupNorm(1 if kind == "layer" else groups, channels)]


def convolution(inputs: int, outputs: int, normalize: Normalizer, *, stride: int = 1) -> list[nn.Module]:
    """Three by three pixels, padded; the bias is left to the normalization if there is one."""
    norms = normalize(outputs)
    return [nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=not norms), *norms]


def lenet(side: int, classes: int, normalize: Normalizer) -> nn.Sequential:
    """Two convolutions, each pooled, and one dense layer."""
    layers = [*convolution(1, 16, normalize), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [*convolution(16, 32, normalize), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * (side // 4) ** 2, classes))


def vgg(side: int, classes: int, normalize: Normalizer, *, channels: int, dense: int) -> nn.Sequential:
    """Pairs of convolutions at full and at half resolution, then three dense layers with most of the parameters."""
    layers: list[nn.Module] = []
    before = 1
    for width in (channels, 2 * channels):
        for inputs in (before, width):
            layers += [*convolution(inputs, width, normalize), nn.ReLU()]
        layers.append(nn.MaxPool2d(2))
        before = width
    flat = before * (side // 4) ** 2
    layers += [nn.Flatten(), nn.Linear(flat, dense), nn.ReLU(), nn.Linear(dense, dense), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(dense, classes))


class Block(nn.Module):
    """Two convolutions beside a shortcut, which is a projection where shapes change (He et al., CVPR 2016)."""

    def __init__(self, inputs: int, outputs: int, normalize: Normalizer, *, stride: int = 1) -> None:
        super().__init__()
        first = convolution(inputs, outputs, normalize, stride=stride)
        self.body = nn.Sequential(*first, nn.ReLU(), *convolution(outputs, outputs, normalize))
        changes = stride > 1 or inputs != outputs
        projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        self.shortcut = nn.Sequential(projection, *normalize(outputs)) if changes else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add what the convolutions found to the input."""
        return torch.relu(self.body(x) + self.shortcut(x))


def resnet(classes: int, normalize: Normalizer, *, channels: int, blocks: int) -> nn.Sequential:
    """Blocks at three resolutions, averaged over all pixels: 6 blocks + 2 layers deep."""
    layers: list[nn.Module] = [*convolution(1, channels, normalize), nn.ReLU()]
    before = channels
    for stage in range(3):
        width = channels << stage
        for block in range(blocks):
            layers.append(Block(before, width, normalize, stride=2 if stage and not block else 1))
            before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes))


class Recurrent(nn.Module):
    """One LSTM layer (n, t, inputs) -> (n, t, hidden); its state begins at zero with each sequence."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Leave out the last state, which nobody needs."""
        outputs: torch.Tensor = self.lstm(x)[0]
        return outputs


class Scores(nn.Module):
    """A dense layer over each place of a sequence, classes before places (n, classes, t), as the loss wants them."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score the classes."""
        scores: torch.Tensor = self.dense(x)
        return scores.transpose(1, 2)


def language_model(vocabulary: int, *, embedding: int, hidden: int, layers: int) -> nn.Sequential:
    """An embedding, LSTM layers and a score for each next token."""
    widths = [embedding] + [hidden] * layers
    recurrent = [Recurrent(inputs, hidden) for inputs in widths[:-1]]
    return nn.Sequential(nn.Embedding(vocabulary, embedding), *recurrent, Scores(hidden, vocabulary))


class Bag(nn.Module):
    """The mean of embeddings (n, t) -> (n, width) of the numbers below ``words``; ``words`` itself is no word."""

    def __init__(self, words: int, width: int) -> None:
        super().__init__()
        self.words = words
        self.embedding = nn.Embedding(words + 1, width, padding_idx=words)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Leave out what is no word."""
        vectors: torch.Tensor = self.embedding(x)
        return vectors.sum(1) / (x != self.words).sum(1, keepdim=True).clamp(min=1)


def bag_classifier(words: int, classes: int, *, embedding: int) -> nn.Sequential:
    """A bag of embeddings and one dense layer."""
    return nn.Sequential(Bag(words, embedding), nn.Linear(embedding, classes))
