"""Going on with a recorded video where an index ends, without decoding what is indexed already.

1. Seek to the last picture that is decodable by itself, at or before the place that is wanted.
2. Count the pictures from there to the end of what is done. Where those of the last second are not as many as were
   counted when it was indexed, the file's times are not to be trusted, and it is read from its start.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Done:
    """What was read before: so many frames, the last one at ``seconds``, ``counted`` of them in its whole second.

    Frame ``first`` and those after it are to be read again; it is in the second ``place``.
    """

    frames: int = 0
    seconds: float = 0.0
    counted: int = 0
    first: int = 0
    place: int = 0


def found_again(container: Any, done: Done) -> int | None:
    """How many frames of what is done come after a seek to its ``place``; None where that is not known for sure.

    The container is of no use afterwards.
    """
    import av

    try:
        seek(container, done.place)
        times = list(_times(container, until=done.seconds))
    except av.error.FFmpegError:
        return None
    after = [time for time in times if time >= times[0]]  # the others need pictures from before
    in_last = sum(int(time) == int(done.seconds) for time in after)
    return len(after) if in_last == done.counted and len(after) >= done.frames - done.first else None


def seek(container: Any, seconds: float) -> None:
    """Go to the last picture at or before a time from which decoding can begin."""
    stream = container.streams.video[0]
    container.seek(int((seconds + start_of(container)) / stream.time_base), stream=stream, backward=True)


def start_of(container: Any) -> float:
    """The time of a container's first picture."""
    stream = container.streams.video[0]
    return float(stream.start_time * stream.time_base) if stream.start_time is not None else 0.0


def _times(container: Any, *, until: float) -> Iterator[float]:
    """The times of the pictures up to a moment, as packets have them: none is decoded."""
    start = start_of(container)
    for packet in container.demux(video=0):
        stamps = [stamp for stamp in (packet.pts, packet.dts) if stamp is not None]
        if not stamps or min(stamps) * packet.time_base - start > until:
            return
        if (time := float(stamps[0] * packet.time_base) - start) <= until:
            yield time
