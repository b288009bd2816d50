"""The workload kind of querying video: a video, and a network that says what its objects are."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness import Workload

if TYPE_CHECKING:
    from harness_focus.footage.footage import Footage
    from harness_focus.networks import ExpensiveNetwork


class VideoWorkload(Workload):
    """Answering which seconds of a video show a class of object; subclasses say which video, and whose labels."""

    imports: ClassVar[tuple[str, ...]] = ("cv2", "torch", "harness_focus.footage.footage")

    whole: bool = Field(True, description="leave out objects that the picture's border cuts")

    @abstractmethod
    def video(self, seed: int) -> Path:
        """The video, a file; made and kept where it is composed."""

    @abstractmethod
    def expert(self) -> ExpensiveNetwork:
        """The expensive network, whose labels are the truth."""

    def keep(self, seed: int) -> None:
        """Compose, find the objects and label them: the first time, a third of the video's length."""
        self.footage(seed)

    def footage(self, seed: int) -> Footage:
        """All moving objects of the video with their labels; found once for all cells, and kept by content."""
        from harness_focus.footage.footage import footage_of

        return footage_of(self.video(seed), self.expert(), seed, whole=self.whole)
