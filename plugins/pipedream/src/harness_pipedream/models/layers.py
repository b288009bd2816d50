"""A model as a graph of layers, and the parts of it that stages run.

An ``nn.Sequential`` has its items as layers. Of any other model, the forward is traced (torch.fx):
modules of torch, modules that cannot be traced, and functions of several tensors are the layers.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
from torch import fx, nn

from harness import HarnessError
from harness_pipedream.models.grouping import INPUT, Layer, gather, name_layers, within
from harness_pipedream.models.tracing import Example, no_tensor, operations, try_out

EXAMPLES = 2  # samples to trace a model with; one would be too few for batch normalization

# Workers may be threads, but torch seeds and traces models with state of the whole process.
BUILDING = threading.Lock()


class Part(fx.GraphModule):
    """Some layers of a model as one module.

    Its submodules, parameters and buffers are the model's own, under the model's names.
    ``forward`` takes the tensors ``inputs`` and returns a tuple of the tensors ``outputs``, both given as
    ids: a layer's index stands for its output, -1 for the model's input. What a part hands on without
    using it is among both.
    """

    @property
    def inputs(self) -> tuple[int, ...]:
        """The ids of the tensors that it takes."""
        return tuple(self.meta["inputs"])

    @property
    def outputs(self) -> tuple[int, ...]:
        """The ids of the tensors that it gives."""
        return tuple(self.meta["outputs"])


@dataclass(frozen=True, eq=False)
class LayerGraph:
    """The layers of a model in an order in which they can run.

    ``reads`` are the ids of the tensors that each layer takes, ``tensors`` has a tensor on the meta
    device (shape and dtype) for each id, ``tied`` the layers that share parameters or buffers.
    """

    names: tuple[str, ...]
    reads: tuple[tuple[int, ...], ...]
    output: int
    tensors: Mapping[int, torch.Tensor]
    tied: tuple[tuple[int, ...], ...]
    _model: nn.Module = field(repr=False)
    _layers: Sequence[Layer] = field(repr=False)
    _input: fx.Node = field(repr=False)

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Pairs (layer, a later layer that takes its output)."""
        return tuple((a, b) for b, taken in enumerate(self.reads) for a in taken if a != INPUT)

    def live(self, done: Collection[int]) -> tuple[int, ...]:
        """The ids of the tensors that are still needed once the layers ``done`` have run.

        Raises:
            HarnessError: where a layer is done before one that it takes its input from.
        """
        ran = set(done)
        self._check(ran, ran)
        needed = {taken for layer, reads in enumerate(self.reads) if layer not in ran for taken in reads}
        return tuple(sorted((needed | {self.output}) & (ran | {INPUT})))

    def part(self, layers: Collection[int], done_before: Collection[int] = ()) -> Part:
        """The part that runs some layers where the layers ``done_before`` have run.

        Raises:
            HarnessError: where a layer needs one that is in neither, or shares parameters with one outside.
        """
        own, before = set(layers), set(done_before)
        self._check(own, own | before)
        for tied in self.tied:
            if own.intersection(tied) and not own.issuperset(tied):
                names = " and ".join(repr(self.names[layer]) for layer in tied)
                raise HarnessError(f"layers {names} share parameters: put them in one stage")
        return self._part(own, self.live(before), self.live(before | own))

    def layer(self, index: int) -> Part:
        """One layer by itself: it takes what it reads and gives its output."""
        return self._part({index}, self.reads[index], (index,))

    def _check(self, layers: set[int], done: set[int]) -> None:
        """Refuse layers that are none, or whose inputs are not there."""
        for layer in sorted(layers):
            if not 0 <= layer < len(self.names):
                raise HarnessError(f"there is no layer {layer}: there are {len(self.names)}, from 0")
            for missing in sorted(set(self.reads[layer]) - done - {INPUT}):
                raise HarnessError(
                    f"layer {self.names[layer]!r} takes the output of {self.names[missing]!r}: that must be done before"
                )

    def _part(self, layers: set[int], inputs: tuple[int, ...], outputs: tuple[int, ...]) -> Part:
        graph = fx.Graph()
        values: dict[fx.Node, fx.Node] = {self._node(number): graph.placeholder(f"x{number + 1}") for number in inputs}

        def value_of(node: fx.Node) -> fx.Node:
            if node not in values:  # an operation that each part repeats
                values[node] = graph.node_copy(node, value_of)
            return values[node]

        for layer in sorted(layers):
            for node in self._layers[layer].nodes:
                values[node] = graph.node_copy(node, value_of)
        graph.output(tuple(values[self._node(number)] for number in outputs))
        part = Part(self._model, graph)
        part.meta.update(inputs=inputs, outputs=outputs)  # copies of the part keep them
        _keep_transient(part, self._model)
        return part

    def _node(self, number: int) -> fx.Node:
        """The operation that gives a tensor."""
        layer = self._layers[number] if number != INPUT else None
        return layer.output if layer else self._input


def layer_graph(model: nn.Module, example_input: torch.Tensor) -> LayerGraph:
    """Find the layers of a model and how they feed each other, with one run on a batch.

    The batch has to be where the model is. The model is traced in the mode it is in, and left as it was.

    Raises:
        HarnessError: where the forward cannot be traced, takes or gives anything but one tensor, or a
            layer gives no tensor, fails, or modifies its input in place; it names the layer.
    """
    _check_names(model)
    graph, example, layers = _layers(model, example_input)
    names = name_layers(layers)
    _check_layers(layers, names, example)
    result = next(node for node in graph.nodes if node.op == "output").args[0]
    outputs = {layer.output: index for index, layer in enumerate(layers)}
    if result not in outputs:
        raise HarnessError(f"{type(model).__name__}: its forward must return one tensor that a layer computes")
    source = next(node for node in graph.nodes if node.op == "placeholder")
    return LayerGraph(
        names=names,
        reads=tuple(layer.reads for layer in layers),
        output=outputs[result],
        tensors=MappingProxyType(
            {INPUT: example.tensors[source], **{i: example.tensors[n] for n, i in outputs.items()}}
        ),
        tied=_tied([layer.state(model) for layer in layers]),
        _model=model,
        _layers=layers,
        _input=source,
    )


def _check_names(model: nn.Module) -> None:
    taken = set(dir(Part(nn.Module(), fx.Graph())))
    for members in (model._modules, model._parameters, model._buffers):
        for name in taken.intersection(members):
            raise HarnessError(f"{type(model).__name__}: a part of it cannot be called {name!r}: use another name")


def _layers(model: nn.Module, batch: torch.Tensor) -> tuple[fx.Graph, Example, list[Layer]]:
    """The layers; where part of a module of the user's gives no tensor, that module is one layer."""
    whole: set[str] = set()
    while True:
        graph = operations(model, whole)
        example = try_out(model, graph, batch)
        layers = gather(graph, example)
        calls = [layer.output for layer in layers if layer.output in example.others]
        around = {path for call in calls if (path := within(call))} - whole
        if not around:
            return graph, example, layers
        whole |= around


def _check_layers(layers: Sequence[Layer], names: Sequence[str], example: Example) -> None:
    for layer, name in zip(layers, names, strict=True):
        if other := example.others.get(layer.output):
            raise no_tensor(name, other)
        if any(set(example.writes[node]) - set(layer.nodes) for node in layer.nodes):
            raise HarnessError(
                f"layer {name!r} modifies its input in place: let it return a new tensor (inplace=False, x = x + y)"
            )


def _tied(states: Sequence[set[int]]) -> tuple[tuple[int, ...], ...]:
    """The layers that have parameters or buffers in common, in groups."""
    groups: list[tuple[set[int], list[int]]] = []
    for layer, state in enumerate(states):
        if state:
            shared = [group for group in groups if group[0] & state]
            groups = [group for group in groups if group not in shared]
            groups.append((state.union(*(s for s, _ in shared)), [*(m for _, ms in shared for m in ms), layer]))
    return tuple(sorted(tuple(sorted(members)) for _, members in groups if len(members) > 1))


def _keep_transient(part: Part, model: nn.Module) -> None:
    """Leave out of the part's state what the model leaves out of its own."""
    stored = model.state_dict().keys()
    for path, _ in part.named_buffers():
        owner, _, name = path.rpartition(".")
        if path not in stored:
            part.get_submodule(owner)._non_persistent_buffers_set.add(name)


def carries_gradient(tensor: torch.Tensor, origin: int) -> bool:
    """Whether a gradient comes back for a tensor: not for the model's input, nor for whole numbers."""
    return origin != INPUT and (tensor.is_floating_point() or tensor.is_complex())
