"""Clothes in ten classes from Fashion-MNIST: a VGG-like, a residual and a small convolutional net."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from harness.workloads.training import TrainingWorkload

if TYPE_CHECKING:
    import torch

    from harness.datasets import Images
    from harness.workloads.nets import Normalizer

CLASSES = 10
MEAN, DEVIATION = 0.2860, 0.3530  # of the training images' pixels, from 0 to 1

Normalization = Literal["none", "batch", "group", "layer"]
Training = Annotated[int, Field(gt=0, le=60_000)]
Testing = Annotated[int, Field(gt=0, le=10_000)]


class Fashion(TrainingWorkload):
    """What the image workloads share: the data, and which normalization follows each convolution."""

    normalization: Normalization = Field("none", description="what follows each convolution")
    groups: Literal[1, 2, 4, 8, 16] = Field(2, description="groups of channels in group normalization")
    pool: Literal[28, 14] = Field(28, description="pixels a side; 14 averages two by two")
    samples: Training = Field(60_000, description="images to train with, the first of the file, which is in no order")
    evaluation_samples: Testing = Field(10_000, description="images to test with, the first of the file")

    def train_set(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Images (n, 1, side, side) with mean 0 and variance 1, and classes 0 to 9."""
        return self._sets[0]

    def test_set(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Images that are not trained with."""
        return self._sets[1]

    @cached_property
    def _sets(self) -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
        from harness.datasets import fashion_mnist

        train, test = fashion_mnist()
        return self._tensors(train, self.samples), self._tensors(test, self.evaluation_samples)

    def _tensors(self, images: Images, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        inputs = torch.tensor(images.pixels[:count], dtype=torch.float32)[:, None]
        if self.pool == 14:
            inputs = torch.nn.functional.avg_pool2d(inputs, 2)
        return (inputs / 255 - MEAN) / DEVIATION, torch.tensor(images.labels[:count], dtype=torch.int64)

    def _normalizer(self) -> Normalizer:
        from harness.workloads.nets import normalizer

        return normalizer(self.normalization, self.groups)


class FashionCnn(Fashion):
    """Fashion-MNIST with a small net in the manner of LeNet: two convolutions and a dense layer."""

    name: ClassVar[str] = "fashion-cnn"

    def model(self) -> torch.nn.Module:
        """16 and 32 channels."""
        from harness.workloads.nets import lenet

        return lenet(self.pool, CLASSES, self._normalizer())


class FashionVgg(Fashion):
    """Fashion-MNIST with a net in the manner of VGG: four convolutions, then dense layers with most parameters."""

    name: ClassVar[str] = "fashion-vgg"

    channels: PositiveInt = Field(16, multiple_of=16, description="channels at full resolution; half of it has twice")
    dense: PositiveInt = Field(1408, description="width of the two dense layers")
    rate: PositiveFloat = Field(0.02, description="step size")

    def model(self) -> torch.nn.Module:
        """Four convolutions and three dense layers."""
        from harness.workloads.nets import vgg

        return vgg(self.pool, CLASSES, self._normalizer(), channels=self.channels, dense=self.dense)


class FashionResnet(Fashion):
    """Fashion-MNIST with a residual net: few parameters, and much to compute with each."""

    name: ClassVar[str] = "fashion-resnet"

    channels: PositiveInt = Field(16, multiple_of=16, description="channels at full resolution; doubled twice")
    blocks: PositiveInt = Field(1, description="residual blocks at each of three resolutions")
    normalization: Normalization = Field("batch", description="what follows each convolution")

    def model(self) -> torch.nn.Module:
        """6 ``blocks`` + 2 layers deep."""
        from harness.workloads.nets import resnet

        return resnet(CLASSES, self._normalizer(), channels=self.channels, blocks=self.blocks)
