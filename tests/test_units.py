"""Amounts with units."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from harness.units import BitRate, ByteSize, Duration


class Amounts(BaseModel):
    size: ByteSize = 1
    time: Duration = 1.0
    rate: BitRate = 1.0


@pytest.mark.parametrize(
    ("field", "text", "amount"),
    [
        ("size", "4 GiB", 4 * 2**30),
        ("size", "1.5 kB".replace("k", "K"), 1500),
        ("size", 17, 17),
        ("time", "250 ms", 0.25),
        ("time", "2 h", 7200),
        ("rate", "100 Mbit/s", 1e8),
    ],
)
def test_an_amount_is_read_in_its_unit(field: str, text: object, amount: float) -> None:
    assert getattr(Amounts(**{field: text}), field) == pytest.approx(amount)


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ("size", "4 Gib", "did you mean 'GiB'"),
        ("size", "many", "write a number and a unit"),
        ("size", "-1 B", "write a number and a unit"),
        ("size", "1.2.3 B", "."),
        ("time", "0 s", "greater than 0"),
        ("time", "5 GiB", "unknown unit"),
    ],
)
def test_a_wrong_amount_says_what_would_be_right(field: str, text: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Amounts(**{field: text})
