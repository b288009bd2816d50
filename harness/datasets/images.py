"""Fashion-MNIST: photographs of clothes, 28 by 28 grey pixels, in ten classes."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from harness.datasets.declared import FASHION_MNIST

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Images:
    """Pixels (n, 28, 28) from 0 to 255, and labels (n,) from 0 to 9; both uint8 and read-only."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.labels)


@cache
def fashion_mnist() -> tuple[Images, Images]:
    """The 60,000 images to train with and the 10,000 to test with, in the files' order."""
    train, test = (
        Images(_read(f"{part}-images-idx3-ubyte.gz"), _read(f"{part}-labels-idx1-ubyte.gz"))
        for part in ("train", "t10k")
    )
    return train, test


def _read(file_name: str) -> NDArray[np.uint8]:
    """An array in the IDX format: two zeros, 8 for bytes, the number of axes, each axis as a big-endian int32."""
    import numpy as np

    data = gzip.decompress(FASHION_MNIST.path(file_name).read_bytes())
    shape = np.frombuffer(data, ">i4", count=data[3], offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + shape.nbytes).reshape(shape)
