"""What a virtual client of Flower does in a round: its minibatches, with torch's own optimizer.

Clients share a few processes. What one keeps from round to round, its momentum, lies in the context that
Flower keeps for it; what can be made again, data and a model, lies in the process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from harness import TrainingWorkload
from harness_skewscout.learning import places_of
from harness_skewscout.places import Indices, Place

ARRAYS, MOMENTUM = "arrays", "momentum"


@dataclass(frozen=True)
class Task:
    """What all clients have to do; a process that was told so loads it once."""

    workload: TrainingWorkload
    seed: int
    local_steps: int

    def client_app(self) -> ClientApp:
        """The app of all clients: ``train`` is a round, ``query`` loads what that needs."""
        app = ClientApp()
        app.train()(_answering(self.train))
        app.query()(_answering(self.load))
        return app

    def load(self, message: Message, context: Context) -> RecordDict:
        """Load the data ahead, and take a step whose outcome the first round overwrites: torch imports much at it."""
        here = loaded(self)
        here.step(self.workload.optimizer(here.model), here.place(int(context.node_config["partition-id"])))
        return RecordDict()

    def train(self, message: Message, context: Context) -> RecordDict:
        """Take the local steps of one round, from the weights that the message brings."""
        here = loaded(self)
        place = here.place(int(context.node_config["partition-id"]))
        earlier = self.local_steps * (int(message.content["config"]["server-round"]) - 1)
        for _ in range(earlier):
            place.minibatch()  # maybe taken in another process
        here.model.load_state_dict(message.content[ARRAYS].to_torch_state_dict(), strict=False)
        optimizer = self.workload.optimizer(here.model)
        recall(optimizer, context)
        optimizer.param_groups[0].update(minibatches=earlier, lr=self.workload.rate_at(max(0, earlier - 1)))
        for _ in range(self.local_steps):
            here.step(optimizer, place)
        remember(optimizer, context)
        # Every partition weighs the same, as in Hsieh et al., ICML 2020.
        weight = MetricRecord({"num-examples": 1})
        return RecordDict({ARRAYS: ArrayRecord(averaged(here.model)), "metrics": weight})


@dataclass(frozen=True)
class Loaded:
    """A task's data in this process, and a model to train with whichever client's weights."""

    task: Task
    inputs: torch.Tensor
    targets: torch.Tensor
    parts: Sequence[Indices]
    model: torch.nn.Module

    def place(self, partition: int) -> Place:
        """A client's data, from its first minibatch on."""
        return places_of(self.task.workload, self.task.seed, self.parts, [partition])[0]

    def step(self, optimizer: torch.optim.Optimizer, place: Place) -> None:
        """Train with the next minibatch."""
        batch = torch.from_numpy(place.minibatch())
        optimizer.zero_grad()
        loss = self.task.workload.loss(self.model(self.inputs[batch]), self.targets[batch])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


@cache
def loaded(task: Task) -> Loaded:
    """Load a task's data, once in a process."""
    torch.set_num_threads(1)
    inputs, targets = task.workload.train_set()
    return Loaded(task, inputs, targets, task.workload.partition(task.seed), task.workload.initial_model(task.seed))


def averaged(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """What is averaged: parameters and running statistics, but no counters."""
    return {name: tensor for name, tensor in model.state_dict().items() if tensor.is_floating_point()}


def recall(optimizer: torch.optim.Optimizer, context: Context) -> None:
    """Bring back the momentum with which the client's last round ended, if it had one."""
    if MOMENTUM in context.state:
        kept = context.state[MOMENTUM].to_torch_state_dict()
        for number, parameter in enumerate(_parameters(optimizer)):
            optimizer.state[parameter]["momentum_buffer"] = kept[str(number)]


def remember(optimizer: torch.optim.Optimizer, context: Context) -> None:
    """Keep the momentum for the client's next round."""
    buffers = [optimizer.state[parameter].get("momentum_buffer") for parameter in _parameters(optimizer)]
    if all(buffer is not None for buffer in buffers):
        context.state[MOMENTUM] = ArrayRecord({str(number): buffer for number, buffer in enumerate(buffers)})


def _parameters(optimizer: torch.optim.Optimizer) -> list[torch.nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _answering(answer: Callable[[Message, Context], RecordDict]) -> Callable[[Message, Context], Message]:
    def reply(message: Message, context: Context) -> Message:
        return Message(answer(message, context), reply_to=message)

    return reply
