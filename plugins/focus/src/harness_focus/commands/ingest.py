"""``harness focus ingest``, for one video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness_focus.ingest.gathering import Gathering
from harness_focus.ingest.indexing import Settings
from harness_focus.ingest.ingest import Ingest, begin
from harness_focus.ingest.respecialising import model_of, part_after, parts
from harness_focus.ingest.watching import Watch
from harness_focus.networks.catalogue import cheap
from harness_focus.video.reading import Video

if TYPE_CHECKING:
    from harness_focus.index.recording import Segment
    from harness_focus.networks import CheapNetwork
    from harness_focus.tuning.tuned import TunedModel
    from harness_focus.video.reading import Frame


@dataclass(frozen=True, eq=False)
class Made:
    """What an index is made with; ``tuned`` where it was tuned."""

    network: CheapNetwork
    settings: Settings
    tuned: TunedModel | None = None

    @classmethod
    def of(cls, model: Path) -> Made:
        """What a tuned model says."""
        from harness_focus.tuning.tuned import TunedModel

        tuned = TunedModel.load(model)
        return cls(tuned.network, tuned.settings, tuned)


@dataclass(frozen=True)
class Watched:
    """How a stream is watched: after how many seconds, and whether a network is specialised anew where it changes."""

    window: float
    respecialise: bool


def made_with(tuned: Path | None, *, network: str, k: int, threshold: float, differencing: float, whole: bool) -> Made:
    """What the options say; a tuned model before all others."""
    if tuned:
        return Made.of(tuned)
    return Made(cheap(network), Settings(k=k, threshold=threshold, differencing=differencing, whole=whole))


def ingest_one(source: str, path: Path, made: Made, watched: Watched, *, live: bool | None) -> None:
    """Index a video, telling of each segment; exit with status 2 where something of it could not be read."""
    video = Video(source, live=live)
    part = parts(path)[-1]
    made = made if part == path else Made.of(model_of(part))
    ingest = _begun(source, part, made)
    frames = ingest.frames_of(video)
    while new := _until_it_changes(source, ingest, frames, made.tuned, watched):
        following = part_after(ingest.recorder.path, path)
        new.save(model_of(following))
        ingest = _begun(source, following, made := Made.of(model_of(following)), after=ingest)
        frames = frames if video.live else ingest.frames_of(video)
    _end(video, source, ingest.recorder.path)


def _begun(source: str, path: Path, made: Made, *, after: Ingest | None = None) -> Ingest:
    expert = made.tuned.how.expert if made.tuned else None
    return begin(path, source, made.network, made.settings, expert=expert, after=after.recorder if after else None)


def _until_it_changes(
    source: str, ingest: Ingest, frames: Iterator[Frame], tuned: TunedModel | None, watched: Watched
) -> TunedModel | None:
    """Index what comes until there is a better network for it, which is returned; None at the stream's end."""
    watch = Watch(ingest.recorder, tuned.shown, window=watched.window) if tuned else None
    ingest.gathering = Gathering() if watch and watched.respecialise else None
    for segment in ingest.run(frames):
        _tell(ingest, segment)
        drift = watch.look(segment.seconds) if watch else None
        if drift and drift.drifted:
            _say(f"{source}: until {segment.seconds:.0f} s, {drift}")
            if tuned and ingest.gathering and (new := _again(source, ingest.gathering, tuned)):
                return new
        if drift and ingest.gathering:
            ingest.gathering = Gathering()
    return None


def _again(source: str, gathering: Gathering, tuned: TunedModel) -> TunedModel | None:
    """Tune to what was gathered, as before; None, and a line that says why, where that cannot be done."""
    from harness_focus.tuning.tuned import tuned_to

    try:
        model, _ = tuned_to(gathering, tuned.how)
    except Exception as error:  # whatever keeps a network from being taught must not end the ingest of a stream
        _say(f"{source}: cannot be specialised anew: {error}")
        return None
    _say(f"{source}: specialised anew to its last {gathering.lasts:.0f} s")
    return model


def _tell(ingest: Ingest, segment: Segment) -> None:
    dropped = int(segment.counts["dropped"])
    lost = f", {dropped} frames dropped to keep up" if dropped else ""
    _say(f"{ingest.recorder.path}: {segment.seconds:.1f} s, {segment.clusters} clusters{lost}")


def _end(video: Video, source: str, path: Path) -> None:
    """Say what was not as it should be; exit with status 2 where something is lost."""
    for note in video.notes:
        _say(f"{source}: {note}")
    for problem in video.problems:
        _say(f"error: {source}: {problem}; what could be is in {path}")
    if video.problems:
        raise typer.Exit(2)


def _say(line: str) -> None:
    typer.echo(line, err=True)
