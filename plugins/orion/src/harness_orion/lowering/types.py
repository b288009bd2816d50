"""Types of numbers as NumPy 2 has them: a Python number is weak, and takes the type of what it meets."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

NARROW = ("i1", "i2", "i4", "u1", "u2", "u4")
KNOWN = (*NARROW, "b1", "i8", "u8", "f4", "f8")


class Unsupported(Exception):
    """What row expressions cannot be lowered from, in words; the array form is tried then."""


class Type(NamedTuple):
    """A number's type; ``weak``: a Python number, not one of NumPy's."""

    dtype: np.dtype[Any]
    weak: bool = False

    @property
    def kind(self) -> str:
        """b, i, u or f."""
        return self.dtype.kind

    @property
    def code(self) -> str:
        """Its conversion, as written in generated code."""
        return f"np.{np.dtype(self.dtype).name}" if self.kind != "b" else "np.bool_"


BOOL = Type(np.dtype(bool))
INT = Type(np.dtype(np.int64))
FLOAT = Type(np.dtype(np.float64))
WEAK_BOOL = Type(np.dtype(bool), weak=True)
WEAK_INT = Type(np.dtype(np.int64), weak=True)
WEAK_FLOAT = Type(np.dtype(np.float64), weak=True)
WEAK = {"b": (WEAK_BOOL, False), "i": (WEAK_INT, 0), "f": (WEAK_FLOAT, 0.0)}


def type_of(dtype: np.dtype[Any]) -> Type:
    """The type of an array's elements."""
    if dtype.str[1:] not in KNOWN or not dtype.isnative:
        raise Unsupported(f"numbers of type {dtype}")
    return Type(dtype)


def of_number(value: Any) -> Type:
    """The type of a number that is known."""
    if isinstance(value, np.generic):
        return type_of(value.dtype)
    for python, found in ((bool, WEAK_BOOL), (int, WEAK_INT), (float, WEAK_FLOAT)):
        if isinstance(value, python):
            return found
    raise Unsupported(f"a value of type {type(value).__name__}")


def promoted(*types: Type) -> Type:
    """The type in which numbers of several types meet."""
    if all(t.weak for t in types):
        kinds = [t.kind for t in types]
        return WEAK["f" if "f" in kinds else "i" if "i" in kinds else "b"][0]
    return type_of(np.result_type(*(WEAK[t.kind][1] if t.weak else t.dtype for t in types)))
