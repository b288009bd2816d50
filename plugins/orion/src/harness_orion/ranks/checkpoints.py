"""Checkpoints of a distributed loop: each rank's part in a file of its own, written whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import HarnessError

if TYPE_CHECKING:
    from harness import Communicator


class Checkpoints:
    """A folder of checkpoints, one a pass; those before the last complete one are removed."""

    def __init__(self, folder: Path, comm: Communicator) -> None:
        self._folder = folder
        self._comm = comm

    def latest(self) -> int:
        """The last pass of which every rank's part is there; 0 if there is none."""
        found = self._complete() if self._comm.rank == 0 else 0
        return int(self._comm.broadcast(np.array([found]) if self._comm.rank == 0 else None)[0])

    def save(self, number: int, state: Mapping[str, Any]) -> None:
        """Write this rank's part of a pass; when all have, remove what came before."""
        path = self._path(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        with temporary.open("wb") as file:
            np.savez(file, **state)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        self._comm.barrier()
        if self._comm.rank == 0:
            for old in self._passes():
                if old < number:
                    shutil.rmtree(self._folder / str(old), ignore_errors=True)

    def load(self, number: int, state: Mapping[str, Any]) -> None:
        """Fill arrays with what was saved of them."""
        with np.load(self._path(number)) as saved:
            for name, array in state.items():
                if name not in saved or saved[name].shape != array.shape or saved[name].dtype != array.dtype:
                    raise HarnessError(
                        f"{self._path(number)} is of another loop: {name} does not fit; remove the folder"
                    )
                array[...] = saved[name]

    def _path(self, number: int) -> Path:
        return self._folder / str(number) / f"rank-{self._comm.rank}-of-{self._comm.size}.npz"

    def _passes(self) -> list[int]:
        return sorted(int(p.name) for p in self._folder.glob("[0-9]*") if p.name.isdigit())

    def _complete(self) -> int:
        """The last pass whose parts are all there; one of another number of ranks is no use here."""
        for number in reversed(self._passes()):
            names = {p.name for p in (self._folder / str(number)).glob("rank-*-of-*.npz")}
            sizes = {int(n.removesuffix(".npz").split("-of-")[1]) for n in names}
            for size in sizes:
                if names >= {f"rank-{r}-of-{size}.npz" for r in range(size)}:
                    if size != self._comm.size:
                        raise HarnessError(
                            f"{self._folder} is a checkpoint of {size} workers, not of {self._comm.size}"
                        )
                    return number
        return 0
