"""What users would pick instead: other packages' methods, wrapped through the hooks of any plugin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness import Parallelizer, hookimpl
from harness_peers.scikit_learn import SklearnSaga, SklearnSgd


@hookimpl
def harness_parallelizers() -> Iterable[type[Parallelizer[Any]]]:
    """Every peer, whether or not its extra is installed."""
    return [SklearnSaga, SklearnSgd]
