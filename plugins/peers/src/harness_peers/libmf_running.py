"""LIBMF through ctypes: one call trains, and calls back when a pass is over and when it has been scored."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import Job, Worker
from harness_orion import LoopWorkload
from harness_peers.libmf_building import built

if TYPE_CHECKING:
    from harness_orion.applications.ratings import Ratings
    from harness_peers.libmf import Libmf

NODE = np.dtype([("row", np.int32), ("column", np.int32), ("value", np.float32)])
MOST_PASSES = 2**20
Ended = ctypes.CFUNCTYPE(None, ctypes.c_int)
Scored = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_double, ctypes.c_double)


class Problem(ctypes.Structure):
    """LIBMF's ``mf_problem``."""

    _fields_ = (("m", ctypes.c_int), ("n", ctypes.c_int), ("nnz", ctypes.c_longlong), ("R", ctypes.c_void_p))


class Parameter(ctypes.Structure):
    """LIBMF's ``mf_parameter``."""

    _fields_ = (
        *((name, ctypes.c_int) for name in ("fun", "k", "nr_threads", "nr_bins", "nr_iters")),
        *((name, ctypes.c_float) for name in ("lambda_p1", "lambda_p2", "lambda_q1", "lambda_q2", "eta")),
        *((name, ctypes.c_bool) for name in ("do_nmf", "quiet", "copy_data")),
    )


def train(way: Libmf, job: Job[LoopWorkload]) -> None:
    """Train until the budget is spent."""

    def main(worker: Worker) -> None:
        Training(way, worker).run()

    job.launch(main, 1)


class Training:
    """One training: what LIBMF is given, and what is noted when it calls back."""

    def __init__(self, way: Libmf, worker: Worker) -> None:
        self._way, self._worker, self._trace = way, worker, worker.trace
        self._workload: Any = worker.job.workload
        self._span: Any = None
        self._start = 0.0
        self._error: BaseException | None = None

    def run(self) -> None:
        """Call LIBMF; what it does before the first pass and after the last is no work."""
        self._pause("prepare")
        library = ctypes.CDLL(str(built()))
        library.mf_train_with_validation.argtypes = (ctypes.POINTER(Problem), ctypes.POINTER(Problem), Parameter)
        library.mf_train_with_validation.restype = ctypes.c_void_p
        library.mf_destroy_model.argtypes = (ctypes.POINTER(ctypes.c_void_p),)
        kept = [nodes(part) for part in self._workload.parts(self._worker.job.seed)]
        shape = self._workload.parts(self._worker.job.seed)[0].shape
        problems = [Problem(*shape, len(part), part.ctypes.data) for part in kept]
        hooks = Ended(self._ended), Scored(self._scored)
        library.set_hooks(*hooks)
        model = ctypes.c_void_p(library.mf_train_with_validation(*map(ctypes.byref, problems), self._parameter()))
        library.mf_destroy_model(ctypes.byref(model))
        self._resume()
        if self._error:
            raise self._error

    def _parameter(self) -> Parameter:
        decay, rate = self._workload.decay, self._workload.rate
        counts = (0, self._workload.rank, self._way.workers, self._way.bins, MOST_PASSES)
        return Parameter(*counts, 0.0, decay, 0.0, decay, rate, False, True, True)

    def _ended(self, done: int) -> None:
        """A pass is over, or (-1) the first is about to begin."""
        now = self._trace.clock()
        if done < 0:
            self._resume()
            self._trace.begin()
        else:
            self._trace.add_span("pass", self._start, now, step=done)
            self._pause("evaluate")
        self._start = self._trace.clock()

    def _scored(self, done: int, loss: float, rmse: float) -> int:
        """Note the scores, and say whether that was the last pass; ``loss`` is of the pass as it went."""
        try:
            return self._judge(done + 1, loss, rmse)
        except BaseException as error:  # ctypes would print it and go on
            self._error = error
            return 1

    def _judge(self, done: int, loss: float, rmse: float) -> int:
        self._trace.count("updates", self._workload.updates, step=done)
        self._resume()
        self._trace.value("loss", loss, step=done)
        self._trace.value("rmse", rmse, step=done)
        if self._worker.job.spent(epochs=done, steps=done):
            self._pause("evaluate")
            return 1
        self._start = self._trace.clock()
        return 0

    def _pause(self, name: str) -> None:
        self._span = self._trace.span(name)
        self._span.__enter__()

    def _resume(self) -> None:
        self._span.__exit__(None, None, None)


def nodes(ratings: Ratings) -> Any:
    """Ratings as LIBMF's ``mf_node``."""
    made = np.empty(len(ratings), NODE)
    made["row"], made["column"], made["value"] = ratings.rows, ratings.columns, ratings.values
    return made
