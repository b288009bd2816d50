import numpy as np
import pytest
from device_support import events

from harness.devices.memory import CLEAR, measured_device_memory, measured_memory
from harness.trace import TraceWriter

BLOCK = 64 * 2**20


@pytest.mark.skipif(not CLEAR.exists(), reason="needs Linux's /proc")
def test_the_peak_counts_what_was_freed_within_and_not_what_was_freed_before(tmp_path):
    np.ones(4 * BLOCK // 8)
    trace = TraceWriter(tmp_path, worker=0)
    with measured_memory(trace):
        np.ones(BLOCK // 8)
    trace.close()
    (level,) = (value for *_, value in events(tmp_path, 0, "memory_level"))
    (peak,) = (value for *_, value in events(tmp_path, 0, "memory_peak"))
    assert 0.9 * BLOCK < peak - level < 2 * BLOCK


def test_where_the_peak_cannot_be_reset_nothing_is_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.devices.memory.CLEAR", tmp_path / "absent" / "clear_refs")
    trace = TraceWriter(tmp_path, worker=0)
    with measured_memory(trace):
        pass
    assert trace.latest == {}


def test_a_processor_has_no_device_memory():
    trace = TraceWriter()
    with measured_device_memory(trace, "cpu"):
        pass
    assert trace.latest == {}
