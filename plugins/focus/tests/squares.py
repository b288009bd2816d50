"""A small video workload for tests: coloured squares that cross, written as a real video, and cells run over it."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field
from scenes import Expensive, scene, write_video

from harness_focus.workload import VideoWorkload


class Squares(VideoWorkload):
    """Coloured squares before a noisy background."""

    name: ClassVar[str] = "squares"
    folder: Path = Field(description="where the videos are kept")
    frames: int = Field(1600, description="length of the video")
    squares: int = Field(60, description="how many cross")

    def prepare(self) -> None:
        """There is nothing to fetch."""

    def video(self, seed: int) -> Path:
        path = self.folder / f"squares-{self.frames}-{self.squares}-{seed}.mp4"
        if not path.exists():
            pictures = [frame.image for frame, _ in scene(seed, frames=self.frames, squares=self.squares)]
            write_video(path, pictures)
        return path

    def expert(self) -> Expensive:
        return Expensive()
