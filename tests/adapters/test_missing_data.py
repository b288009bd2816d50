"""A test whose data set cannot be had is skipped with the reason; any other error still fails it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TESTS = """
import pytest

from harness.data import Dataset, Member
from harness.errors import HarnessError


class Nowhere:
    def download(self, folder):
        raise HarnessError("no route to host")

    def __str__(self):
        return "a far archive"


@pytest.fixture
def numbers():
    member = Member("a/numbers.csv", sha256="0" * 64, size=3)
    return Dataset("numbers", "Three numbers.", "CC0-1.0", "https://example.org", Nowhere(), (member,)).fetch()


def test_with_data(numbers):
    raise AssertionError("not reached")


def test_otherwise_wrong():
    raise HarnessError("another mistake")
"""


def test_tests_without_their_data_are_skipped_and_others_are_not(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", "test_it.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1 failed, 1 skipped" in done.stdout
    assert "a far archive cannot be fetched: no route to host" in done.stdout
    assert "another mistake" in done.stdout
