"""Small models of the shapes that pipelines meet: chains, skips of every length, state, and several outputs within."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


def chain() -> nn.Sequential:
    """Convolutions and dense layers, in sequences within sequences."""
    features = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.Sequential(nn.BatchNorm2d(4), nn.ReLU()), nn.MaxPool2d(2)
    )
    return nn.Sequential(features, nn.Flatten(), nn.Linear(64, 10), nn.Tanh(), nn.Dropout(0.4), nn.Linear(10, 3))


class Block(nn.Module):
    """Two convolutions with a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = F.relu(self.norm(self.first(x)))
        inner = self.second(inner)
        inner += x
        return F.relu(inner)


class Residual(nn.Module):
    """A residual net whose pooling is written with functions and methods."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.blocks = nn.Sequential(Block(4), Block(4), Block(4))
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor, scale: float = 2.0) -> torch.Tensor:
        x = self.blocks(self.stem(x)) * scale
        pooled = F.adaptive_avg_pool2d(x, 1)
        return self.head(pooled.view(pooled.size(0), -1))


class UNet(nn.Module):
    """Every level down feeds the level up, over all the layers between, and the input feeds the last."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.full((4, 1, 1), 0.3))
        self.register_buffer("scale", torch.tensor(1.5), persistent=False)
        self.down = nn.ModuleList([nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, stride=2, padding=1)])
        self.middle = nn.Conv2d(4, 4, 3, padding=1)
        self.up = nn.ModuleList([nn.ConvTranspose2d(8, 4, 2, stride=2), nn.Conv2d(8, 2, 3, padding=1)])
        self.head = nn.Conv2d(3, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        high = torch.tanh(self.down[0](x))
        low = torch.tanh(self.down[1](high)) + self.shift
        deep = F.dropout(self.middle(low), 0.3) * self.scale
        up = self.up[0](torch.cat([deep, low], dim=1))
        up = self.up[1](torch.cat((up, high), 1))
        return self.head(torch.cat([up, x], dim=1)).view(x.size(0), 3, -1).mean(2)


class Last(nn.Module):
    """An LSTM whose output and state are used together: one layer, since no single tensor leaves it before its end."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, width, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out, (hidden, _) = self.lstm(x)
        return out[:, -1] + hidden[0]


class Text(nn.Module):
    """A language model: whole numbers in, an LSTM in the open, and one in a wrapper."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 6)
        self.lstm = nn.LSTM(6, 6, batch_first=True)
        self.last = Last(6)
        self.decoder = nn.Linear(6, 11)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        out, _ = self.lstm(self.embedding(tokens))
        return self.decoder(self.last(out))


class Choosing(nn.Module):
    """A module that looks at a tensor's values, which tracing cannot follow."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(5, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x) if x.sum() > 0 else self.linear(-x)


class Wired(nn.Module):
    """Layer i is a dense layer of the sum of the outputs that ``sources[i]`` names; 0 is the input.

    What nothing takes is added up at the end, so that each layer has a gradient.
    """

    def __init__(self, sources: list[list[int]], width: int = 5) -> None:
        super().__init__()
        self.sources = sources
        self.layers = nn.ModuleList([nn.Linear(width, width) for _ in sources])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values, unused = [x], set()
        for number, (taken, layer) in enumerate(zip(self.sources, self.layers, strict=True), start=1):
            total = values[taken[0]]
            for source in taken[1:]:
                total = total + values[source]
            values.append(torch.tanh(layer(total)))
            unused = (unused - set(taken)) | {number}
        first, *others = sorted(unused)
        result = values[first]
        for number in others:
            result = result * values[number]
        return result


IMAGES = (6, 1, 8, 8)
EXAMPLES = {
    "chain": (chain, IMAGES),
    "residual": (Residual, IMAGES),
    "unet": (UNet, IMAGES),
    "text": (Text, None),
}


def example(name: str) -> tuple[nn.Module, torch.Tensor]:
    """A model with seeded weights, in training mode, and a batch for it."""
    make, shape = EXAMPLES[name]
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = make()
        return model, torch.randn(shape) if shape else torch.randint(11, (6, 4))
