"""A profile: what each layer of a model costs, and how the layers feed each other.

Two formats are read: JSON, the plugin's own, and the ``graph.txt`` of the released PipeDream. Both
describe one minibatch on one device.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from harness import HarnessError


@dataclass(frozen=True)
class Layer:
    """One layer on one minibatch: seconds, the bytes of its output, the bytes of its parameters.

    ``update_seconds`` are the optimizer's, once for each minibatch that a replica handles.
    """

    name: str
    forward_seconds: float
    backward_seconds: float
    activation_bytes: int
    parameter_bytes: int
    update_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        """Forward, backward and update together."""
        return self.forward_seconds + self.backward_seconds + self.update_seconds


@dataclass(frozen=True)
class Profile:
    """Layers in a topological order, and edges (from, to) between their indices."""

    layers: tuple[Layer, ...]
    edges: tuple[tuple[int, int], ...]
    batch_size: int | None = None

    def __post_init__(self) -> None:
        if not self.layers:
            raise HarnessError("a profile needs at least one layer")
        for layer in self.layers:
            for field, amount in asdict(layer).items():
                if field != "name" and not (isfinite(amount) and amount >= 0):
                    raise HarnessError(f"layer {layer.name!r}: {field} must be a number from 0, not {amount}")
        for a, b in self.edges:
            if not 0 <= a < b < len(self.layers):
                raise HarnessError(
                    f"edge {a} -> {b}: edges lead from a layer to a later one, 0 to {len(self.layers) - 1}"
                )

    @classmethod
    def chain(cls, layers: tuple[Layer, ...], *, batch_size: int | None = None) -> Profile:
        """A profile whose layers run one after the other."""
        return cls(layers, tuple((i, i + 1) for i in range(len(layers) - 1)), batch_size)

    @property
    def is_chain(self) -> bool:
        """Whether each layer feeds the next one and no other."""
        return set(self.edges) == {(i, i + 1) for i in range(len(self.layers) - 1)}

    @property
    def seconds(self) -> float:
        """One minibatch on one worker."""
        return sum(layer.seconds for layer in self.layers)

    @property
    def parameter_bytes(self) -> int:
        """Bytes of all parameters."""
        return sum(layer.parameter_bytes for layer in self.layers)

    @classmethod
    def read(cls, path: Path) -> Profile:
        """Read a profile of either format; its content tells which.

        Raises:
            HarnessError: where the file is none, naming file and line.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise HarnessError(f"cannot read a profile: {error}", where=str(path)) from error
        return cls.parse(text, where=str(path))

    @classmethod
    def parse(cls, text: str, *, where: str = "profile", batch_size: int | None = None) -> Profile:
        """Read a profile from text; ``batch_size`` is for the published format, which does not say it."""
        if text.lstrip().startswith("{"):
            return cls._from_json(text, where)
        from harness_pipedream.profiling.graphfile import parse_graph

        layers, edges = parse_graph(text, where)
        return _checked(where, layers, edges, batch_size)

    def write(self, path: Path) -> None:
        """Write the plugin's own format."""
        Path(path).write_text(json.dumps(self.to_json(), indent=1) + "\n", encoding="utf-8")

    def to_json(self) -> dict[str, Any]:
        """The profile as JSON."""
        return {
            "batch_size": self.batch_size,
            "layers": [asdict(layer) for layer in self.layers],
            "edges": [list(edge) for edge in self.edges],
        }

    @classmethod
    def _from_json(cls, text: str, where: str) -> Profile:
        try:
            found = json.loads(text)
        except ValueError as error:
            raise HarnessError(f"no JSON: {error}", where=where) from error
        layers = tuple(_layer(entry, f"{where}: layers[{i}]") for i, entry in enumerate(_list(found, "layers", where)))
        edges = []
        for i, edge in enumerate(_list(found, "edges", where)):
            if not (isinstance(edge, list) and len(edge) == 2 and all(type(end) is int for end in edge)):
                raise HarnessError(f"an edge is [from, to], not {edge!r}", where=f"{where}: edges[{i}]")
            edges.append((edge[0], edge[1]))
        batch_size = found.get("batch_size")
        if batch_size is not None and not (type(batch_size) is int and batch_size > 0):
            raise HarnessError(f"must be a positive whole number, not {batch_size!r}", where=f"{where}: batch_size")
        return _checked(where, layers, tuple(edges), batch_size)


_FIELDS = {
    "name": str,
    "forward_seconds": float,
    "backward_seconds": float,
    "activation_bytes": int,
    "parameter_bytes": int,
    "update_seconds": float,
}
_OPTIONAL = {"update_seconds"}


def _checked(
    where: str, layers: tuple[Layer, ...], edges: tuple[tuple[int, int], ...], batch_size: int | None
) -> Profile:
    try:
        return Profile(layers, edges, batch_size)
    except HarnessError as error:
        raise HarnessError(error.message, where=where) from error


def _list(found: Mapping[str, Any], key: str, where: str) -> list[Any]:
    if not isinstance(found.get(key), list):
        raise HarnessError(f"a profile has a list {key!r}", where=where)
    return list(found[key])


def _layer(entry: Any, where: str) -> Layer:
    if not isinstance(entry, dict) or set(entry) | _OPTIONAL != set(_FIELDS):
        raise HarnessError(f"a layer has {', '.join(_FIELDS)}", where=where)
    try:
        return Layer(**{field: _FIELDS[field](amount) for field, amount in entry.items()})
    except (TypeError, ValueError, OverflowError) as error:
        raise HarnessError(str(error), where=where) from error
