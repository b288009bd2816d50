import sys
from pathlib import Path

import pytest

# Worker processes import what they run by name; they are given this process's path.
sys.path.insert(0, str(Path(__file__).parent))

from device_support import DEVICES


@pytest.fixture(params=sorted(DEVICES))
def device(request):
    return DEVICES[request.param]


@pytest.fixture(params=["sockets", "threads"])
def wired(request):
    """A device for what does not depend on who reduces tensors."""
    return DEVICES[request.param]
