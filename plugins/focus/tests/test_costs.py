"""What costs are made of."""

import numpy as np
import pytest
import torch
from torch import nn

from harness import TraceWriter
from harness.tracefile import Trace, merge
from harness_focus.networks import batches
from harness_focus.networks.arithmetic import multiply_adds
from harness_focus.networks.efficientnet import EfficientNetLite
from harness_focus.trials.costs import Metered, charged


def test_multiply_adds_are_the_closed_forms():
    conv, grouped, linear = nn.Conv2d(3, 8, 5, padding=2), nn.Conv2d(8, 8, 3, groups=8), nn.Linear(10, 4)
    assert multiply_adds(lambda: conv(torch.zeros(2, 3, 6, 7))) == 2 * 8 * 6 * 7 * 3 * 25
    assert multiply_adds(lambda: grouped(torch.zeros(1, 8, 5, 5))) == 8 * 3 * 3 * 9
    assert multiply_adds(lambda: linear(torch.zeros(3, 10))) == 3 * 10 * 4
    assert multiply_adds(lambda: linear(conv(torch.zeros(1, 3, 4, 10))[:, 0])) == 8 * 4 * 10 * 75 + 4 * 10 * 4
    assert multiply_adds(lambda: None) == 0


@pytest.mark.parametrize(("variant", "side", "millions"), [("lite0", 224, 407), ("lite2", 260, 898)])
def test_published_networks_take_what_their_authors_say(variant, side, millions):
    """The sums that are published with the networks, at their own sizes; they count a little more than layers."""
    network = EfficientNetLite(variant).eval()
    with torch.inference_mode():
        found = multiply_adds(lambda: network(torch.zeros(1, 3, side, side)))
    assert found / 1e6 == pytest.approx(millions, rel=0.06)


def test_a_charged_block_leaves_cpu_seconds_and_not_the_clocks(tmp_path):
    clock, cpu = iter(range(100)), iter([5.0, 7.5])
    trace = TraceWriter(tmp_path, clock=lambda: float(next(clock)), cpu_clock=lambda: next(cpu))
    with charged(trace, "work", step=3):
        pass
    trace.close()
    spans = Trace.read(merge(tmp_path)).spans("work")
    assert (spans.value.tolist(), spans.step.tolist()) == ([2.5], [3])


class Tiny:
    identity, classes = "tiny", ("a", "b")

    def __call__(self, crops):
        return np.zeros((len(crops), 2), np.float32), np.full((len(crops), 2), 0.5, np.float32)


def test_a_metered_network_counts_its_crops_and_says_the_same(tmp_path):
    trace = TraceWriter(tmp_path)
    crops = [np.zeros((4, 4, 3), np.uint8)] * 7
    metered = Metered(Tiny(), trace, crops)
    found = [metered(batch) for batch in (crops[:5], crops[5:])]
    trace.close()
    read = Trace.read(merge(tmp_path))
    assert read.total("cheap_calls") == 7
    assert len(read.spans("cheap_network")) == 2
    assert [len(features) for features, _ in found] == [5, 2]
    assert (metered.identity, metered.classes) == ("tiny", ("a", "b"))


def test_batches_are_all_the_crops_in_order():
    assert [n for batch in batches(list(range(37))) for n in batch] == list(range(37))
