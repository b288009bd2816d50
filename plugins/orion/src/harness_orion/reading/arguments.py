"""Arguments of a call: read, or written as ``out`` is."""

from __future__ import annotations

import ast

from harness_orion.reading.expressions import evaluate, refer
from harness_orion.reading.frame import Frame
from harness_orion.reading.values import Value, opened, union


def read_arguments(node: ast.Call, frame: Frame) -> list[Value]:
    """Read all arguments."""
    return [evaluate(a, frame) for a in (*node.args, *(k.value for k in node.keywords))]


def written_argument(argument: ast.expr, frame: Frame) -> Value:
    """Note that a function writes an argument."""
    parts = argument.elts if isinstance(argument, ast.Tuple) else [argument]
    values = [refer(part, frame) for part in parts]
    for part, value in zip(parts, values, strict=True):
        frame.mutate(part, value)
    return Value(views=opened(union(*values)))


def with_outputs(node: ast.Call, inputs: int, frame: Frame) -> Value:
    """A function that writes its arguments from the ``inputs``-th, and ``out``, and returns them; else a new value."""
    outputs = [*node.args[inputs:], *(k.value for k in node.keywords if k.arg == "out")]
    for argument in (*node.args[:inputs], *(k.value for k in node.keywords if k.arg != "out")):
        evaluate(argument, frame)
    written = [written_argument(output, frame) for output in outputs if not _is_none(output)]
    return Value(views=union(*written))


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def may_not_copy(node: ast.Call) -> bool:
    """Whether a call that would make a copy is told that it need not: ``astype(t, copy=False)``."""
    return any(k.arg == "copy" for k in node.keywords)
