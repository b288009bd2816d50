"""Whether a trace is well-formed, and what of it repeats with a seed."""

from __future__ import annotations

import numpy as np

from harness.testing.outcomes import Problem
from harness.trace import COUNTER, SPAN, VALUE
from harness.tracefile import Events, Trace

MEASURED = ("memory_", "device_memory_")
Sequence = dict[int, list[tuple[str, int, int, float]]]


def well_formed(trace: Trace) -> None:
    """Raise the first thing that is wrong with a trace."""
    for look in (_spans, _counters, _values, _steps):
        look(trace)


def _spans(trace: Trace) -> None:
    spans = trace.events.where(trace.events.kind == SPAN)
    _none(trace, spans, ~(np.isfinite(spans.start) & np.isfinite(spans.end)), "span {name} of worker {worker} is open")
    _none(trace, spans, spans.end < spans.start, "span {name} of worker {worker} ends before it starts")
    jobs = trace.spans("job")
    for end in jobs.end[-1:]:
        own = spans.where(spans.worker == -1)
        _none(trace, own, own.end > end, "span {name} ends after the job: close it before run returns")


def _counters(trace: Trace) -> None:
    counters = trace.events.where(trace.events.kind == COUNTER)
    _none(trace, counters, ~np.isfinite(counters.value), "counter {name} of worker {worker} was given {value}")
    _none(trace, counters, counters.value < 0, "counter {name} of worker {worker} is negative: {value:g}")


def _values(trace: Trace) -> None:
    values = trace.events.where(trace.events.kind == VALUE)
    _none(trace, values, ~np.isfinite(values.value), "value {name} of worker {worker} is {value} at step {step}")


def _steps(trace: Trace) -> None:
    """A value's steps go up with time on each worker."""
    for worker in trace.workers:
        for name in trace.names(VALUE):
            values = trace.values(name, worker=worker)
            steps = values.step[np.lexsort((values.step, values.start))]
            if (np.diff(steps[steps >= 0]) < 0).any():
                raise Problem(f"value {name!r} of worker {worker} goes back in its steps: {steps[:10].tolist()}")


def _none(trace: Trace, events: Events, wrong: np.ndarray[tuple[int], np.dtype[np.bool_]], text: str) -> None:
    if wrong.any():
        first = events.where(wrong)
        name = repr(trace.table[first.name[0]])
        raise Problem(text.format(name=name, worker=first.worker[0], value=first.value[0], step=first.step[0]))


def sequence(trace: Trace) -> Sequence:
    """Each worker's events in order: name, step, peer and value; what a clock or a processor measured is left out."""
    events = trace.events
    told: Sequence = {worker: [] for worker in trace.workers}
    for i in np.lexsort((events.end, events.start)).tolist():
        name = trace.table[events.name[i]]
        if not name.startswith(MEASURED):
            value = 0.0 if events.kind[i] == SPAN else float(events.value[i])
            told[int(events.worker[i])].append((name, int(events.step[i]), int(events.peer[i]), value))
    return told


def difference(one: Sequence, other: Sequence, *, whole: bool = True) -> str:
    """The first event that differs, in words; empty if none does. Not ``whole``: as far as both go."""
    for worker in sorted({*one, *other}):
        a, b = one.get(worker, []), other.get(worker, [])
        for i, (x, y) in enumerate(zip(a, b, strict=False)):
            if x != y:
                return f"event {i} of worker {worker}: {_words(x)} and {_words(y)}"
        if whole and len(a) != len(b):
            return f"worker {worker} left {len(a)} events and {len(b)}"
    return ""


def _words(event: tuple[str, int, int, float]) -> str:
    name, step, _, value = event
    return f"{name}={value:g} at step {step}"


def last_step(trace: Trace) -> tuple[str, int] | None:
    """The event with the highest step; ``None`` where no step was recorded."""
    if not (trace.events.step >= 0).any():
        return None
    i = int(trace.events.step.argmax())
    return trace.table[trace.events.name[i]], int(trace.events.step[i])
