"""A thousand cells of no work: all are done, and the engine needs no more memory for the last than for the first."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.overhead import measure


@pytest.mark.slow
def test_a_thousand_cells_are_done_in_flat_memory(tmp_path: Path) -> None:
    found = measure(1000, tmp_path)
    assert found.done == found.cells == 1000
    assert (tmp_path / "page.html").stat().st_size > 100_000
    assert found.engine_bytes[-1] < 1.1 * found.engine_bytes[99]
