"""The videos: composed streams of any length, and two real ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, PositiveFloat

from harness_focus.workload import VideoWorkload

if TYPE_CHECKING:
    from harness_focus.networks import ExpensiveNetwork


class ComposedStream(VideoWorkload):
    """A composed stream: photographs of things cross the background of a real video of a fixed camera."""

    name: ClassVar[str] = "composed-stream"
    minutes: float = Field(3.0, ge=0.5, description="length of the video")
    pause: PositiveFloat = Field(20.0, description="seconds between two things on one of two lanes, in the mean")

    def prepare(self) -> None:
        """Fetch the background and the cut-outs, and train the expensive network unless it is there."""
        from harness_focus.declared import SURVEILLANCE
        from harness_focus.streams.cutouts import CUTOUTS

        SURVEILLANCE.fetch()
        CUTOUTS.fetch()
        self.expert()

    def video(self, seed: int) -> Path:
        """The stream of a seed."""
        from harness_focus.declared import SURVEILLANCE
        from harness_focus.kept import kept
        from harness_focus.streams.composing import Composition, compose

        stream = Composition(60 * self.minutes, self.pause, seed)
        return kept(stream.name, lambda path: compose(stream, SURVEILLANCE.path("vtest.avi"), path))

    def expert(self) -> ExpensiveNetwork:
        """EfficientNet-Lite taught the kinds of thing that cross."""
        from harness_focus.streams.expert import Expert

        return Expert()


class Detected(VideoWorkload):
    """A real video, labelled by YOLOv3-tiny."""

    side: int = Field(224, gt=0, multiple_of=32, description="pixels a side of what the expensive network sees")

    def expert(self) -> ExpensiveNetwork:
        """YOLOv3-tiny, on crops."""
        from harness_focus.networks.pretrained import Yolo

        return Yolo(side=self.side)


class Surveillance(Detected):
    """80 seconds of pedestrians in a yard; the seed decides which parts train and test."""

    name: ClassVar[str] = "surveillance"

    def prepare(self) -> None:
        """Fetch the video and the network."""
        self.video(0)
        self.expert()

    def video(self, seed: int) -> Path:
        """The same video whatever the seed."""
        from harness_focus.declared import SURVEILLANCE

        return SURVEILLANCE.path("vtest.avi")


class Bikes(Detected):
    """10 seconds of cyclists in a street; the seed decides which parts train and test."""

    name: ClassVar[str] = "bikes"

    def prepare(self) -> None:
        """Fetch the video and the network."""
        self.video(0)
        self.expert()

    def video(self, seed: int) -> Path:
        """The same video whatever the seed."""
        from harness_focus.declared import BIKES

        return BIKES.path("bikes.mp4")
