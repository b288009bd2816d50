"""The reference: a loop run serially, in pure Python, in the loop's own order or in any other that is given."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from harness import HarnessError
from harness_orion.arrays import DistArray, DistArrayBuffer
from harness_orion.reading.affine import Key
from harness_orion.space import Space, serial_order


def run_serial(function: Callable[..., Any], space: Space, arguments: Sequence[Any], *, ordered: bool = False) -> None:
    """Run a body over a space, changing its arguments in place; buffers reach their arrays after each iteration.

    Raises HarnessError, naming the key and the place, for an exception of the body.
    """
    run_positions(function, space, arguments, serial_order(space, ordered=ordered))


def run_positions(
    function: Callable[..., Any], space: Space, arguments: Sequence[Any], positions: Iterable[int]
) -> None:
    """Run a body over some entries of a space, in the order given."""
    passed = [a.values if isinstance(a, DistArray) else a for a in arguments]
    buffers = [a for a in arguments if isinstance(a, DistArrayBuffer)]
    for position in positions:
        key, value = space.entry(int(position))
        run_entry(function, key, value, passed)
        for buffer in buffers:
            buffer.flush(noted=True)


def run_entry(function: Callable[..., Any], key: Key, value: Any, passed: Sequence[Any]) -> None:
    """Run one iteration; raise HarnessError, naming the key and the place, for an exception of the body."""
    try:
        function(key, value, *passed)
    except HarnessError:
        raise
    except Exception as error:
        raise HarnessError(f"at key {key}: {type(error).__name__}: {error}", where=_where(error)) from error


def _where(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.filename}:{last.lineno}"
