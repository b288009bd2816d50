"""Reading video: a file, or a camera's address, as frames with times. What can't be read is said, and the rest kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import HarnessError

if TYPE_CHECKING:
    import av
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

MISSING = 0.02  # a share of the frames that a container may announce too many


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture: ``number`` counts from 0, ``seconds`` from the video's start; ``image`` is (height, width, RGB)."""

    number: int
    seconds: float
    image: Image


class Video:
    """A video that is decoded from its start, once or several times.

    ``problems`` says, after reading, what could not be read. Raises HarnessError for what is no video at all.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[str] = []
        with self._opened() as container:
            stream = container.streams.video[0]
            self.width, self.height = stream.width, stream.height
            self.rate = float(stream.average_rate or stream.guessed_rate or 25)
            self.announced = stream.frames

    def frames(self) -> Iterator[Frame]:
        """Decode; pictures of another size than the first are scaled to it, broken ones left out."""
        self.problems.clear()
        number, seconds = -1, 0.0
        with self._opened() as container:
            for number, picture in enumerate(self._pictures(container)):
                if picture.time is not None:
                    seconds = max(picture.time - _start(container), seconds)
                elif number:
                    seconds += 1 / self.rate
                yield Frame(number, seconds, self._image(picture, seconds))
        if number < 0:
            raise HarnessError("has no frame that can be decoded", where=self.source)
        if number + 1 < self.announced * (1 - MISSING):
            self._note(f"ends early: {number + 1} of {self.announced} frames could be read")

    def _pictures(self, container: Any) -> Iterator[av.VideoFrame]:
        """Every picture that can be decoded; a packet that cannot costs its own pictures alone."""
        import av

        broken = 0
        packets = container.demux(video=0)
        while True:
            try:
                packet = next(packets)
                yield from packet.decode()
            except StopIteration:
                break
            except av.error.EOFError:
                break
            except av.error.InvalidDataError:
                broken += 1
            except av.error.FFmpegError as error:
                self._note(f"breaks off: {error.strerror}")
                break
        if broken:
            self._note(f"{broken} packets are corrupt and were left out")

    def _image(self, picture: av.VideoFrame, seconds: float) -> Image:
        if (picture.width, picture.height) != (self.width, self.height):
            self._note(
                f"changes from {self.width}x{self.height} to {picture.width}x{picture.height} pixels "
                f"at {seconds:.1f} s; scaled to the first size"
            )
        return np.asarray(picture.to_ndarray(format="rgb24", width=self.width, height=self.height), dtype=np.uint8)

    def _note(self, problem: str) -> None:
        if problem.split(" at ", maxsplit=1)[0] not in {p.split(" at ")[0] for p in self.problems}:
            self.problems.append(problem)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        import av

        try:
            container = av.open(self.source)
        except (av.error.FFmpegError, OSError) as error:
            raise HarnessError(f"cannot be read as video: {error.strerror}", where=self.source) from None
        with container:
            if not container.streams.video:
                raise HarnessError("holds no video stream", where=self.source)
            yield container


def _start(container: Any) -> float:
    stream = container.streams.video[0]
    return float(stream.start_time * stream.time_base) if stream.start_time is not None else 0.0
