"""Flower's server: rounds of its FedAvg until the budget is spent, evaluated at the workload's pace.

Start-up (Ray, its processes, their data) and the end of the simulation are preparation, so that metrics
of time are those of rounds; ``total_time`` has all of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness import HarnessError

if TYPE_CHECKING:
    from flwr.app import ArrayRecord, Context, Message
    from flwr.serverapp import Grid
    from flwr.serverapp.strategy import FedAvg

    from harness import Worker
    from harness_peers.flower import FlowerFedAvg

# Neither package may tell anyone that it is used.
QUIET = {"FLWR_TELEMETRY_ENABLED": "0", "RAY_USAGE_STATS_ENABLED": "0"}


class Server:
    """The server of one simulation, which begins when it is made."""

    def __init__(self, method: FlowerFedAvg, worker: Worker) -> None:
        self.method, self.worker, self.job = method, worker, worker.job
        self.workload = worker.job.workload
        per_epoch = len(self.workload.train_set()[1]) / self.workload.batch_size
        self.per_epoch, steps = per_epoch, method.local_steps
        self.pace = max(1, round(per_epoch / self.workload.evaluations / steps))
        self.last = self.job.budget.last_step(per_epoch)
        if self.last < steps:
            raise HarnessError(
                f"a round has {steps} local steps, more than the budget's {self.last}; allow at least one"
            )
        self.model = self.workload.initial_model(self.job.seed)
        self.idle_since = worker.clock()

    def run(self) -> None:
        """Simulate until the budget is spent."""
        os.environ.update(QUIET)
        import ray
        from flwr.serverapp import ServerApp
        from flwr.simulation import run_simulation

        from harness_peers.flower_client import Task

        app = ServerApp()
        app.main()(self.serve)
        clients = Task(self.workload, self.job.seed, self.method.local_steps).client_app()
        resources = {"num_cpus": self.method.client_cpus, "num_gpus": 0.0}
        try:
            run_simulation(app, clients, self.workload.partitions, backend_config={"client_resources": resources})
        finally:
            ray.shutdown()
        self.prepared()

    def serve(self, grid: Grid, context: Context) -> None:
        """Have every client load its data, then go from round to round; called by Flower, in a thread of its own."""
        from flwr.app import ArrayRecord
        from flwr.serverapp.strategy import FedAvg

        from harness_peers.flower_client import averaged

        everyone = self.workload.partitions
        strategy = FedAvg(fraction_evaluate=0.0, min_train_nodes=everyone, min_available_nodes=everyone)
        self.load(grid, everyone)
        arrays, number, over = ArrayRecord(averaged(self.model)), 0, False
        self.prepared()
        while not over:
            number += 1
            step = number * self.method.local_steps
            with self.worker.work("round", step=step):
                arrays = self.round(grid, strategy, number, arrays)
            last = step + self.method.local_steps > self.last
            due = last or number % self.pace == 0
            if due:
                self.evaluate(arrays, step)
            over = last or self.job.spent(epochs=step / self.per_epoch, steps=step)
        if not due:
            self.evaluate(arrays, step)
        self.idle_since = self.worker.clock()

    def load(self, grid: Grid, everyone: int) -> None:
        """Wait for all clients, and have them load what a round needs."""
        from flwr.app import Message, RecordDict
        from flwr.serverapp.strategy.strategy_utils import sample_nodes

        nodes, _ = sample_nodes(grid, everyone, everyone)
        _succeeded(grid.send_and_receive([Message(RecordDict(), node, "query") for node in nodes]))

    def round(self, grid: Grid, strategy: FedAvg, number: int, arrays: ArrayRecord) -> ArrayRecord:
        """One round: the mean of what all clients make of the weights."""
        from flwr.app import ConfigRecord

        replies = _succeeded(grid.send_and_receive(strategy.configure_train(number, arrays, ConfigRecord(), grid)))
        mean, _ = strategy.aggregate_train(number, replies)
        assert mean is not None
        for reply in replies:
            count = sum(array.nbytes for array in reply.content["arrays"].to_numpy_ndarrays())
            self.worker.trace.count("update_bytes", count)
        self.worker.trace.count("samples", self.method.local_steps * self.workload.batch_size)
        return mean

    def evaluate(self, arrays: ArrayRecord, step: int) -> None:
        """Evaluate the averaged model, which after a round is everyone's own."""
        self.model.load_state_dict(arrays.to_torch_state_dict(), strict=False)
        self.workload.evaluate(self.model, self.worker.trace, step)

    def prepared(self) -> None:
        """Record that what was done since the last round, or from the beginning on, was none."""
        self.worker.trace.add_span("prepare", self.idle_since, self.worker.clock())


def _succeeded(replies: Iterable[Message]) -> list[Message]:
    """All replies; raise what one client failed with."""
    found = list(replies)
    for reply in found:
        if reply.has_error():
            raise HarnessError(f"a client of Flower's failed: {reply.error.reason}")
    return found
