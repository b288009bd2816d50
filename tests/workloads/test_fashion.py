"""The image workloads: shapes and parameters in closed form, and that they learn."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from harness.datasets import fashion_mnist
from harness.workloads.fashion import Fashion, FashionCnn, FashionResnet, FashionVgg
from tests.workloads.training import scores_after

torch = pytest.importorskip("torch", reason="needs the extra torch")
nn = torch.nn


def parameters(workload: Fashion) -> int:
    return sum(p.numel() for p in workload.initial_model(0).parameters())


def convolution(inputs: int, outputs: int, norm: bool, size: int = 3) -> int:
    """Weights, and a bias, or a scale and a shift."""
    return inputs * outputs * size**2 + outputs * (2 if norm else 1)


@pytest.mark.parametrize("pool", [28, 14])
@pytest.mark.parametrize("norm", ["none", "batch", "group", "layer"])
def test_parameters_are_those_of_the_closed_form(pool: int, norm: str) -> None:
    fields = {"pool": pool, "normalization": norm}
    side, n = pool // 4, norm != "none"
    cnn = convolution(1, 16, n) + convolution(16, 32, n) + (32 * side**2 + 1) * 10
    assert parameters(FashionCnn.model_validate(fields)) == cnn
    c, d = 32, 100
    vgg = convolution(1, c, n) + convolution(c, c, n) + convolution(c, 2 * c, n) + convolution(2 * c, 2 * c, n)
    vgg += (2 * c * side**2 + 1) * d + (d + 1) * d + (d + 1) * 10
    assert parameters(FashionVgg.model_validate({**fields, "channels": c, "dense": d})) == vgg
    resnet = convolution(1, 16, n) + 4 * convolution(16, 16, n) + (64 + 1) * 10
    for inputs in (16, 32):
        projection = inputs * 2 * inputs + (4 * inputs if n else 0)
        resnet += convolution(inputs, 2 * inputs, n) + 3 * convolution(2 * inputs, 2 * inputs, n) + projection
    assert parameters(FashionResnet.model_validate({**fields, "blocks": 2})) == resnet


def test_the_smallest_net_is_the_one_of_the_published_prototype() -> None:
    assert parameters(FashionCnn(pool=14, normalization="group")) == 7738


def test_most_parameters_of_the_vgg_like_net_are_in_its_dense_layers() -> None:
    model = FashionVgg().initial_model(0)
    dense = sum(p.numel() for layer in model if isinstance(layer, nn.Linear) for p in layer.parameters())
    assert dense > 4_000_000
    assert dense / parameters(FashionVgg()) > 0.99


@pytest.mark.parametrize("workload", [FashionCnn, FashionVgg, FashionResnet])
@pytest.mark.parametrize("pool", [28, 14])
def test_each_layer_of_a_net_gives_one_tensor_and_the_last_ten_scores(workload: type[Fashion], pool: int) -> None:
    model = workload.model_validate({"pool": pool}).initial_model(0)
    assert type(model) is nn.Sequential
    value = torch.zeros(3, 1, pool, pool)
    for layer in model:
        value = layer(value)
        assert isinstance(value, torch.Tensor)
    assert value.shape == (3, 10)


@pytest.mark.parametrize("workload", [FashionCnn, FashionVgg, FashionResnet])
def test_each_convolution_is_followed_by_the_normalization_asked_for(workload: type[Fashion]) -> None:
    def kinds(norm: str, groups: int = 2) -> list[tuple[type, int]]:
        model = workload.model_validate({"normalization": norm, "groups": groups}).initial_model(0)
        norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d | nn.GroupNorm)]
        return [(type(m), getattr(m, "num_groups", 0)) for m in norms]

    convolutions = sum(isinstance(m, nn.Conv2d) for m in workload().initial_model(0).modules())
    assert kinds("none") == []
    assert kinds("batch") == [(nn.BatchNorm2d, 0)] * convolutions
    assert kinds("group", 4) == [(nn.GroupNorm, 4)] * convolutions
    assert kinds("layer") == [(nn.GroupNorm, 1)] * convolutions


def test_a_residual_block_is_its_input_where_its_convolutions_find_nothing() -> None:
    block = FashionResnet(normalization="none").initial_model(0)[2]
    for parameter in block.body.parameters():
        nn.init.zeros_(parameter)
    x = torch.rand(2, 16, 7, 7)
    assert torch.equal(block(x), x)


def test_images_are_those_of_the_files_scaled() -> None:
    train, test = fashion_mnist()
    inputs, targets = FashionCnn(samples=500).train_set()
    assert inputs.shape == (500, 1, 28, 28)
    assert np.rint((inputs.numpy()[:, 0] * 0.3530 + 0.2860) * 255).astype(int).tolist() == train.pixels[:500].tolist()
    assert targets.tolist() == train.labels[:500].tolist()
    assert len(FashionCnn(evaluation_samples=70).test_set()[1]) == 70
    small = FashionCnn(samples=64, evaluation_samples=64, pool=14).test_set()[0][3, 0, 5, 6]
    mean = test.pixels[3, 10:12, 12:14].mean() / 255
    assert float(small) == pytest.approx((mean - 0.2860) / 0.3530, abs=1e-5)


def test_pixels_have_mean_zero_and_variance_one() -> None:
    inputs = FashionCnn().train_set()[0]
    assert float(inputs.mean()) == pytest.approx(0, abs=1e-3)
    assert float(inputs.std()) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("fields", [{"samples": 60_001}, {"pool": 20}, {"groups": 3}, {"channels": 24}])
def test_what_the_data_or_the_layers_cannot_serve_is_refused(fields: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        FashionVgg.model_validate(fields)


@pytest.mark.parametrize(
    ("workload", "epochs"),
    [
        (FashionCnn(pool=14, samples=4000, evaluation_samples=2000), 3),
        (FashionResnet(pool=14, samples=2000, evaluation_samples=2000), 3),
    ],
)
def test_a_net_learns_from_a_few_samples(workload: Fashion, epochs: int) -> None:
    """Ten classes: guessing has an accuracy of 0.1."""
    loss, accuracy = scores_after(workload, epochs)
    assert accuracy > 0.6
    assert loss < 1.0
