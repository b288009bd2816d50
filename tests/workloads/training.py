"""What the tests of training workloads share: some epochs of the plain loop."""

from __future__ import annotations

from itertools import chain

import numpy as np

from harness import TrainingWorkload
from harness.devices.compute import compute_threads


def scores_after(workload: TrainingWorkload, epochs: int) -> tuple[float, float]:
    """Loss and accuracy on the test set after so many epochs on one thread."""
    model = workload.initial_model(0)
    optimizer = workload.optimizer(model)
    inputs, targets = workload.train_set()
    rng = np.random.default_rng(0)
    with compute_threads(1):
        for batch in chain.from_iterable(workload.batches(rng) for _ in range(epochs)):
            optimizer.zero_grad()
            workload.loss(model(inputs[batch]), targets[batch]).backward()
            optimizer.step()
        model.eval()
        return workload.scores(model)
