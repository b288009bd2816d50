from __future__ import annotations

import copy
import random
import threading
from itertools import pairwise

import models
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from harness import HarnessError
from harness_pipedream.models.layers import LayerGraph, Part, layer_graph


def stages_of(graph: LayerGraph, cuts: set[int]) -> list[range]:
    ends = [0, *sorted(cuts), len(graph.names)]
    return [range(a, b) for a, b in pairwise(ends)]


def parts_of(graph: LayerGraph, stages: list) -> list[Part]:
    return [graph.part(stage, [m for s in stages[:i] for m in s]) for i, stage in enumerate(stages)]


def step(parts: list[nn.Module], batch: torch.Tensor) -> torch.Tensor:
    """Forward through parts that share no graph, and backward with the gradients that each hands back."""
    torch.manual_seed(7)
    values, flights = (batch,), []
    for part in parts:
        leaves = tuple(v.detach().requires_grad_(v.is_floating_point() and v is not batch) for v in values)
        values = part(*leaves)
        flights.append((leaves, values))
    (output,) = values
    gradients = [torch.linspace(-1, 1, output.numel()).view_as(output)]
    for leaves, outputs in reversed(flights):
        ends = [(o, g) for o, g in zip(outputs, gradients, strict=True) if g is not None and o.requires_grad]
        torch.autograd.backward([o for o, _ in ends], [g for _, g in ends])
        gradients = [leaf.grad for leaf in leaves]
    return output.detach()


class Whole(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        return (self.model(x),)


def assert_same_step(model: nn.Module, batch: torch.Tensor, stages_from) -> None:
    reference = copy.deepcopy(model)
    graph = layer_graph(model, batch)
    parts = parts_of(graph, stages_from(graph))
    torch.testing.assert_close(step(parts, batch), step([Whole(reference)], batch))
    for (name, here), there in zip(model.named_parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(here.grad, there.grad, msg=name)
    torch.testing.assert_close(list(model.buffers()), list(reference.buffers()))


@pytest.mark.parametrize("name", models.EXAMPLES)
@given(data=st.data())
@settings(max_examples=8, deadline=None)
def test_parts_in_a_row_compute_what_the_model_computes(name: str, data) -> None:
    model, batch = models.example(name)

    def stages(graph: LayerGraph) -> list[range]:
        return stages_of(graph, data.draw(st.sets(st.integers(1, len(graph.names) - 1), max_size=4)))

    assert_same_step(model, batch, stages)


wirings = st.integers(1, 7).flatmap(
    lambda n: st.tuples(*(st.lists(st.integers(0, i), min_size=1, max_size=3, unique=True) for i in range(n)))
)


@given(wirings, st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_any_order_of_stages_that_respects_the_edges_gives_the_same(sources, rng: random.Random) -> None:
    torch.manual_seed(0)
    model, batch = models.Wired([list(taken) for taken in sources]), torch.randn(4, 5)

    def stages(graph: LayerGraph) -> list[list[int]]:
        stage = [0] * len(graph.names)
        for layer, reads in enumerate(graph.reads):
            earliest = max((stage[read] for read in reads if read >= 0), default=0)
            stage[layer] = rng.randint(earliest, earliest + 2)
        numbers = sorted(set(stage))
        return [[layer for layer, at in enumerate(stage) if at == number] for number in numbers]

    assert_same_step(model, batch, stages)


@given(wirings, st.data())
@settings(max_examples=30, deadline=None)
def test_live_tensors_are_those_that_a_later_layer_reads(sources, data) -> None:
    graph = layer_graph(models.Wired([list(taken) for taken in sources]), torch.randn(2, 5))
    count = len(graph.names)
    wanted = data.draw(st.sets(st.integers(0, count - 1)))
    done: set[int] = set()
    for layer in sorted(wanted, reverse=True):
        done |= ancestors(graph, layer)
    expected = {a for a, b in graph.edges if a in done and b not in done}
    expected |= {-1} if any(-1 in graph.reads[b] for b in range(count) if b not in done) else set()
    expected |= {graph.output} & done
    assert graph.live(done) == tuple(sorted(expected))


def ancestors(graph: LayerGraph, layer: int) -> set[int]:
    return {layer}.union(*(ancestors(graph, a) for a, b in graph.edges if b == layer))


def test_a_sequence_has_its_items_as_layers() -> None:
    model, batch = models.example("chain")
    graph = layer_graph(model, batch)
    assert graph.names == ("0.0", "0.1.0", "0.1.1", "0.2", "1", "2", "3", "4", "5")
    assert graph.edges == tuple((i, i + 1) for i in range(8))
    assert graph.live([]) == (-1,)
    assert graph.live(range(9)) == (8,)
    assert {i: tuple(t.shape) for i, t in graph.tensors.items()}[3] == (6, 4, 4, 4)


def test_a_traced_model_has_modules_and_joins_as_layers() -> None:
    graph = layer_graph(*models.example("residual"))
    assert graph.names[:5] == ("stem", "blocks.0.first", "blocks.0.norm", "blocks.0.second", "add")
    assert graph.reads[4] == (0, 3)  # also where the model says x += y
    assert graph.names[-2:] == ("add_2", "head")


def test_a_long_skip_is_handed_on_through_every_stage_between() -> None:
    graph = layer_graph(*models.example("unet"))
    middle = graph.names.index("middle")
    part = graph.part([middle], range(middle))
    high = graph.names.index("down.0")
    assert {-1, high} <= set(part.inputs)
    assert {-1, high} <= set(part.outputs)


def test_a_wrapper_whose_lstm_gives_two_tensors_is_one_layer() -> None:
    graph = layer_graph(*models.example("text"))
    assert graph.names == ("embedding", "lstm", "last", "decoder")
    assert [graph.tensors[i].dtype for i in (-1, 0)] == [torch.int64, torch.float32]


def test_a_module_that_cannot_be_traced_is_one_layer() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.before = nn.Linear(5, 5)
            self.inner = nn.ModuleList([models.Choosing()])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.relu_(self.inner[0](self.before(x)))

    graph = layer_graph(Net(), torch.randn(3, 5))
    assert graph.names == ("before", "inner.0")


@pytest.mark.parametrize("name", models.EXAMPLES)
def test_parts_divide_the_models_state_among_them(name: str) -> None:
    model, batch = models.example(name)
    graph = layer_graph(model, batch)
    found: dict[str, torch.Tensor] = {}
    for part in parts_of(graph, stages_of(graph, set(range(1, len(graph.names))))):
        state = part.state_dict()
        assert not found.keys() & state.keys()
        found |= state
    assert found.keys() == model.state_dict().keys()
    assert all(found[key].data_ptr() == value.data_ptr() for key, value in model.state_dict().items())


def test_a_part_takes_other_weights_by_name_or_by_replacement() -> None:
    model, batch = models.example("unet")
    model.eval()
    part = layer_graph(model, batch).part(range(3))
    zeros = {name: torch.zeros_like(p) for name, p in part.named_parameters()}
    assert not any(output.any() for output in torch.func.functional_call(part, zeros, (batch,))[1:])
    part.shift = nn.Parameter(torch.ones(4, 1, 1))
    before = part(batch)[-1]
    part.shift = nn.Parameter(torch.zeros(4, 1, 1))
    torch.testing.assert_close(before - part(batch)[-1], torch.ones_like(before))


def test_a_copy_of_a_part_is_a_part() -> None:
    model, batch = models.example("unet")
    part = layer_graph(model.eval(), batch).part(range(3))
    twin = copy.deepcopy(part)
    assert (twin.inputs, twin.outputs) == (part.inputs, part.outputs) == ((-1,), (-1, 0, 2))
    torch.testing.assert_close(twin(batch), part(batch))


@pytest.mark.parametrize("name", models.EXAMPLES)
def test_finding_the_layers_leaves_the_model_and_the_random_numbers_alone(name: str) -> None:
    model, batch = models.example(name)
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    layer_graph(model, batch)
    torch.testing.assert_close(model.state_dict(), before)
    assert torch.equal(torch.get_rng_state(), state)


def test_one_thread_traces_while_another_trains() -> None:
    model, batch = models.example("unet")
    other, stop, found = nn.Sequential(nn.Linear(4, 4), nn.Tanh()), threading.Event(), []

    def work() -> None:
        while not stop.is_set():
            found.append(other(torch.ones(4)))

    thread = threading.Thread(target=work)
    thread.start()
    graphs = [layer_graph(model, batch) for _ in range(5)]
    stop.set()
    thread.join()
    assert len({graph.names for graph in graphs}) == 1
    assert found
    assert all(torch.equal(output, found[0]) for output in found)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.between, self.decoder = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)
        self.decoder.weight = self.encoder.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.between(self.encoder(x)))


def test_tied_layers_share_a_stage_or_are_refused() -> None:
    graph = layer_graph(Tied(), torch.randn(2, 4))
    assert graph.tied == ((0, 2),)
    assert len(list(graph.part(range(3)).parameters())) == 5
    with pytest.raises(HarnessError, match="layers 'encoder' and 'decoder' share parameters: put them in one stage"):
        graph.part([0, 1])
    assert not list(layer_graph(models.chain(), torch.randn(models.IMAGES)).tied)


def test_a_module_that_is_called_twice_is_two_tied_layers() -> None:
    layer = nn.Linear(4, 4)
    assert layer_graph(nn.Sequential(layer, nn.Tanh(), layer), torch.randn(2, 4)).tied == ((0, 2),)


def traced(forward, **members: object) -> nn.Module:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)
            for name, member in members.items():
                setattr(self, name, member)

    Net.forward = forward
    return Net()


def stays_on_one_side(self: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return self.linear(x) if x.sum() > 0 else x


def noisy(self: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return self.linear(x) + torch.randn(4)


def flattens_then_writes(self: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return F.relu_(self.flatten(self.linear(x)))


def adds_in_place(self: nn.Module, x: torch.Tensor) -> torch.Tensor:
    y = self.linear(x)
    y.add_(x)
    return y


@pytest.mark.parametrize(
    "model, message",
    [
        (nn.Sequential(nn.ReLU(inplace=True)), "layer '0' modifies its input in place"),
        (nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True)), "layer '1' modifies its input in place"),
        (traced(adds_in_place), "layer 'add_' modifies its input in place"),
        (traced(flattens_then_writes, flatten=nn.Flatten()), "layer 'flatten' modifies its input in place"),
        (nn.Sequential(nn.LSTM(4, 4), nn.Linear(4, 4)), "layer '0' gives a tuple, not a tensor"),
        (nn.Sequential(nn.Linear(5, 4)), "layer '0' cannot run on its input: mat1 and mat2"),
        (traced(lambda self, x: (self.linear(x), x)), "Net: its forward must return one tensor"),
        (traced(lambda self, x: x), "Net: its forward must return one tensor"),
        (traced(lambda self, x, y: self.linear(x + y)), "Net: its forward must take one tensor"),
        (
            traced(stays_on_one_side),
            "Net: torch.fx cannot trace its forward .*: make the model an nn.Sequential, or move",
        ),
        (traced(noisy), "Net: its forward, as torch.fx traced it, gives other numbers"),
        (traced(lambda self, x: self.code(x), code=nn.Linear(4, 4)), "Net: a part of it cannot be called 'code'"),
    ],
)
def test_a_model_that_cannot_be_cut_is_refused_in_one_line(model: nn.Module, message: str) -> None:
    with pytest.raises(HarnessError, match=message) as caught:
        layer_graph(model, torch.randn(2, 4))
    assert "\n" not in str(caught.value)


def test_stages_out_of_order_are_refused() -> None:
    graph = layer_graph(*models.example("chain"))
    with pytest.raises(HarnessError, match=r"layer '0\.1\.0' takes the output of '0\.0': that must be done before"):
        graph.part([1])
    with pytest.raises(HarnessError, match=r"'0\.1\.1' takes the output of '0\.1\.0'"):
        graph.live([0, 2])
    with pytest.raises(HarnessError, match="there is no layer 9: there are 9, from 0"):
        graph.part([9], range(9))
