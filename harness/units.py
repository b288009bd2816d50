"""Amounts with units, as suites write them: '4 GiB', '90 s', '100 Mbit/s', or a bare number."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import BeforeValidator, NonNegativeFloat, PositiveFloat, PositiveInt

from harness.errors import suggestion

BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "h": 3600}
BITS_PER_SECOND = {"bit/s": 1, "kbit/s": 10**3, "Mbit/s": 10**6, "Gbit/s": 10**9}
BYTES_PER_SECOND = {unit: bits / 8 for unit, bits in BITS_PER_SECOND.items()} | {
    f"{unit}/s": size for unit, size in BYTES.items()
}

_AMOUNT = re.compile(r"\s*([0-9.]+(?:e[+-]?\d+)?)\s*([A-Za-z/]+)\s*")


def parse(text: object, units: dict[str, float] | dict[str, int]) -> object:
    """Turn '4 GiB' into a number of base units; leave anything but text to the field's own check."""
    if not isinstance(text, str):
        return text
    match = _AMOUNT.fullmatch(text)
    if not match:
        raise ValueError(f"write a number and a unit, such as '1 {next(iter(units))}' ({', '.join(units)})")
    number, unit = match.groups()
    if unit not in units:
        raise ValueError(f"unknown unit {unit!r}; {suggestion(unit, units)}")
    amount = float(number) * units[unit]
    return int(amount) if amount.is_integer() else amount


def _parser(units: dict[str, float] | dict[str, int]) -> Callable[[object], object]:
    return lambda text: parse(text, units)


ByteSize = Annotated[PositiveInt, BeforeValidator(_parser(BYTES))]
Duration = Annotated[PositiveFloat, BeforeValidator(_parser(SECONDS))]
Delay = Annotated[NonNegativeFloat, BeforeValidator(_parser(SECONDS))]
BitRate = Annotated[PositiveFloat, BeforeValidator(_parser(BITS_PER_SECOND))]
ByteRate = Annotated[PositiveFloat, BeforeValidator(_parser(BYTES_PER_SECOND))]
