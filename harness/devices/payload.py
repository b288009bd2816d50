"""Arrays as bytes: a short description (kind, dtype, shape) and a flat buffer; no copy where none is needed."""

from __future__ import annotations

import ast
import math
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeGuard

from harness.errors import HarnessError

if TYPE_CHECKING:
    import numpy as np
    import torch

NUMPY, TORCH, ACCELERATOR = "numpy", "torch", "accelerator"
LINE = 64  # bytes of a cache line


def is_tensor(array: Any) -> TypeGuard[torch.Tensor]:
    """Whether it is a torch tensor, without importing torch to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)


def own_copy(array: Any) -> Any:
    """Copy into a contiguous array or tensor that shares nothing; scalars become 0-d arrays."""
    if is_tensor(array):
        import torch

        return array.detach().clone(memory_format=torch.contiguous_format)
    import numpy as np

    return np.array(_as_array(array), order="C", copy=True)


def byte_count(array: Any) -> int:
    """Payload bytes of an array, tensor or scalar."""
    if is_tensor(array):
        return array.numel() * array.element_size()
    import numpy as np

    return int(_sendable(np.asarray(array)).nbytes)


def pack(array: Any) -> tuple[bytes, memoryview]:
    """Describe an array and show its bytes; the view shares memory with it where it can."""
    if is_tensor(array):
        return _pack_tensor(array)
    import numpy as np

    plain = _as_array(array)
    return _described(NUMPY, np.lib.format.dtype_to_descr(plain.dtype), plain.shape), plain.reshape(-1).view(
        np.uint8
    ).data


def blank(description: bytes) -> tuple[Any, memoryview]:
    """Make an array as described, and the writable view of its bytes that is to be filled."""
    kind, dtype, shape = _parsed(description)
    import numpy as np

    if kind == NUMPY:
        array = aligned(shape, dtype)
        return array, array.reshape(-1).view(np.uint8).data
    import torch

    tensor = torch.empty(shape, dtype=dtype)
    return tensor, tensor.view(-1).view(torch.uint8).numpy().data


def aligned(shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
    """An array, not filled, that begins with a cache line: rows that are whole lines are not spread over more."""
    import numpy as np

    of = np.dtype(dtype)
    size = math.prod(shape) * of.itemsize
    raw = np.empty(size + LINE, np.uint8)
    first = -raw.ctypes.data % LINE
    found: np.ndarray[Any, Any] = raw[first : first + size].view(of).reshape(shape)
    return found


def is_accelerated(description: bytes) -> bool:
    """Whether the sender's tensor lay on an accelerator."""
    return _parsed(description)[0] == ACCELERATOR


def _as_array(array: Any) -> np.ndarray[Any, Any]:
    import numpy as np

    return _sendable(np.asarray(array, order="C"))


def _sendable(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if array.dtype.hasobject:
        raise HarnessError(f"cannot send an array of {array.dtype}: use a dtype of fixed size")
    return array


def _pack_tensor(tensor: torch.Tensor) -> tuple[bytes, memoryview]:
    import torch

    if tensor.layout is not torch.strided:
        raise HarnessError(f"cannot send a tensor of layout {tensor.layout}: send its parts, or to_dense()")
    kind = TORCH if tensor.device.type == "cpu" else ACCELERATOR
    flat = tensor.detach().cpu().resolve_conj().resolve_neg().reshape(-1)
    if flat.stride(0) != 1:  # torch calls a lone element contiguous whatever its stride
        flat = flat.clone(memory_format=torch.contiguous_format)
    description = _described(kind, str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape))
    return description, flat.view(torch.uint8).numpy().data


def _described(kind: str, dtype: Any, shape: tuple[int, ...]) -> bytes:
    return repr((kind, dtype, shape)).encode()


@lru_cache(4096)
def _parsed(description: bytes) -> tuple[str, Any, tuple[int, ...]]:
    kind, dtype, shape = ast.literal_eval(description.decode())
    if kind == NUMPY:
        import numpy as np

        return kind, np.lib.format.descr_to_dtype(dtype), shape
    import torch

    return kind, getattr(torch, dtype), shape
