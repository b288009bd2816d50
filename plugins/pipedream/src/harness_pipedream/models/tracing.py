"""A model's forward as torch.fx operations, and what each of them does with a batch."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import fx, nn

from harness import HarnessError

# While torch.fx traces, it replaces what calls modules, for all threads.
_TRACING = threading.Lock()


class _Opaque(Exception):
    """Tracing got stuck inside a module, which is then kept whole."""

    def __init__(self, name: str, reason: Exception) -> None:
        super().__init__(str(reason))
        self.name = name


class _Tracer(fx.Tracer):
    """Traces into every module but those of torch and those to be kept whole."""

    def __init__(self, whole: Collection[str]) -> None:
        super().__init__()
        self._whole = whole
        self._thread = threading.get_ident()

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a module is one operation."""
        return module_qualified_name in self._whole or super().is_leaf_module(m, module_qualified_name)

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        """Trace a call; a module of the user's that cannot be traced is reported by its name."""
        if threading.get_ident() != self._thread:  # another worker's model at work
            return forward(*args, **kwargs)
        try:
            return super().call_module(m, forward, args, kwargs)
        except _Opaque:
            raise
        except Exception as error:
            raise _Opaque(self.path_of_module(m), error) from error


def operations(model: nn.Module, whole: Collection[str] = ()) -> fx.Graph:
    """The operations of a model's forward; an ``nn.Sequential`` has its items, and is not traced.

    Modules of torch, the modules named in ``whole`` and those that torch.fx cannot trace are one operation each.
    """
    if type(model) is nn.Sequential:
        return _chain(model)
    whole = set(whole)
    while True:
        try:
            with _TRACING:
                graph = _Tracer(whole).trace(model, concrete_args=_defaults(model))
            return _trimmed(graph, model)
        except _Opaque as opaque:
            if opaque.name in whole:
                raise HarnessError(f"torch.fx cannot trace the call of {opaque.name!r}: {_line(opaque)}") from opaque
            whole.add(opaque.name)
        except HarnessError:
            raise
        except Exception as error:
            raise HarnessError(
                f"{type(model).__name__}: torch.fx cannot trace its forward ({_line(error)}): make the model an "
                "nn.Sequential, or move what depends on the values of tensors into a module of its own"
            ) from error


def _chain(model: nn.Sequential) -> fx.Graph:
    graph = fx.Graph()
    value = graph.placeholder("input")
    for name in _items(model):
        value = graph.call_module(name, (value,))
    graph.output(value)
    return graph


def _items(sequence: nn.Sequential, prefix: str = "") -> Iterator[str]:
    """The names of the items, those of sequences within in place."""
    for name, item in sequence._modules.items():
        if type(item) is nn.Sequential:
            yield from _items(item, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _defaults(model: nn.Module) -> dict[str, Any]:
    """The arguments of a forward that have a default: they keep it."""
    signature = inspect.signature(model.forward)
    return {name: p.default for name, p in signature.parameters.items() if p.default is not p.empty}


def _trimmed(graph: fx.Graph, model: nn.Module) -> fx.Graph:
    """Drop operations that nothing uses, but for modules and what writes in place: those have effects."""
    defaults = [node for node in graph.nodes if node.op == "placeholder"][1:]
    for node in reversed(graph.nodes):
        named = str(getattr(node.target, "__name__", node.target))
        pure = node.op in ("call_function", "call_method", "get_attr") and not named.endswith("_")
        if not node.users and (pure or node in defaults):
            graph.erase_node(node)
    if sum(node.op == "placeholder" for node in graph.nodes) != 1:
        raise HarnessError(f"{type(model).__name__}: its forward must take one tensor")
    return graph


class Example(fx.Interpreter):
    """What each operation gives for one batch, and which operations' values it writes into.

    ``tensors`` has a tensor on the meta device for each that gives one, ``others`` the type of what the others give.
    """

    def __init__(self, model: nn.Module, graph: fx.Graph) -> None:
        super().__init__(model, garbage_collect_values=False, graph=graph)
        self.extra_traceback = False
        self.tensors: dict[fx.Node, torch.Tensor] = {}
        self.others: dict[fx.Node, type] = {}
        self.writes: dict[fx.Node, tuple[fx.Node, ...]] = {}

    def run_node(self, n: fx.Node) -> Any:
        """Run one operation."""
        versions = {node: value._version for node, value in self.env.items() if _is_tensor(value)}
        try:
            value = super().run_node(n)
        except Exception as error:
            for taken in n.all_input_nodes:
                if taken.op == "call_module" and taken in self.others:
                    raise no_tensor(label(taken), self.others[taken]) from error
            raise HarnessError(f"layer {label(n)!r} cannot run on its input: {_line(error)}") from error
        self.writes[n] = tuple(node for node, version in versions.items() if self.env[node]._version != version)
        if _is_tensor(value):
            self.tensors[n] = torch.empty(value.shape, dtype=value.dtype, device="meta")
        else:
            self.others[n] = type(value)
        return value


def try_out(model: nn.Module, graph: fx.Graph, batch: torch.Tensor) -> Example:
    """Run a batch through the operations, which must give what the model gives; the model stays as it was.

    Raises:
        HarnessError: where an operation fails, or the operations give something else than the model.
    """
    example = Example(model, graph)
    with torch.no_grad():
        with _untouched(model, batch):
            found = example.run(batch.clone())
        if type(model) is not nn.Sequential:
            with _untouched(model, batch):
                expected = model(batch.clone())
            if _is_tensor(expected) and not torch.allclose(found, expected, rtol=1e-4, atol=1e-6, equal_nan=True):
                raise HarnessError(
                    f"{type(model).__name__}: its forward, as torch.fx traced it, gives other numbers: make it an "
                    "nn.Sequential, or move what tracing misses (new random numbers, say) into a module of its own"
                )
    return example


def no_tensor(name: str, given: type) -> HarnessError:
    """What is wrong with a layer that gives something else than a tensor."""
    return HarnessError(
        f"layer {name!r} gives a {given.__name__}, not a tensor: wrap it in a module that returns one tensor"
    )


def label(node: fx.Node) -> str:
    """What a user calls an operation: a module by its place in the model."""
    return str(node.target) if node.op == "call_module" else node.name


@contextmanager
def _untouched(model: nn.Module, batch: torch.Tensor) -> Iterator[None]:
    """Give the buffers and the random generators back as they were."""
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        with torch.random.fork_rng(devices=[batch.device] if batch.is_cuda else []):
            yield
    finally:
        for buffer, earlier in buffers:
            buffer.copy_(earlier)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor)


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
