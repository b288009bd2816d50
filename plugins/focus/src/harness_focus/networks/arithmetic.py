"""Multiply-adds: what a network's call costs on any machine."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


def multiply_adds(call: Callable[[], object]) -> int:
    """Multiply-adds of the convolutions and linear layers that a call runs; 0 for a network without any."""
    from torch import nn
    from torch.nn.modules.module import register_module_forward_hook

    found: list[int] = []

    def note(layer: nn.Module, _: Any, output: Any) -> None:
        if isinstance(layer, nn.Conv2d):
            found.append(output.numel() * layer.in_channels // layer.groups * math.prod(layer.kernel_size))
        elif isinstance(layer, nn.Linear):
            found.append(output.numel() * layer.in_features)

    hook = register_module_forward_hook(note)
    try:
        call()
    finally:
        hook.remove()
    return sum(found)
