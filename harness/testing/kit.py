"""Which checks there are for which component, and making them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from harness.components import KINDS, Serial
from harness.errors import HarnessError, UnknownName
from harness.registry import Offer, Registry
from harness.testing import declared, devices, metrics, parallelizers, workloads
from harness.testing.cells import TIME_LIMIT, Bench, Pair
from harness.testing.outcomes import Check, Outcome

RUN = ("workload", "parallelizer")


def check(names: Sequence[str], registry: Registry, *, time_limit: float = TIME_LIMIT) -> Iterator[Outcome]:
    """Make every check of these components, or of all that these plugins offer; each outcome as it comes."""
    for one in checks_of(names, registry, time_limit=time_limit):
        yield one()


def checks_of(names: Sequence[str], registry: Registry, *, time_limit: float = TIME_LIMIT) -> list[Check]:
    """The checks of these components, or of all that these plugins offer; ``time_limit`` in seconds a cell."""
    offers = {(o.kind, o.qualified): o for name in names for o in resolve(name, registry)}
    bench = Bench(registry, time_limit=time_limit, ahead=_ahead(offers.values(), registry))
    return [one for offer in offers.values() for one in _checks(offer, bench)]


def _ahead(offers: Iterable[Offer], registry: Registry) -> set[str]:
    """What all cells may import, where there will be many; metrics alone need but a few."""
    if {offer.kind for offer in offers}.isdisjoint(RUN):
        return set()
    return {module for kind in RUN for offer in registry.of_kind(kind) for module in offer.thing.imports}


def resolve(name: str, registry: Registry) -> list[Offer]:
    """The components of that name, and those of the plugin or distribution of that name."""
    everything = [offer for kind in KINDS for offer in registry.of_kind(kind)]
    for plugin in registry.plugins:
        if plugin.error and name in (plugin.name, plugin.distribution):
            raise HarnessError(f"plugin {name!r} failed to load: {plugin.error}")
    found = [o for o in everything if name in (o.name, o.qualified, o.plugin.name, o.plugin.distribution)]
    if not found:
        known = [o.name for o in everything] + [p.name for p in registry.plugins]
        raise UnknownName("component or plugin", name, known)
    return found


def _checks(offer: Offer, bench: Bench) -> Iterator[Check]:
    general: dict[str, Callable[[Offer], None]] = {
        "summary": declared.summary,
        "label": declared.label,
        "parameters": declared.parameters,
        "frozen": declared.frozen,
        "round-trip": declared.round_trip,
        "errors": partial(declared.errors, registry=bench.registry),
        "availability": declared.availability,
        "light": declared.light,
    }
    for name, ask in general.items():
        yield _one(offer, name, partial(ask, offer))
    yield from _OF_KIND[offer.kind](offer, bench)


def _of_workload(offer: Offer, bench: Bench) -> Iterator[Check]:
    yield _one(offer, "prepare", partial(workloads.prepare, bench, offer))
    yield _one(offer, "travels", partial(workloads.travels, bench, offer))
    if issubclass(offer.thing, Serial):
        serial = bench.registry.offer("parallelizer", "paper-harness:serial")
        yield from _of_pair(Pair(serial, offer), offer, bench)


def _of_parallelizer(offer: Offer, bench: Bench) -> Iterator[Check]:
    for pair in bench.pairs(offer):
        yield from _of_pair(pair, offer, bench)


def _of_pair(pair: Pair, of: Offer, bench: Bench) -> Iterator[Check]:
    other = pair.workload if of is pair.parallelizer else pair.parallelizer
    expected = _expected(pair.workload) | _expected(pair.parallelizer)
    for name, ask in parallelizers.CHECKS.items():
        yield Check(of.kind, f"{of.name} on {other.name}", name, partial(ask, bench, pair), expected.get(name, ""))


def _of_metric(offer: Offer, bench: Bench) -> Iterator[Check]:
    for name, ask in metrics.BY_ITSELF.items():
        yield _one(offer, name, partial(ask, offer))
    for name, look in metrics.on_cells(offer).items():
        yield _one(offer, name, partial(look, bench, offer))


def _of_device(offer: Offer, bench: Bench) -> Iterator[Check]:
    for name, question in devices.CHECKS.items():
        yield _one(offer, name, partial(devices.asked, question, bench, offer))


_OF_KIND = {"workload": _of_workload, "parallelizer": _of_parallelizer, "metric": _of_metric, "device": _of_device}


def _one(offer: Offer, name: str, ask: Callable[[], None]) -> Check:
    return Check(offer.kind, offer.name, name, ask, _expected(offer).get(name, ""))


def _expected(offer: Offer) -> dict[str, str]:
    """What a component says it cannot do, by check, with the reason."""
    return dict(offer.thing.expected_failures)
