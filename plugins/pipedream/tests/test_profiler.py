from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import ClassVar

import models
import pytest
import torch
from torch import nn

from harness import HarnessError, TrainingWorkload
from harness_pipedream.models.layers import layer_graph
from harness_pipedream.profiling.profile import Profile
from harness_pipedream.profiling.profiler import profile


class Task(TrainingWorkload):
    """Any model, on random data of the shape that it takes."""

    name: ClassVar[str] = "task"
    batch_size: int = 6
    model_name: str = "chain"
    samples: int = 12

    def model(self) -> nn.Module:
        return models.EXAMPLES[self.model_name][0]()

    def train_set(self) -> tuple[torch.Tensor, torch.Tensor]:
        _, shape = models.EXAMPLES[self.model_name]
        inputs = torch.randn(self.samples, *shape[1:]) if shape else torch.randint(11, (self.samples, 4))
        return inputs, torch.randint(3, (self.samples,))

    def test_set(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.train_set()


def test_bytes_are_those_of_the_layers_shapes() -> None:
    found = profile(Task(), repeats=1)
    images = 6 * 8 * 8 * 4  # samples, height, width, bytes a number
    assert [(layer.name, layer.activation_bytes, layer.parameter_bytes) for layer in found.layers] == [
        ("0.0", 4 * images, (9 * 4 + 4) * 4),
        ("0.1.0", 4 * images, (4 + 4) * 4),
        ("0.1.1", 4 * images, 0),
        ("0.2", images, 0),
        ("1", images, 0),
        ("2", 6 * 10 * 4, (64 * 10 + 10) * 4),
        ("3", 6 * 10 * 4, 0),
        ("4", 6 * 10 * 4, 0),
        ("5", 6 * 3 * 4, (10 * 3 + 3) * 4),
    ]
    assert found.is_chain
    assert found.batch_size == 6


@pytest.mark.parametrize("name", models.EXAMPLES)
def test_layers_edges_and_parameters_are_the_graphs(name: str) -> None:
    task = Task(model_name=name, batch_size=3)
    found = profile(task, repeats=1, warmup=0)
    graph = layer_graph(task.initial_model(0), task.train_set()[0][:3])
    assert tuple(layer.name for layer in found.layers) == graph.names
    assert found.edges == graph.edges
    assert [layer.activation_bytes for layer in found.layers] == [
        graph.tensors[i].nbytes for i in range(len(graph.names))
    ]
    assert found.parameter_bytes == sum(p.nbytes for p in task.model().parameters())


def test_every_layer_runs_forward_and_backward_as_often_as_told(monkeypatch: pytest.MonkeyPatch) -> None:
    forwards: Counter[type] = Counter()
    backwards: Counter[type] = Counter()

    class Counting(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx, gradient: torch.Tensor) -> torch.Tensor:
            backwards[nn.Tanh] += 1
            return gradient

    def tanh(self: nn.Module, x: torch.Tensor) -> torch.Tensor:
        forwards[nn.Tanh] += x.requires_grad
        return Counting.apply(x)

    monkeypatch.setattr(nn.Tanh, "forward", tanh)
    found = profile(Task(), repeats=5, warmup=2)
    assert forwards[nn.Tanh] == 5 + 2 + 1  # and once for the layers after it
    assert backwards[nn.Tanh] == 5 + 2
    assert all(layer.forward_seconds > 0 for layer in found.layers)


def test_what_needs_no_gradient_has_no_backward() -> None:
    class Flat(Task):
        def model(self) -> nn.Module:
            return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))

    flatten, linear = profile(Flat(), repeats=1).layers
    assert flatten.backward_seconds == 0
    assert linear.backward_seconds > 0


def test_every_layer_with_parameters_has_an_update_that_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: Counter[int] = Counter()
    before: dict[int, torch.Tensor] = {}
    after: dict[int, torch.Tensor] = {}

    class Watched(torch.optim.SGD):
        def step(self, closure: None = None) -> None:
            for group in self.param_groups:
                for parameter in group["params"]:
                    before.setdefault(id(parameter), parameter.detach().clone())
                    steps[parameter.nbytes] += 1
            super().step(closure)
            for group in self.param_groups:
                after.update((id(parameter), parameter.detach().clone()) for parameter in group["params"])

    monkeypatch.setattr(torch.optim, "SGD", Watched)
    found = profile(Task(momentum=0.9), repeats=5, warmup=2)
    assert all((layer.update_seconds > 0) == (layer.parameter_bytes > 0) for layer in found.layers)
    assert set(steps.values()) <= {7, 14, 21}
    assert sum(size * count for size, count in steps.items()) == 7 * found.parameter_bytes
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_tied_parameters_count_once() -> None:
    class Tied(Task):
        def model(self) -> nn.Module:
            layer = nn.Linear(8, 8)
            return nn.Sequential(layer, nn.Tanh(), layer, nn.Flatten(), nn.Linear(64, 3))

    assert [layer.parameter_bytes for layer in profile(Tied(), repeats=1).layers] == [288, 0, 0, 0, 780]


def test_a_measured_profile_is_read_back_as_it_was(tmp_path: Path) -> None:
    found = profile(Task(model_name="residual"), repeats=1)
    found.write(tmp_path / "profile.json")
    assert Profile.read(tmp_path / "profile.json") == found


def test_too_few_samples_or_repeats_are_refused() -> None:
    with pytest.raises(HarnessError, match="task has 12 samples, fewer than a minibatch of 13"):
        profile(Task(batch_size=13))
    with pytest.raises(HarnessError, match="repeats must be at least 1, not 0"):
        profile(Task(), repeats=0)


def harness(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "pipedream", "profile", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=500)


def test_the_command_measures_a_workload_and_writes_a_profile(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    done = harness("census-mlp", "--batch-size", "32", "--repeats", "1", "--threads", "1", "-o", str(path))
    assert done.returncode == 0, done.stderr
    assert "32 samples a minibatch" in done.stdout
    found = Profile.read(path)
    assert found.batch_size == 32
    assert found.layers[-1].name in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("censor-mlp",), "error: unknown workload 'censor-mlp'; did you mean 'census-mlp'?"),
        (("published-profile",), "error: workload 'published-profile' trains no torch model"),
        (("census-mlp", "--batch-size", "0"), "error: batch_size: Input should be greater than 0"),
        (("census-mlp", "--device", "abacus"), "error: device 'abacus' is not here"),
    ],
)
def test_what_cannot_be_profiled_is_one_line(arguments: tuple[str, ...], message: str) -> None:
    done = harness(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
