"""Profiles that the authors measured on V100 GPUs and published, in place of models (MIT licence, beside them)."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import ClassVar

from pydantic import Field, PositiveInt, field_validator

from harness import HarnessError, Workload
from harness_pipedream.profiling.profile import Profile

FOLDER = Path(__file__).parents[1] / "profiles"
# What the output of the first convolution comes to per sample; the files do not say it.
BATCH_SIZES = {"alexnet": 256, "resnet18": 256, "resnet50": 128, "squeezenet1_0": 256, "vgg16": 128}


def published() -> tuple[str, ...]:
    """Names of the profiles that come with the plugin."""
    return tuple(sorted(path.name.removesuffix(".graph.txt") for path in FOLDER.glob("*.graph.txt")))


def read_profile(name: str) -> Profile:
    """Read a published profile by its name, or any profile by its path."""
    if name in published():
        path = FOLDER / f"{name}.graph.txt"
        return Profile.parse(path.read_text(encoding="utf-8"), where=str(path), batch_size=BATCH_SIZES.get(name))
    if Path(name).is_file():
        return Profile.read(Path(name))
    raise HarnessError(f"no profile {name!r}: give a file, or one of {', '.join(published())}")


class PublishedProfile(Workload):
    """A profile in place of a model: layers with times and sizes, and no numerics. For the device 'simulated'."""

    name: ClassVar[str] = "published-profile"

    profile: str = Field("vgg16", description="a published one, such as vgg16, resnet50 or gnmt, or a profile's file")
    samples: PositiveInt | None = Field(None, description="samples a minibatch, where the profile does not say")

    @field_validator("profile")
    @classmethod
    def _is_there(cls, name: str) -> str:
        if name not in published() and not Path(name).is_file():
            raise ValueError(f"give a file, or one of {', '.join(published())}")
        return name

    def prepare(self) -> None:
        """Read the profile."""
        _ = self.graph

    @cached_property
    def graph(self) -> Profile:
        """The layers and their edges."""
        return read_profile(self.profile)

    @property
    def batch_size(self) -> int:
        """Samples a minibatch; 1, so that minibatches are counted, where nobody says."""
        return self.samples or self.graph.batch_size or 1
