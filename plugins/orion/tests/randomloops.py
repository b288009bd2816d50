"""Random loops, as hypothesis draws them."""

from __future__ import annotations

from hypothesis import strategies as st

from harness_orion.audit.loops import RandomLoop, random_loop


@st.composite
def loops(draw: st.DrawFn) -> RandomLoop:
    return random_loop(lambda choices: draw(st.sampled_from(choices)))
