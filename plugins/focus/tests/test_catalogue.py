"""Networks by name are those that they are names of, and are loaded no earlier than they are asked."""

import subprocess
import sys
from itertools import islice

import pytest
from scenes import scene

from harness import HarnessError
from harness_focus.networks.catalogue import expensive
from harness_focus.networks.pretrained import Labels, Yolo

WARM = """
import sys
from harness_focus.networks.catalogue import expensive
for name in ("lite0@64", "yolo"):
    network = expensive(name)
    assert network.identity and network.classes
assert "torch" not in sys.modules
"""


@pytest.mark.parametrize(
    ("name", "network"), [("lite0@64", lambda: Labels("lite0", side=64)), ("yolo@64", lambda: Yolo(side=64))]
)
def test_a_name_stands_for_its_network(name, network):
    named, itself = expensive(name), network()
    assert (named.identity, named.classes) == (itself.identity, itself.classes)
    crops = [frame.image for frame, _ in islice(scene(), 30, 33)]
    assert named(crops) == itself(crops)
    assert len(named.classes) == (80 if "yolo" in name else 1000)


def test_what_is_never_asked_is_never_loaded():
    subprocess.run([sys.executable, "-c", WARM], check=True, timeout=120)


@pytest.mark.parametrize("name", ["lite9", "lite0@big", "lite0@8", ""])
def test_another_name_is_refused_with_what_would_be_right(name):
    with pytest.raises(HarnessError, match="a network is one of lite0, lite1, lite2, yolo"):
        expensive(name)
