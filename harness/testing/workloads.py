"""Checks of a workload: preparing it twice changes nothing, and it travels as its parameters alone."""

from __future__ import annotations

import pickle

from harness.components import Workload
from harness.registry import Offer
from harness.testing.cells import Bench
from harness.testing.declared import available
from harness.testing.isolated import isolated
from harness.testing.outcomes import Problem


def prepare(bench: Bench, offer: Offer) -> None:
    """Preparation is idempotent."""
    available(offer)
    isolated(prepared_twice, offer, time_limit=bench.time_limit)


def travels(bench: Bench, offer: Offer) -> None:
    """A prepared workload is pickled as its parameters alone."""
    available(offer)
    isolated(prepared_and_sent, offer, time_limit=bench.time_limit)


def prepared_twice(offer: Offer) -> None:
    """Prepare twice, and another one again, as workers do; asked in a fresh process."""
    workload: Workload = offer.thing()
    before = workload.parameters()
    workload.prepare()
    once = workload.parameters()
    for again in (workload, offer.thing()):
        try:
            again.prepare()
        except Exception as error:
            raise Problem(f"preparing it again raises {type(error).__name__}: {error}") from None
    for after in (once, workload.parameters()):
        changed = [name for name in before if before[name] != after[name]]
        if changed:
            raise Problem(f"prepare changes {', '.join(changed)}: parameters stay as they are")


def prepared_and_sent(offer: Offer) -> None:
    """Pickle a prepared workload; asked in a fresh process."""
    workload: Workload = offer.thing()
    workload.prepare()
    arrived = pickle.loads(pickle.dumps(workload))
    more = sorted(set(vars(arrived)) - set(type(workload).model_fields))
    if more:
        raise Problem(f"what prepare made travels too: {', '.join(more)}; leave __getstate__ as it is")
    if arrived.parameters() != workload.parameters():
        raise Problem(f"arrives with other parameters: {arrived.parameters()}, not {workload.parameters()}")
