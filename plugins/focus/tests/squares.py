"""A small video workload for tests: coloured squares that cross, written as a real video, and cells run over it."""

from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field
from scenes import Expensive, scene, write_video

from harness import Budget, Job, Trace, TraceWriter
from harness.devices import Cpu
from harness.tracefile import merge
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


def ran(way: Any, workload: VideoWorkload, folder: Path, *, seed: int = 0, steps: int | None = None) -> Trace:
    """What a parallelizer leaves of a workload."""
    folder.mkdir(parents=True)
    job = Job(workload, Cpu(), Budget(steps=steps), seed, TraceWriter(folder), folder)
    way.prepare(job)
    way.run(job)
    job.trace.close()
    return Trace.read(merge(folder))
