"""What tuning leaves: a file with the network, the settings, and what the stream was like, which ingest takes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from harness import HarnessError
from harness_focus.ingest.drift import kinds
from harness_focus.ingest.indexing import Settings
from harness_focus.networks.catalogue import expensive
from harness_focus.networks.specialised import Specialised
from harness_focus.networks.teaching import STEPS
from harness_focus.tuning.clustered import clustered
from harness_focus.tuning.selection import TARGET
from harness_focus.tuning.tuning import Grid, embedded, tune

if TYPE_CHECKING:
    from harness_focus.footage.footage import Footage
    from harness_focus.ingest.drift import Counts
    from harness_focus.ingest.gathering import Gathering
    from harness_focus.tuning.selection import Policy
    from harness_focus.tuning.tuning import Tuned


@dataclass(frozen=True)
class How:
    """How to tune: to which expensive network, by its name in the catalogue; ``sample`` is in seconds of video.

    ``whole``: to objects that the picture's border does not cut.
    """

    expert: str
    policy: Policy = "balance"
    target: float = TARGET
    sample: float = 600.0
    steps: int = STEPS
    seed: int = 0
    whole: bool = False


@dataclass(frozen=True, eq=False)
class TunedModel:
    """A network and settings for a stream, and how they were found.

    ``shown`` is how many tracks of each of the network's classes the stream had.
    """

    network: Specialised
    settings: Settings
    shown: Counts
    how: How

    def save(self, path: Path) -> None:
        """Write one file, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            held = torch.load(self.network.save(Path(folder)), weights_only=True)
            more = {"settings": asdict(self.settings), "shown": self.shown.tolist(), "how": asdict(self.how)}
            partial = Path(folder) / path.name
            torch.save({**held, **more}, partial)
            partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> TunedModel:
        """Read what ``save`` wrote. Raises HarnessError for any other file."""
        network = Specialised.load(path)
        held = torch.load(path, weights_only=True)
        try:
            return cls(network, Settings(**held["settings"]), np.array(held["shown"]), How(**held["how"]))
        except (KeyError, TypeError) as error:
            raise HarnessError(f"is no tuned model; harness focus tune makes one: {error}", where=str(path)) from None


def tuned_to(
    objects: Gathering, how: How, *, tell: Callable[[int, int], None] = lambda done, all_: None
) -> tuple[TunedModel, Tuned]:
    """Label a sample of what was gathered, teach, and choose; ``tell`` hears how many of how many labels there are."""
    expert = expensive(how.expert)
    footage = objects.footage(expert, sample=how.sample, seed=how.seed, tell=tell)
    grid = Grid(steps=how.steps)
    found = tune(footage, expert, policy=how.policy, seed=how.seed, target=how.target, grid=grid)
    settings = replace(found.settings, whole=how.whole)
    return TunedModel(found.network, settings, shown(found.network, settings, footage), how), found


def shown(network: Specialised, settings: Settings, footage: Footage) -> Counts:
    """How many tracks of each of its classes a stream has, as its clusters say: no expensive network is asked."""
    found = embedded(network, footage)
    index = clustered(*found, network.classes, threshold=settings.threshold, active=settings.active)
    return kinds(index.ranks.argmin(1)[index.cluster], footage.tracks, len(network.classes))
