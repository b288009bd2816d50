"""Operations gathered into layers.

A layer gives one tensor. A function or method without parameters that takes the output of one
layer, which nothing else takes, joins that layer: the cut after it is as good as the one before.
What gives no tensor (a size, an index) or only looks a parameter up is no layer: whoever needs it
has an operation of its own for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import fx, nn

from harness_pipedream.models.tracing import Example, label

INPUT = -1  # the id of the model's own input among the layers' outputs


@dataclass
class Layer:
    """Operations that run one after the other; the last one's value is the layer's output."""

    nodes: list[fx.Node]
    reads: tuple[int, ...]
    aids: set[fx.Node] = field(default_factory=set)

    @property
    def output(self) -> fx.Node:
        """The operation whose value is handed on."""
        return self.nodes[-1]

    def state(self, model: nn.Module) -> set[int]:
        """The identities of the parameters and buffers that it uses."""
        return {id(tensor) for node in (*self.nodes, *self.aids) for tensor in _state(model, node)}


def gather(graph: fx.Graph, example: Example) -> list[Layer]:
    """The layers of a graph of operations, in the order in which they run."""
    layers: list[Layer] = []
    maker: dict[fx.Node, int] = {}  # which layer a value comes from
    aids = {node for node in graph.nodes if _is_aid(node, example)}
    for node in graph.nodes:
        if node.op == "placeholder":
            maker[node] = INPUT
        elif node.op != "output" and node not in aids:
            used = _aids_of(node, aids)
            reads = sorted({maker[taken] for user in (node, *used) for taken in user.all_input_nodes if taken in maker})
            if _joins(node, reads, layers, aids, example):
                layers[reads[0]].nodes.append(node)
                layers[reads[0]].aids |= used
            else:
                layers.append(Layer([node], tuple(reads), used))
                reads = [len(layers) - 1]
            maker[node] = reads[0]
    return layers


def within(node: fx.Node) -> str | None:
    """The user's module that a module's call is part of; ``None`` in the model's own forward."""
    around = [path for path, _ in node.meta.get("nn_module_stack", {}).values()][:-1]
    return around[-1] if around else None


def name_layers(layers: list[Layer]) -> tuple[str, ...]:
    """A name for each: that of its first operation, numbered where a module is called again."""
    names = [label(layer.nodes[0]) for layer in layers]
    return tuple(f"{n} ({names[:i].count(n) + 1})" if n in names[:i] else n for i, n in enumerate(names))


def _joins(node: fx.Node, reads: list[int], layers: list[Layer], aids: set[fx.Node], example: Example) -> bool:
    """Whether an operation belongs to the one layer that it reads; the order of operations stays."""
    looks_up = any(taken.op == "get_attr" for taken in node.all_input_nodes)
    if len(reads) != 1 or reads[0] == INPUT or node.op == "call_module" or looks_up:
        return False
    output = layers[reads[0]].output
    follows = reads[0] == len(layers) - 1 or output in example.others
    return follows and _users(output, aids) == {node}


def _is_aid(node: fx.Node, example: Example) -> bool:
    """Whether an operation is cheap and has no effect, so that each layer can have its own."""
    return node.op == "get_attr" or (node.op in ("call_function", "call_method") and node in example.others)


def _aids_of(node: fx.Node, aids: set[fx.Node]) -> set[fx.Node]:
    direct = {taken for taken in node.all_input_nodes if taken in aids}
    return direct.union(*(_aids_of(aid, aids) for aid in direct))


def _users(node: fx.Node, aids: set[fx.Node]) -> set[fx.Node]:
    """The operations that need a value, be it through aids."""
    return {far for user in node.users for far in (_users(user, aids) if user in aids else (user,))}


def _state(model: nn.Module, node: fx.Node) -> list[torch.Tensor]:
    if node.op == "call_module":
        module = model.get_submodule(str(node.target))
        return [*module.parameters(), *module.buffers()]
    if node.op == "get_attr":
        owner, _, name = str(node.target).rpartition(".")
        return [getattr(model.get_submodule(owner), name)]
    return []
