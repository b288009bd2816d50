"""Fusing: row loops over the same range become one, wherever nothing that a later one needs is then missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness_orion.lowering.ir import Branch, Check, Elem, Loop, Repeat, Scan, Set, Stmt, Var, elements, names


@dataclass(frozen=True)
class Uses:
    """What a statement reads and writes."""

    reads: frozenset[str | Elem]
    writes: frozenset[str | Elem]

    @classmethod
    def of(cls, sets: Iterable[Set]) -> Uses:
        """All that some sets use; the subscripts of what is stored are read."""
        reads: set[str | Elem] = set()
        writes: set[str | Elem] = set()
        for s in sets:
            reads |= elements(s.expr) | names(s.expr)
            if isinstance(s.target, Var):
                writes.add(s.target.name)
            else:
                writes.add(s.target)
                reads |= names(s.target)
        return cls(frozenset(reads), frozenset(writes))


def fused(statements: Sequence[Stmt]) -> list[Stmt]:
    """Move each row loop up to an earlier one of the same range where it may join it, and numbers out of their way."""
    done: list[Stmt] = []
    for statement in statements:
        if isinstance(statement, Branch):
            done.append(Branch(statement.test, fused(statement.then), fused(statement.other)))
        elif isinstance(statement, Repeat):
            done.append(Repeat(statement.head, statement.operands, fused(statement.body)))
        elif isinstance(statement, Set):
            done.insert(_before_loops(statement, done), statement)
        elif isinstance(statement, Loop):
            _join(statement, done)
        else:
            done.append(statement)
    return done


def _before_loops(one: Set, done: Sequence[Stmt]) -> int:
    """The place before the first of the loops that a number need not wait for."""
    mine, place = Uses.of([one]), len(done)
    for n in range(len(done) - 1, -1, -1):
        uses = _uses(done[n])
        if uses is None or _collide(uses, mine, elementwise=False):
            break
        if isinstance(done[n], Loop):
            place = n
    return place


def _join(loop: Loop, done: list[Stmt]) -> None:
    mine = _uses(loop)
    assert mine is not None
    for n in range(len(done) - 1, -1, -1):
        before = done[n]
        if isinstance(before, Loop) and _joins(before, loop):
            done[n] = Loop(before.low, before.high, [*before.sets, *loop.sets], [*before.first, *loop.first])
            return
        uses = _uses(before)
        if uses is None or _collide(uses, mine, elementwise=False):
            break
    done.append(loop)


def _joins(before: Loop, loop: Loop) -> bool:
    alike = (before.low, before.high) == (loop.low, loop.high)
    free = not _collide(Uses.of(before.sets), Uses.of(loop.first), elementwise=False)
    return alike and free and not _collide(Uses.of(before.sets), Uses.of(loop.sets), elementwise=True)


def _uses(statement: Stmt) -> Uses | None:
    """What a statement uses; None where nothing may be moved across it."""
    if isinstance(statement, Set):
        return Uses.of([statement])
    if isinstance(statement, Loop):
        return Uses.of([*statement.first, *statement.sets])
    if isinstance(statement, Scan):
        return Uses(frozenset([statement.row]), frozenset([statement.row]))
    return None


def _collide(a: Uses, b: Uses, *, elementwise: bool) -> bool:
    pairs = [(a.writes, b.reads), (a.reads, b.writes), (a.writes, b.writes)]
    return any(_meet(x, y, elementwise=elementwise) for xs, ys in pairs for x in xs for y in ys)


def _meet(x: str | Elem, y: str | Elem, *, elementwise: bool) -> bool:
    if isinstance(x, str) or isinstance(y, str):
        return x == y
    if x.array != y.array:
        return False
    # In step, each turn of the joined loop touches its own element of the row: the order stays.
    return not (elementwise and len(x.along) == 1 and x.along == y.along)


def checks_in(statements: Sequence[Stmt]) -> bool:
    """Whether anything may raise."""
    return any(
        isinstance(s, Check)
        or (isinstance(s, Branch) and (checks_in(s.then) or checks_in(s.other)))
        or (isinstance(s, Repeat) and checks_in(s.body))
        for s in statements
    )


def users(statements: Sequence[Stmt]) -> Iterator[tuple[Stmt, set[str]]]:
    """Each statement, inner ones too, with the arrays that it uses itself."""
    for s in statements:
        if isinstance(s, Set | Loop):
            uses = Uses.of([s] if isinstance(s, Set) else [*s.first, *s.sets])
            yield s, {e.array for e in uses.reads | uses.writes if isinstance(e, Elem)}
        elif isinstance(s, Check):
            yield s, {e.array for e in elements(s.condition)}
        elif isinstance(s, Scan):
            yield s, {s.row.array}
        elif isinstance(s, Branch):
            yield s, {e.array for e in elements(s.test)}
            yield from users([*s.then, *s.other])
        elif isinstance(s, Repeat):
            yield s, {e.array for o in s.operands for e in elements(o)}
            yield from users(s.body)


def written_arrays(statements: Sequence[Stmt]) -> set[str]:
    """The arrays that statements write."""
    found: set[str] = set()
    for s, _ in users(statements):
        if isinstance(s, Set | Loop):
            uses = Uses.of([s] if isinstance(s, Set) else [*s.first, *s.sets])
            found |= {e.array for e in uses.writes if isinstance(e, Elem)}
    return found
