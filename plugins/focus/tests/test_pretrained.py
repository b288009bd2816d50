from itertools import islice

import numpy as np
import pytest
import torch

from harness_focus.declared import SURVEILLANCE
from harness_focus.networks.efficientnet import EfficientNetLite
from harness_focus.networks.pretrained import Yolo, published
from harness_focus.video.motion import Motion
from harness_focus.video.reading import Video

MILLIONS = {"lite0": 4.652008, "lite1": 5.416680, "lite2": 6.092072}


@pytest.mark.parametrize("variant", MILLIONS)
def test_a_variant_has_as_many_parameters_as_is_published(variant):
    assert sum(p.numel() for p in EfficientNetLite(variant).parameters()) == 1e6 * MILLIONS[variant]


def test_a_truncated_network_computes_what_the_whole_does_up_to_there():
    torch.manual_seed(0)
    x = torch.rand(2, 3, 64, 64)
    whole, short = published("lite0"), published("lite0", classes=7, blocks=5)
    seen = {}
    last = short.body[-1]
    whole.body[len(short.body) - 1].register_forward_hook(lambda m, i, y: seen.update(y=y))
    with torch.inference_mode():
        whole(x)
        assert short(x).shape == (2, 7)
        assert torch.allclose(short.embed(x), seen["y"].mean((2, 3)), atol=1e-5)
    assert type(last) is type(whole.body[len(short.body) - 1])


def test_most_of_what_moves_in_the_yard_is_people():
    motion, crops = Motion(), []
    for frame in islice(Video(str(SURVEILLANCE.path("vtest.avi"))).frames(), 320):
        boxes = motion.boxes(frame.image)
        if frame.number > 200 and frame.number % 20 == 0:  # the background is known by then
            crops += [box.of(frame.image) for box in boxes]
    labels = Yolo()(crops)
    assert len(labels) > 20
    assert np.mean([label == "person" for label in labels]) > 0.7
