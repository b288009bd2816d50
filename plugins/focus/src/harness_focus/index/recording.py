"""Writing a stream's index, a segment of video at a time: a kill loses the segment in progress, and no other."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import HarnessError
from harness_focus.index.clustering import Cluster
from harness_focus.index.database import connect, transaction
from harness_focus.index.reading import Index
from harness_focus.video.motion import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Member:
    """One object of a cluster: where it was seen."""

    cluster: int
    frame: int
    seconds: float
    box: Box


@dataclass(frozen=True, eq=False)
class Segment:
    """What some seconds of video add to an index.

    ``changed`` are the clusters that gained members, ``pictures`` the PNGs of objects that came to stand for one.
    ``frames`` and ``seconds`` count from the start of the stream, ``clusters`` is the next new cluster's number, and
    ``frames_in`` says how many frames were read of each second.
    """

    frames: int
    seconds: float
    clusters: int
    members: Sequence[Member] = ()
    changed: Sequence[Cluster] = ()
    active: Sequence[int] = ()
    pictures: Mapping[int, bytes] = field(default_factory=dict)
    frames_in: Mapping[int, int] = field(default_factory=dict)
    counts: Mapping[str, float] = field(default_factory=dict)


class Recorder(Index):
    """The one writer of a stream's index."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._next = self.position().segments

    @classmethod
    def at(
        cls,
        path: Path,
        *,
        source: str,
        classes: Sequence[str],
        settings: Mapping[str, Any],
        after: Index | None = None,
    ) -> Recorder:
        """Begin an index, at the stream's start or ``after`` another; or go on with one that was made of the same."""
        row = (source, json.dumps(dict(settings), sort_keys=True), json.dumps(list(classes)))
        if not path.exists():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise HarnessError(f"no folder can be made there: {error.strerror}", where=str(path.parent)) from None
            _begin(path, row, after)
        recorder = cls(path)
        for name, here, wanted in zip(("source", "settings", "classes"), recorder._stream(), row, strict=True):
            if here != wanted:
                raise HarnessError(f"has other {name}: {here}, not {wanted}; choose another file", where=str(path))
        return recorder

    def active(self) -> list[Cluster]:
        """The clusters that more objects may join."""
        return self._clusters("active")

    def members(self, frame: int) -> dict[Box, Cluster]:
        """The objects of a frame, and the cluster of each."""
        rows = self._rows("SELECT x, y, width, height, cluster FROM member WHERE frame = ?", (frame,))
        clusters = {number: self._clusters("number = ?", number)[0] for *_, number in rows}
        return {Box(*box): clusters[number] for *box, number in rows}

    def _clusters(self, which: str, *values: object) -> list[Cluster]:
        columns = "number, centroid, sums, shown, size, classified"
        rows = self._rows(f"SELECT {columns} FROM cluster WHERE {which} ORDER BY number", values)  # noqa: S608
        return [Cluster(n, _vector(a), _vector(b), _vector(c), size, seen) for n, a, b, c, size, seen in rows]

    def commit(self, segment: Segment, *, k: int) -> None:
        """Add a segment, all of it or nothing; ``k`` classes are ranked for each cluster."""
        number = self._next
        with transaction(self._db, self.path) as db:
            if self.position().segments != number:
                raise HarnessError("another process goes on with this index", where=str(self.path))
            for cluster in segment.changed:
                _write(db, cluster, segment.pictures.get(cluster.number), k)
            db.execute("UPDATE cluster SET active = 0 WHERE active")
            db.executemany("UPDATE cluster SET active = 1 WHERE number = ?", [(n,) for n in segment.active])
            _add(db, segment.members)
            db.executemany(
                "INSERT INTO second VALUES (?, ?) ON CONFLICT DO UPDATE SET frames = frames + excluded.frames",
                segment.frames_in.items(),
            )
            counts = json.dumps(dict(segment.counts))
            row = (number, segment.frames, segment.seconds, segment.clusters, counts)
            db.execute("INSERT INTO segment VALUES (?, ?, ?, ?, ?)", row)
        self._next += 1


def _begin(path: Path, row: Sequence[str], after: Index | None) -> None:
    """Make an index without any object; it appears when it is complete, since queries may be waiting for it."""
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    connection = connect(partial, create=True)
    with transaction(connection, partial) as db:
        for statement in files(__package__).joinpath("schema.sql").read_text().split(";\n"):
            db.execute(statement)
        db.execute("INSERT INTO stream VALUES (1, ?, ?, ?, ?)", (*row, after.began() if after else time.time()))
        if after:
            here = after.position()
            db.execute("INSERT INTO segment VALUES (0, ?, ?, 0, '{}')", (here.frames, here.seconds))
            db.executemany("INSERT INTO second VALUES (?, ?)", after.frames_in().items())
    connection.close()
    partial.replace(path)


def _write(db: sqlite3.Connection, cluster: Cluster, picture: bytes | None, k: int) -> None:
    blobs = [v.astype(np.float32).tobytes() for v in (cluster.centroid, cluster.sums, cluster.shown)]
    db.execute(
        "INSERT INTO cluster VALUES (?, ?, ?, 1, ?, ?, ?, ?, 0, 1e300, -1e300) ON CONFLICT DO UPDATE SET "
        "size = excluded.size, classified = excluded.classified, centroid = excluded.centroid, sums = excluded.sums, "
        "shown = excluded.shown",
        (cluster.number, cluster.size, cluster.classified, *blobs, picture or b""),
    )
    if picture is not None:
        db.execute(
            "UPDATE cluster SET picture = ?1, revision = revision + (picture != ?1) WHERE number = ?2",
            (picture, cluster.number),
        )
    means = cluster.sums / cluster.classified
    db.execute("DELETE FROM ranking WHERE cluster = ?", (cluster.number,))
    db.executemany(
        "INSERT INTO ranking VALUES (?, ?, ?, ?)",
        [(int(c), cluster.number, n, float(means[c])) for n, c in enumerate(np.argsort(-means, kind="stable")[:k], 1)],
    )


def _add(db: sqlite3.Connection, members: Sequence[Member]) -> None:
    rows = [(m.cluster, m.frame, m.seconds, m.box.x, m.box.y, m.box.width, m.box.height) for m in members]
    db.executemany("INSERT INTO member VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    db.executemany(
        "UPDATE cluster SET first = min(first, ?1), last = max(last, ?1) WHERE number = ?2",
        [(m.seconds, m.cluster) for m in members],
    )


def _vector(blob: bytes) -> NDArray[np.float32]:
    return np.frombuffer(blob, dtype=np.float32).copy()
