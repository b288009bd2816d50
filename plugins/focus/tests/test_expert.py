import numpy as np
import pytest
import torch

from harness_focus.declared import SURVEILLANCE
from harness_focus.streams.cutouts import KINDS, divided
from harness_focus.streams.examples import Studio
from harness_focus.streams.expert import DECAY, Expert, accuracy, fit


def test_the_fitted_layer_is_the_minimum_of_its_risk():
    rng = np.random.default_rng(0)
    features, kinds = rng.normal(size=(300, 5)), rng.integers(0, 3, 300)
    layer = torch.nn.Linear(5, 3)
    fit(layer, torch.from_numpy(features).float(), torch.from_numpy(kinds))
    weight, bias = (p.detach().double().numpy() for p in (layer.weight, layer.bias))

    def risk(weight, bias):
        logits = features @ weight.T + bias
        return (np.logaddexp.reduce(logits, axis=1) - logits[np.arange(300), kinds]).mean() + DECAY * (weight**2).sum()

    for _ in range(50):
        assert risk(weight, bias) <= risk(weight + rng.normal(0, 0.02, (3, 5)), bias + rng.normal(0, 0.02, 3)) + 1e-7


def test_a_studio_shows_every_kind_equally_often_and_repeats_with_its_seed():
    def pictures(seed):
        return Studio(divided()[1], SURVEILLANCE.path("vtest.avi"), seed=seed).pictures(3 * len(KINDS))

    (crops, kinds), (again, _), (others, _) = pictures(0), pictures(0), pictures(1)
    assert np.bincount(kinds).tolist() == [3] * len(KINDS)
    assert all(np.array_equal(a, b) for a, b in zip(crops, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(crops, others, strict=True))
    assert all(min(crop.shape[:2]) >= 8 and crop.dtype == np.uint8 for crop in crops)


@pytest.mark.slow
def test_the_expensive_network_is_right_on_cutouts_that_it_never_saw():
    assert accuracy(Expert(), 800) >= 0.97
