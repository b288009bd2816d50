"""Finding plugins: entry points to components, names to classes, mistakes to suggestions.

Each entry point is loaded by itself; one that fails is listed with its error and costs nobody else
anything. ``HARNESS_STRICT_PLUGINS=1`` raises instead; ``HARNESS_PLUGINS=a,b`` selects entry points.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy
from pydantic import ValidationError

from harness import hookspecs
from harness.components import KINDS, Component, Estimator, check_component
from harness.errors import HarnessError, UnknownName, suggestion

if TYPE_CHECKING:
    from harness.data import Dataset

GROUP = "harness"
STRICT = "HARNESS_STRICT_PLUGINS"


class NotInstalled(HarnessError):
    """A qualified name whose distribution is not installed here; its cells are skipped."""


@dataclass(frozen=True)
class Plugin:
    """One entry point: where it came from, and what went wrong with it."""

    name: str
    distribution: str
    version: str
    error: str = ""


@dataclass(frozen=True)
class Offer:
    """Something that a plugin provides under a name."""

    kind: str
    name: str
    plugin: Plugin
    thing: Any = field(repr=False)

    @property
    def qualified(self) -> str:
        """The name that is never ambiguous."""
        return f"{self.plugin.distribution}:{self.name}"


@dataclass
class Registry:
    """Everything that the loaded plugins provide."""

    manager: pluggy.PluginManager
    plugins: list[Plugin] = field(default_factory=list)
    offers: list[Offer] = field(default_factory=list)

    def of_kind(self, kind: str) -> list[Offer]:
        """What is offered of a kind, by name."""
        return sorted((o for o in self.offers if o.kind == kind), key=lambda o: (o.name, o.qualified))

    def names(self, kind: str) -> list[str]:
        """The names of a kind."""
        return [o.name for o in self.of_kind(kind)]

    def offer(self, kind: str, name: str, *, where: str | None = None) -> Offer:
        """Resolve a bare or ``distribution:name``; raise with near names, or naming both of two offers."""
        distribution, _, bare = name.rpartition(":")
        if distribution and not any(_same(distribution, p.distribution) for p in self.plugins):
            raise NotInstalled(f"{kind} {name!r} needs {distribution}: pip install {distribution}", where=where)
        named = [o for o in self.of_kind(kind) if o.name == bare]
        found = [o for o in named if not distribution or _same(distribution, o.plugin.distribution)]
        if not found:
            raise UnknownName(kind, name, self.names(kind), where=where)
        if len(found) > 1:
            both = " and ".join(repr(o.qualified) for o in found)
            raise HarnessError(f"{kind} {name!r} is ambiguous: use {both}", where=where)
        return found[0]

    def component(self, kind: str, name: str, *, where: str | None = None) -> type[Component]:
        """Resolve a component's class."""
        cls: type[Component] = self.offer(kind, name, where=where).thing
        return cls

    def build(self, kind: str, name: str, parameters: dict[str, Any], *, where: str | None = None) -> Any:
        """Make a component; a wrong parameter is one clear line."""
        cls = self.component(kind, name, where=where)
        try:
            return cls(**parameters)
        except ValidationError as error:
            raise HarnessError(explain(error, cls), where=where) from None

    def observe(self, hook: str, **arguments: Any) -> list[Any]:
        """Call every plugin's implementation of an observing hook; one that raises costs nobody else anything."""
        results = []
        for implementation in getattr(self.manager.hook, hook).get_hookimpls():
            try:
                results.append(implementation.function(**{n: arguments[n] for n in implementation.argnames}))
            except Exception as error:
                if os.environ.get(STRICT) == "1":
                    raise
                message = f"{hook} of plugin {implementation.plugin_name!r}: {type(error).__name__}: {error}"
                warnings.warn(message, RuntimeWarning, stacklevel=2)
        return results

    def dataset(self, name: str) -> Dataset:
        """Resolve a data set."""
        found: Dataset = self.offer("dataset", name).thing
        return found


def explain(error: ValidationError, model: type[Any]) -> str:
    """One line for the first thing wrong with a model's input, and how many more there are."""
    problems = error.errors()
    first = problems[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        text = f"unknown key {place!r}; {suggestion(place.rpartition('.')[2], model.model_fields)}"
    elif first["type"] == "missing":
        text = f"{place} is missing"
    else:
        message = first["msg"].removeprefix("Value error, ")
        text = f"{place + ': ' if place else ''}{message}, not {_short(first['input'])}"
    return text + (f" (and {len(problems) - 1} more)" if len(problems) > 1 else "")


def _short(thing: object) -> str:
    text = repr(thing)
    return text if len(text) <= 60 else text[:57] + "..."


def _same(a: str, b: str) -> bool:
    return a.replace("_", "-").lower() == b.replace("_", "-").lower()


@cache
def load() -> Registry:
    """Load every installed plugin, once a process."""
    return load_from(_selected())


def load_from(points: list[EntryPoint]) -> Registry:
    """Load these entry points, each by itself."""
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    registry = Registry(manager)
    for point in points:
        _load_one(registry, point)
    return registry


def _selected() -> list[EntryPoint]:
    wanted = [w.strip() for w in os.environ.get("HARNESS_PLUGINS", "").split(",") if w.strip()]
    points = sorted(entry_points(group=GROUP), key=lambda p: (p.name != "builtin", p.name))
    if not wanted:
        return points
    return [p for p in points if p.name in wanted or p.name == "builtin" or (p.dist and p.dist.name in wanted)]


def _load_one(registry: Registry, point: EntryPoint) -> None:
    distribution = point.dist.name if point.dist else point.value
    version = point.dist.version if point.dist else ""
    try:
        module = point.load()
        registry.manager.register(module, name=point.name)
        plugin = Plugin(point.name, distribution, version)
        offers = _offers(registry.manager, module, plugin)
    except (Exception, SystemExit) as error:
        if os.environ.get(STRICT) == "1":
            raise
        message = f"{type(error).__name__}: {error}".split("\n")[0]
        registry.plugins.append(Plugin(point.name, distribution, version, message))
        if registry.manager.has_plugin(point.name):
            registry.manager.unregister(name=point.name)
        return
    registry.plugins.append(plugin)
    registry.offers.extend(offers)


def _offers(manager: pluggy.PluginManager, module: Any, plugin: Plugin) -> list[Offer]:
    _check_hook_names(module)
    offers = []
    for kind in KINDS:
        for cls in _call(manager, module, f"harness_{kind}s"):
            check_component(cls, kind)
            offers.append(Offer(kind, cls.name, plugin, cls))
    for dataset in _call(manager, module, "harness_datasets"):
        offers.append(Offer("dataset", dataset.name, plugin, dataset))
    for path in _call(manager, module, "harness_suites"):
        offers.append(Offer("suite", Path(path).stem, plugin, Path(path)))
    for estimator in _call(manager, module, "harness_estimators"):
        offers.append(Offer("estimator", estimator.name, plugin, _estimator(estimator)))
    for commands in _results(manager, module, "harness_commands"):
        offers.extend(Offer("command", name, plugin, target) for name, target in commands.items())
    return offers


def _estimator(thing: Any) -> Estimator:
    if not isinstance(thing, Estimator):
        raise HarnessError(f"{thing!r} is no Estimator")
    return thing


def _check_hook_names(module: Any) -> None:
    known = [name for name in vars(hookspecs) if name.startswith("harness_")]
    for name in vars(module):
        if name.startswith("harness_") and hasattr(vars(module)[name], "harness_impl") and name not in known:
            raise UnknownName("hook", name, known)


def _results(manager: pluggy.PluginManager, module: Any, hook: str) -> Iterator[Any]:
    """What one plugin's implementations of a hook return."""
    caller = getattr(manager.hook, hook)
    for implementation in caller.get_hookimpls():
        if implementation.plugin is module:
            function: Callable[[], Any] = implementation.function
            yield function() or ()


def _call(manager: pluggy.PluginManager, module: Any, hook: str) -> Iterator[Any]:
    for result in _results(manager, module, hook):
        yield from result
