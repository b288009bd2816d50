"""The kit as a pytest base class: one test for each check of the components that it names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from harness.registry import load
from harness.testing.kit import checks_of
from harness.testing.outcomes import Check

if TYPE_CHECKING:
    import pytest


class Conformance:
    """Name your components, or your plugin, and inherit its tests.

    >>> class TestMine(Conformance):
    ...     components = ["my-plugin"]
    """

    components: ClassVar[Sequence[str]] = ()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make one test of each check."""
        checks: list[Any] = checks_of(self.components, load())
        metafunc.parametrize("check", checks, ids=str)

    def test_conforms(self, check: Check) -> None:
        """The check passes, or says why it cannot."""
        import pytest

        outcome = check()
        if outcome.outcome == "skipped":
            pytest.skip(outcome.reason)
        if outcome.outcome == "failed as expected":
            pytest.xfail(outcome.reason)
        assert outcome.outcome == "passed", outcome.reason
