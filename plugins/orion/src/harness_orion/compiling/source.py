"""The code that would be generated for a loop of which only the arrays' shapes are known."""

from __future__ import annotations

from collections.abc import Mapping
from types import FunctionType
from typing import Any

import numpy as np

from harness_orion.analysis.plan import Plan
from harness_orion.arrays import Accumulator, DistArray, DistArrayBuffer
from harness_orion.compiling.forms import row_text, stated_text
from harness_orion.lowering.types import Unsupported
from harness_orion.reading.accesses import Argument, ArrayFacts, BufferOf, Role
from harness_orion.running.packing import pack
from harness_orion.space import Grid, Space


def source_text(function: FunctionType, plan: Plan, space: Space, arguments: Mapping[str, Argument], dtype: str) -> str:
    """The generated file for arrays of one type; where none can be generated, why."""
    if isinstance(space, Grid) and space.values is None:
        space = Grid(space.shape, space.origin, np.broadcast_to(np.zeros(1, dtype), space.shape))
    sample = pack(space, np.zeros(1, np.int64))
    made: dict[str, Any] = {}
    for name, facts in arguments.items():
        made[name] = _standing_in(facts, made, dtype)
    reasons: list[str] = []
    try:
        return row_text(function, plan, space, sample, made, None)[0]
    except Unsupported as reason:
        reasons.append(f"# rows: {reason}")
    try:
        return "\n".join([*reasons, stated_text(function, plan, space, sample, made, None)])
    except Unsupported as reason:
        reasons.append(f"# arrays: {reason}")
    return "\n".join(["# The body runs as it is, in Python.", *reasons])


def _standing_in(facts: Argument, made: Mapping[str, Any], dtype: str) -> Any:
    """An argument of the right kind; arrays take no memory until they are touched."""
    if isinstance(facts, ArrayFacts):
        return DistArray(np.zeros(facts.shape, dtype))
    if isinstance(facts, BufferOf):
        return DistArrayBuffer(made[facts.target])
    return Accumulator(0.0) if facts is Role.ACCUMULATOR else 0.0
