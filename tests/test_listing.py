"""What ``harness info`` says of a parameter's type."""

from __future__ import annotations

from typing import ClassVar, Literal

import pytest
from pydantic import Field, PositiveFloat, PositiveInt

from harness.components import Component
from harness.listing import _type


class Sample(Component):
    """One of each."""

    name: ClassVar[str] = "sample"
    count: PositiveInt = 1
    rate: PositiveFloat | Literal["tuned", "paper"] = "tuned"
    share: float = Field(0.1, gt=0, lt=1)
    limit: PositiveInt | None = None
    names: list[str] = []


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("count", "int > 0"),
        ("rate", "float > 0 | 'tuned' | 'paper'"),
        ("share", "float > 0 < 1"),
        ("limit", "int > 0 | None"),
        ("names", "list[str]"),
    ],
)
def test_a_type_is_written_as_one_would_say_it(field: str, text: str) -> None:
    described = Sample.model_fields[field]
    assert _type(described.annotation, described.metadata) == text
