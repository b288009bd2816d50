"""Amounts with units."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from harness.units import BitRate, ByteRate, ByteSize, Delay, Duration


class Amounts(BaseModel):
    size: ByteSize = 1
    time: Duration = 1.0
    rate: BitRate = 1.0
    bandwidth: ByteRate = 1.0
    latency: Delay = 0.0


@pytest.mark.parametrize(
    ("field", "text", "amount"),
    [
        ("size", "4 GiB", 4 * 2**30),
        ("size", "1.5 kB".replace("k", "K"), 1500),
        ("size", 17, 17),
        ("time", "250 ms", 0.25),
        ("time", "2 h", 7200),
        ("rate", "100 Mbit/s", 1e8),
        ("bandwidth", "100 Mbit/s", 12.5e6),
        ("bandwidth", "10 Gbit/s", 1.25e9),
        ("bandwidth", "1.25 GB/s", 1.25e9),
        ("bandwidth", "1 MiB/s", 2**20),
        ("bandwidth", 3, 3),
        ("latency", "50 us", 50e-6),
        ("latency", "0 s", 0),
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
        ("size", "9e999 B", "finite"),
        ("bandwidth", "0 Gbit/s", "greater than 0"),
        ("bandwidth", "-1 Gbit/s", "write a number and a unit"),
        ("bandwidth", "10 Gbps", "did you mean 'Gbit/s'"),
        ("latency", "-1 us", "write a number and a unit"),
    ],
)
def test_a_wrong_amount_says_what_would_be_right(field: str, text: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Amounts(**{field: text})
