from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from harness.components import Budget


@given(steps=st.none() | st.integers(1, 500), epochs=st.none() | st.floats(0.01, 5), per_epoch=st.integers(1, 200))
def test_the_last_step_is_the_first_at_which_steps_or_epochs_are_spent(
    steps: int | None, epochs: float | None, per_epoch: int
) -> None:
    def spent(step: int) -> bool:
        return (steps is not None and step >= steps) or (epochs is not None and step / per_epoch >= epochs)

    first = next((step for step in range(1, 1100) if spent(step)), math.inf)
    assert Budget(steps=steps, epochs=epochs).last_step(per_epoch) == first
