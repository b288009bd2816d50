"""The two forms of a body that are compiled: scalar loops over packed entries, and the body as it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from harness_orion.analysis.plan import Plan
from harness_orion.arrays import DistArray
from harness_orion.compiling.compiled import CompiledRun
from harness_orion.compiling.files import loaded, written
from harness_orion.compiling.whole import array_text
from harness_orion.lowering.types import Unsupported
from harness_orion.running.packing import Packed, pack
from harness_orion.space import Space

if TYPE_CHECKING:
    from harness_orion.lowering.lower import Lowered

HEAD = '''"""{name} ({place}), compiled by harness-orion {form}."""

import math

import numba
import numpy as np
{imports}

'''
IMPORT = """
from harness_orion.compiling.ahead import fetch
from harness_orion.compiling.loops import RowCompiler
from harness_orion.compiling.scans import accumulate
"""
SUMS = '''@numba.njit(fastmath={"contract", "nsz", "reassoc"})
def added(total, x):
    """One more summand: these may be taken in any order."""
    return total + x


'''


@dataclass(frozen=True)
class Made:
    """A compiled function, ready to run."""

    run: CompiledRun
    source: Path
    exact: bool


def row_form(function: FunctionType, plan: Plan, space: Space, arguments: Mapping[str, Any], live: str | None) -> Made:
    """Compile a body as scalar loops; raise Unsupported where that does not cover it."""
    sample = pack(space, np.zeros(1, np.int64))
    text, found = row_text(function, plan, space, sample, arguments, live)
    path = written(plan.body.name, text)
    where = str(plan.body.place)
    run = CompiledRun(loaded(path).run, found.tables, tuple(arguments), found.types, where, live is None)
    _compile(run, sample, list(arguments.values()))
    return Made(run, path, found.exact)


def row_text(
    function: FunctionType, plan: Plan, space: Space, sample: Packed, arguments: Mapping[str, Any], live: str | None
) -> tuple[str, Lowered]:
    """The text of the file for a body as scalar loops."""
    from harness_orion.lowering.lower import lowered

    found = lowered(function, plan, space, () if live is not None else sample.values, arguments, live)
    # Only sums may be reordered: elsewhere it would turn one division before a loop into one for each of its turns.
    sums, fastmath = (SUMS, {"contract"}) if found.sums else ("", False)
    options = f'nogil=True, cache=True, error_model="numpy", fastmath={fastmath}, pipeline_class=RowCompiler'
    return _head(plan, "as scalar loops", IMPORT) + f"{sums}@numba.njit({options})\n" + found.text, found


def _head(plan: Plan, form: str, imports: str = "") -> str:
    place = f"{Path(plan.body.place.file).name}:{plan.body.place.line}"
    return HEAD.format(name=plan.body.name, place=place, form=form, imports=imports)


def _compile(run: CompiledRun, sample: Packed, arguments: Sequence[Any]) -> None:
    """Have the compiler go through it now, on no entries."""
    try:
        run(sample, 0, 0, [a.values if isinstance(a, DistArray) else a for a in arguments])
    except Exception as error:
        # Numba refuses in many ways: with errors of its own, NotImplementedError, AttributeError.
        raise Unsupported(f"Numba: {_first_line(str(error))}") from error


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if not line.startswith("Failed in")), "it refuses")


def array_form(
    function: FunctionType, plan: Plan, space: Space, arguments: Mapping[str, Any], live: str | None
) -> Made:
    """Compile a body as it stands; raise Unsupported where Numba cannot."""
    sample = pack(space, np.zeros(1, np.int64))
    path = written(plan.body.name, stated_text(function, plan, space, sample, arguments, live))
    run = CompiledRun(loaded(path).run, (), tuple(arguments), {}, str(plan.body.place), live is None)
    _compile(run, sample, list(arguments.values()))
    return Made(run, path, exact=False)


def stated_text(
    function: FunctionType, plan: Plan, space: Space, sample: Packed, arguments: Mapping[str, Any], live: str | None
) -> str:
    """The text of the file for a body as it stands."""
    columns = () if live is not None else sample.values
    if any(not isinstance(column, np.ndarray) for column in columns):
        raise Unsupported("values that are not in arrays")
    made = array_text(function, len(space.shape), len(columns), arguments, live, parts=sample.parts)
    return _head(plan, "as it stands") + made
