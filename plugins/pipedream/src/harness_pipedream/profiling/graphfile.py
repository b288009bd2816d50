"""The profile graphs that the authors published (``graph.txt`` of github.com/msr-fiddle/pipedream).

A line is a node, ``node4 -- Conv2d(...) -- forward_compute_time=1.5, ...`` in milliseconds and bytes, or,
after a tab, an edge, ``node3 -- node4``. As in the released optimizer, source nodes that stand for the
input are left out, since their time is data loading, and so are indexing nodes that nothing reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from heapq import heapify, heappop, heappush

from harness import HarnessError
from harness_pipedream.profiling.profile import Layer

_NODE = re.compile(r"(?P<id>\S+) -- (?P<name>.*) -- (?P<costs>forward_compute_time=.*?)(?: -- stage_id=\d+)?")
_EDGE = re.compile(r"\t(?P<source>\S+) -- (?P<target>\S+)")
_COST = re.compile(r"(\w+)=(\[[^\]]*\]|[^,]*)")

Edge = tuple[str, str]


def parse_graph(text: str, where: str) -> tuple[tuple[Layer, ...], tuple[tuple[int, int], ...]]:
    """Read layers in a topological order, and the edges between them."""
    nodes: dict[str, Layer] = {}
    edges: dict[Edge, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if edge := _EDGE.fullmatch(line.rstrip()):
            edges[edge["source"], edge["target"]] = number
        elif node := _NODE.fullmatch(line.rstrip()):
            nodes[node["id"]] = _layer(node["name"], node["costs"], f"{where}: line {number}")
        elif line.strip():
            raise HarnessError(
                "neither a node, 'node4 -- NAME -- forward_compute_time=...', nor an edge, TAB 'node3 -- node4'",
                where=f"{where}: line {number}",
            )
    for (source, target), number in edges.items():
        for end in (source, target):
            if end not in nodes:
                raise HarnessError(f"the edge names {end}, which is no node", where=f"{where}: line {number}")
    kept = _without_ends(nodes, set(edges))
    between = {edge for edge in edges if set(edge) <= set(kept)}
    order = _topological(kept, between, where)
    place = {node: i for i, node in enumerate(order)}
    return tuple(kept[node] for node in order), tuple(sorted((place[a], place[b]) for a, b in between))


def _layer(name: str, costs: str, where: str) -> Layer:
    found = dict(_COST.findall(costs))
    try:
        return Layer(
            name=name,
            forward_seconds=float(found["forward_compute_time"]) / 1000,
            backward_seconds=float(found["backward_compute_time"]) / 1000,
            activation_bytes=round(sum(map(float, found["activation_size"].strip("[]").split(";")))),
            parameter_bytes=round(float(found["parameter_size"])),
        )
    except KeyError as error:
        raise HarnessError(f"the node has no {error.args[0]}", where=where) from error
    except (ValueError, OverflowError) as error:
        raise HarnessError(f"the node's costs are no numbers: {error}", where=where) from error


def _without_ends(nodes: Mapping[str, Layer], edges: set[Edge]) -> dict[str, Layer]:
    read, fed = {a for a, _ in edges}, {b for _, b in edges}
    return {
        node: layer
        for node, layer in nodes.items()
        if not (layer.name.startswith("Input") and node not in fed)
        and not (layer.name.startswith("__getitem__") and node not in read)
    }


def _topological(nodes: Mapping[str, Layer], edges: set[Edge], where: str) -> list[str]:
    """Kahn's algorithm; of the nodes that could come next, the one with the lowest number does."""
    waiting = dict.fromkeys(nodes, 0)
    after: dict[str, list[str]] = {node: [] for node in nodes}
    for a, b in edges:
        waiting[b] += 1
        after[a].append(b)
    ready = [(_number(node), node) for node, count in waiting.items() if not count]
    heapify(ready)
    order = []
    while ready:
        _, node = heappop(ready)
        order.append(node)
        for later in after[node]:
            waiting[later] -= 1
            if not waiting[later]:
                heappush(ready, (_number(later), later))
    if len(order) < len(nodes):
        stuck = next(node for node, count in waiting.items() if count)
        raise HarnessError(f"{stuck} lies on a cycle, or behind one", where=where)
    return order


def _number(node: str) -> int:
    digits = re.search(r"\d+$", node)
    return int(digits[0]) if digits else 0
