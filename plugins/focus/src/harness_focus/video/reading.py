"""Reading video: a file, or a camera's address, as frames with times. What can't be read is said, and the rest kept."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import HarnessError
from harness_focus.video.live import Latest
from harness_focus.video.seeking import Done, found_again, seek, start_of

if TYPE_CHECKING:
    import av
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

MISSING = 0.02  # a share of the frames that a container may announce too many
PATIENCE = 10.0  # seconds that a camera may be silent
BACK = 1.0  # seconds; a clock that goes back by more was set anew


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture: ``number`` counts from 0, ``seconds`` from the video's start; ``image`` is (height, width, RGB)."""

    number: int
    seconds: float
    image: Image


class Video:
    """A video that is decoded from its start, or from where an index ends; a file once or several times.

    ``live`` is whether it comes at its own pace, as from a camera or a pipe: what is not taken in time is left out, so
    that numbers have gaps. ``problems`` says, after reading, what could not be read, ``notes`` what was changed. Raises
    HarnessError for what is no video at all.
    """

    def __init__(self, source: str, *, live: bool | None = None) -> None:
        self.source = source
        self.problems: list[str] = []
        self.notes: list[str] = []
        self._added = 0.0  # seconds, to the times of a clock that was set anew
        self._held: Any = self._open()
        stream = self._held.streams.video[0]
        self.live = _comes_by_itself(source, self._held) if live is None else live
        self.width, self.height = stream.width, stream.height
        self.rate = float(stream.average_rate or stream.guessed_rate or 25)
        self.announced = stream.frames
        alone = len(self._held.streams) == 1  # with sound, the whole may be longer than what is shown
        self._length = self._held.duration / 1e6 if alone and self._held.duration else 0.0

    def frames(self, done: Done | None = None, *, began: float | None = None) -> Iterator[Frame]:
        """Decode; pictures of another size than the first are scaled to it, broken ones left out.

        Where some is ``done``, a file's frames begin with those that are to be read again, or before; their numbers are
        those from the start. A live source goes on after it; its seconds count from ``began``, of the epoch.
        """
        self.problems.clear()
        self.notes.clear()
        self._added = 0.0
        with self._opened() as container:
            if self.live:
                yield from self._live(container, done or Done(), time.time() if began is None else began)
            else:
                yield from self._recorded(container, done or Done())

    def _recorded(self, container: Any, done: Done) -> Iterator[Frame]:
        before = self._skipped(container, done)
        number, seconds = done.frames - before - 1, 0.0
        for picture in self._pictures(container):
            seconds = self._time(container, picture, seconds, first=number < 0)
            number += 1
            if before < done.frames:  # pictures from before may have been left out, or given twice
                number = min(number, done.frames - 1) if seconds <= done.seconds else max(number, done.frames)
            yield Frame(number, seconds, self._image(picture, seconds))
        if number < 0:
            raise HarnessError("has no frame that can be decoded", where=self.source)
        if number + 1 < self.announced * (1 - MISSING):
            self._note(self.problems, f"ends early: {number + 1} of {self.announced} frames could be read")
        elif not self.announced and seconds + 2 / self.rate < self._length * (1 - MISSING):
            self._note(self.problems, f"ends early: {seconds:.1f} of {self._length:.1f} s could be read")

    def _skipped(self, container: Any, done: Done) -> int:
        """Skip what is done and not to be read again; say how many frames of what is done are still to come."""
        if done.place > 0:
            with self._open() as probe:
                before = found_again(probe, done)
            if before is not None:
                seek(container, done.place)
                return before
        return done.frames

    def _live(self, container: Any, done: Done, began: float) -> Iterator[Frame]:
        seconds = connected = max(time.time() - began, done.seconds)
        taken = None
        for taken, picture in Latest(self._pictures(container)):
            since = self._time(container, picture, seconds - connected, first=not taken)
            seconds = connected + since
            yield Frame(done.frames + taken, seconds, self._image(picture, seconds))
        if taken is None:
            raise HarnessError("has no frame that can be decoded", where=self.source)

    def _time(self, container: Any, picture: av.VideoFrame, before: float, *, first: bool) -> float:
        """When a picture was, after one at ``before``: never earlier, and a frame later where the file does not say.

        Where the clock was set back, as by joining files or restarting a camera, time goes on a frame later.
        """
        following = before if first else before + 1 / self.rate
        if picture.time is None:
            return following
        seconds = picture.time - start_of(container) + self._added
        if seconds < before - BACK:
            self._note(self.notes, f"sets its clock back at {before:.1f} s; time goes on from there")
            self._added += following - seconds
            return following
        return max(seconds, before)

    def _pictures(self, container: Any) -> Iterator[av.VideoFrame]:
        """Every picture that can be decoded; a packet that cannot costs its own pictures alone."""
        import av

        broken = damaged = 0
        packets = container.demux(video=0)
        while True:
            try:
                packet = next(packets)
                for picture in packet.decode():
                    damaged += picture.is_corrupt
                    yield picture
            except (StopIteration, av.error.EOFError):
                break
            except av.error.InvalidDataError:
                broken += 1
            except av.error.ExitError:
                self._note(self.problems, f"breaks off: nothing came for {PATIENCE:g} s")
                break
            except av.error.FFmpegError as error:
                self._note(self.problems, f"breaks off: {error.strerror}")
                break
        if broken:
            self._note(self.problems, f"{broken} packets are corrupt and were left out")
        if damaged:
            self._note(self.problems, f"damaged pictures, taken as they are: {damaged}")

    def _image(self, picture: av.VideoFrame, seconds: float) -> Image:
        if (picture.width, picture.height) != (self.width, self.height):
            self._note(
                self.notes,
                f"changes from {self.width}x{self.height} to {picture.width}x{picture.height} pixels "
                f"at {seconds:.1f} s; scaled to the first size",
            )
        return np.asarray(picture.to_ndarray(format="rgb24", width=self.width, height=self.height), dtype=np.uint8)

    def _note(self, notes: list[str], said: str) -> None:
        if said.split(" at ", maxsplit=1)[0] not in {note.split(" at ")[0] for note in notes}:
            notes.append(said)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """The container as it was opened first, since a pipe is there only once; opened again after that."""
        container, self._held = self._held or self._open(), None
        with container:
            yield container

    def _open(self) -> Any:
        import av

        format_ = "v4l2" if self.source.startswith("/dev/video") else None
        timeout = PATIENCE if "://" in self.source else None
        try:
            container = av.open(self.source, format=format_, timeout=timeout)
        except av.error.ExitError:
            raise HarnessError(f"nothing came for {PATIENCE:g} s", where=self.source) from None
        except (av.error.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise HarnessError(f"cannot be read as video: {reason}", where=self.source) from None
        if not container.streams.video:
            container.close()
            raise HarnessError("holds no video stream", where=self.source)
        return container


def _comes_by_itself(source: str, container: Any) -> bool:
    """Whether a source is a device, a pipe, or an address without an end."""
    return not container.duration if "://" in source else not Path(source).is_file()
