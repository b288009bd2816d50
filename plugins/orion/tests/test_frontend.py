"""What the front end reads from a body, and what it refuses, with the place."""

from __future__ import annotations

import re

import numpy as np
import pytest

from harness import HarnessError
from harness_orion.audit.loops import compiled
from harness_orion.reading.accesses import ArrayFacts, Body, BufferOf, Role
from harness_orion.reading.frontend import read_body

FACTS = {"A": ArrayFacts((9, 9)), "v": ArrayFacts((9,)), "v_buf": BufferOf(("v",)), "total": Role.ACCUMULATOR}


def read(lines: str, *, before: str = "", arguments: str = "A, v, v_buf, total") -> Body:
    """Read a body of two loop indices."""
    body = "".join(f"    {line}\n" for line in ["i, j = key", *lines.split("\n")])
    return read_body(compiled(f"{before}def body(key, val, {arguments}):\n{body}"), ndim=2, arguments=FACTS)


def seen(lines: str, **options: str) -> set[str]:
    """Accesses in short: ``write A[i, :]``."""
    body = read(lines, **options)
    return {f"{a.mode} {a.array}{a.subscripts_text(body.index_names)}" for a in body.accesses if a.array in FACTS}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("A[i, j] = 1", {"write A[i, j]"}),
        ("A[i, j] += 1", {"read A[i, j]", "write A[i, j]"}),
        ("v[3 - i] = 1", {"write v[-i + 3]"}),
        ("n = 2 * i\nv[n + 1 - i] = 1", {"write v[i + 1]"}),
        ("v[7 // 2 % 2] = 1", {"write v[1]"}),
        ("v[i * j] = 1", {"write v[?]"}),
        ("v[i / 1] = 1", {"write v[?]"}),
        ("v[1:i] = 1", {"write v[:]"}),
        ("A[key] = 1", {"write A[i, j]"}),
        ("A[..., j] = 1", {"write A[:, j]"}),
        ("A[-1, len(A) - 1] = v.shape[0]", {"write A[-1, 8]"}),
        ("A[i][j] = 1", {"write A[i, j]"}),
        ("A.T[i][j] = 1", {"write A[j, i]"}),
        ("w = A[1:]\nw[i, 0] = 1", {"read A[:, :]", "write A[:, :]"}),
        ("w = A[None, i]\nw[0, j] = 1", {"read A[i, :]", "write A[i, :]"}),
        ("w = A[val]\nw[j] = 1", {"read A[?, :]", "write A[?, :]"}),
        ("w = A[:, j]\nw[i] = 1", {"read A[:, j]", "write A[i, j]"}),
    ],
)
def test_subscripts_are_read_as_written(lines: str, expected: set[str]) -> None:
    assert seen(lines) == expected


@pytest.mark.parametrize(
    "lines",
    [
        "w = A[i]\nw += 1",
        "w = A[i, :]\nw[:] = 0",
        "w = A[i]\nu = w.reshape(3, 3)\nu[0, 0] = 1",
        "w = A[i]\nnp.add(w, 1, out=w)",
        "np.multiply(v, 2, A[i])",
        "A[i].sort()",
        "A[i].fill(0)",
        "np.copyto(A[i], v)",
        "w, u = A[i], 0\nw *= 2",
        "w = np.zeros(9) if val > 0 else A[i]\nw -= 1",
        "if val:\n    w = v + 1\nelse:\n    w = A[i]\nw[0] = 1",
        "for w in (A[i], np.zeros(9)):\n    w[0] = 1",
        "w = A[i] if val > 0 else np.zeros(9)\nw -= 1",
        "B = A\nB[i, 0] = 1",
        "change(A, i)",
        "t = (v, A)\nt[1][i, 0] = 5",
        "rows = [A[i], A[j]]\nrows[0][1] = 5",
        "rows = [A[i], A[j]]\nfor w in rows:\n    w.fill(0)",
        "w = A[i].astype(float, copy=False)\nw += 1",
        "w = np.array(A[i], copy=False)\nw += 1",
        "w = np.float64(A[i])\nw += 1",
        "w = A[i].conj()\nw += 1",
        "rows = [[A[i]]]\nw = rows[0][0]\nw += 1",
        "w = max([A[i]], [A[j]])\nw[0][0] = 1",
        "for X in (v + 1, A):\n    X[i] = 1",
        "w = row(A, i)\nw += 1",
        "np.dot(v, 2, A[i])",
        "v.dot(2, A[i])",
    ],
)
def test_a_write_through_a_view_is_a_write_to_its_array(lines: str) -> None:
    helpers = "def change(X, n):\n    X[n] = 0\n\ndef row(X, n):\n    return X[n, :]\n\n"
    found = seen(lines, before=helpers)
    assert any(f.startswith("write A[") for f in found)
    assert not any(f.startswith("write v") for f in found)


@pytest.mark.parametrize(
    "lines",
    [
        "for X in (A, A):\n    x = X.sum()",
        "t = (A, 1)\nx = t[i] + 1",
        "t = (A, 1)\nx = t[0] + 1",
        "X = A\nx = X @ v",
        "x = A.T @ v",
        "X = A.T\nx = X @ v",
        "x = np.asarray(A)\ny = x.sum()",
        "x = [A]\ny = x[0].sum()",
        "x = total_of(A)",
        "x = same(A) + 1",
    ],
)
def test_an_array_that_is_used_as_a_whole_is_read(lines: str) -> None:
    assert "read A[:, :]" in seen(
        lines, before="def total_of(X):\n    return X.sum()\n\ndef same(X):\n    return X\n\n"
    )


def test_a_copy_is_not_the_array() -> None:
    assert not any(
        f.startswith("write") for f in seen("w = A[i].copy()\nw += 1\nx = A[i, j]\nx += 1\ny = A[i] + 1\ny[0] = 2")
    )


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("n = i\nif val:\n    n = j\nv[n] = 1", "write v[?]"),
        ("n = j\nn = i\nv[n] = 1", "write v[i]"),
        ("n = i\nn += 1\nv[n] = 1", "write v[i + 1]"),
        ("n = i\nwhile val:\n    v[n] = 1\n    n = j", "write v[?]"),
        ("n = i\nfor k in v:\n    if k:\n        n = j\n        continue\n    n = i\nv[n] = 1", "write v[?]"),
        ("n = i\nfor k in v:\n    if k:\n        n = j\n        break\n    n = i\nv[n] = 1", "write v[?]"),
        ("n = i\nif val:\n    n = j\nelse:\n    n = j\nv[n] = 1", "write v[j]"),
        ("n = i\nif val:\n    n = j\n    return\nv[n] = 1", "write v[i]"),
        ("v[at(i)] = 1", "write v[i + 1]"),
        ("v[SIZE - i] = 1", "write v[-i + 8]"),
    ],
)
def test_a_name_stands_for_its_one_reaching_definition(lines: str, expected: str) -> None:
    assert expected in seen(lines, before="SIZE = 8\ndef at(n):\n    return n + 1\n\n")


def test_buffers_and_accumulators_make_no_accesses() -> None:
    body = read("v_buf[i] += 1\nv_buf[j] -= v_buf[i]\ntotal += val")
    assert [a for a in body.accesses if a.array in FACTS] == []
    assert body.buffers == {"v_buf": ("v",)}
    assert body.accumulators == ("total",)


REFUSED = [
    ("v[i] = (lambda: 1)()", "a lambda is not supported", 3, 13),
    ("global n", "n: a variable from outside is assigned to", 3, 5),
    ("TABLE[i] = 1", "TABLE is captured from outside, and the body changes it", 3, 5),
    ("SEEN.append(i)", "SEEN is captured from outside, and the body changes it", 3, 5),
    ("with val:\n    pass", "with is not supported", 3, 5),
    ("try:\n    pass\nfinally:\n    pass", "try is not supported", 3, 5),
    ("del v", "delete is not supported", 3, 5),
    ("np.add.at(A[i], 0, 1)", "a call of at is not supported", 3, 5),
    ("print(i)", "a call of print is not supported", 3, 5),
    ("v[i] = np.random.rand()", "a random draw changes hidden state", 3, 12),
    ("v[v > 0] = 1", "a truth value is no subscript", 3, 7),
    ("v[i] = total + 1", "the accumulator total is read", 3, 12),
    ("b = v_buf", "another name for the buffer v_buf", 3, 9),
    ("w = v_buf[:]\nw += 1", "another name for the buffer v_buf", 3, 9),
    ("rows = []\nrows.append(A[i])", "memory of an array is kept in a container that changes", 4, 5),
    ("rows = [[0]]\nw = rows[0]\nw[0] = A[i]", "memory of an array is kept in a container that changes", 5, 5),
    ("w = v.tolist()\nw[0] = A[i]", "memory of an array is kept in a container that changes", 4, 5),
    ("rows = [0]\nrows[0] = A[i]", "memory of an array is kept in a container that changes", 4, 5),
    ("return 1", "a loop body returns nothing", 3, 5),
    ("v[i, j] = 1", "too many subscripts: v has 1 axes", 3, 5),
    ("v[i] = mystery(i)", "unknown name mystery", 3, 12),
    ("v[i] = again(i)", "again calls itself", 2, 12),
    ("v.values = 1", "this target of an assignment is not supported", 3, 5),
    ("total *= 2", "accumulators only take += and -=", 3, 5),
    ("total[0] = 2", "the accumulator total is set", 3, 5),
    ("v[i] = max(*val)", "* in a call is not supported", 3, 16),
    ("def inner():\n    pass", "a nested function is not supported", 3, 5),
    ("a, b, c = key", "2 values for 3 names", 3, 5),
]


@pytest.mark.parametrize(("lines", "said", "line", "column"), REFUSED, ids=[r[0][:24] for r in REFUSED])
def test_what_is_not_supported_is_refused_with_its_place(lines: str, said: str, line: int, column: int) -> None:
    before = "TABLE = [0] * 9; SEEN = []\n" if "TABLE" in lines or "SEEN" in lines else ""
    before = "def again(n):\n    return again(n)\n" if "again" in lines else before
    with pytest.raises(HarnessError) as caught:
        read(lines, before=before)
    shift = 0 if "again" in lines else before.count("\n")
    assert re.search(rf"<loop \d+>:{line + shift}:{column}: ", str(caught.value)), str(caught.value)
    assert said in str(caught.value)
    assert "; " in str(caught.value)


def test_a_captured_array_must_be_an_argument() -> None:
    from harness_orion.arrays import DistArray

    function = compiled("def body(key, val):\n    D[key[0]] = 1\n")
    function.__globals__["D"] = DistArray(np.zeros(3))
    with pytest.raises(HarnessError, match="D is captured from outside; pass it to the loop as an argument"):
        read_body(function, ndim=1, arguments={})


def test_a_body_that_was_typed_in_is_refused() -> None:
    names: dict[str, object] = {}
    exec("def body(key, val): pass", names)
    with pytest.raises(HarnessError, match="no source of body"):
        read_body(names["body"], ndim=1, arguments={})  # type: ignore[arg-type]
