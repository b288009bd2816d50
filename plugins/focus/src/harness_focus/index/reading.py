"""The top-K index of a stream, as queries read it."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from harness import HarnessError
from harness_focus.index.database import connect, transaction
from harness_focus.networks import OTHER
from harness_focus.video.seeking import Done


@dataclass(frozen=True)
class Candidate:
    """A cluster that may hold what is asked for; ``picture`` is the PNG of the object that stands for it."""

    cluster: int
    revision: int
    probability: float
    picture: bytes


@dataclass(frozen=True)
class Position:
    """How far an index goes: segments, frames and seconds that are committed, and the next cluster's number."""

    segments: int = 0
    frames: int = 0
    seconds: float = 0.0
    clusters: int = 0


class Index:
    """One stream's index, perhaps still being written. Raises HarnessError for a file that is none."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise HarnessError("there is no such index; harness focus ingest makes one", where=str(path))
        self.path = path
        self._db = connect(path, create=False)
        self.source, settings, classes = self._stream()
        self.settings: Mapping[str, Any] = json.loads(settings)
        self.classes: tuple[str, ...] = tuple(json.loads(classes))

    def position(self) -> Position:
        """How far it goes."""
        row = self._one("SELECT number, frames, seconds, clusters FROM segment ORDER BY number DESC LIMIT 1")
        return Position(row[0] + 1, *row[1:]) if row else Position()

    def began(self) -> float:
        """When the index was begun, in seconds of the epoch."""
        return float(self._one("SELECT began FROM stream")[0])

    def done(self, first: int) -> Done:
        """How far it goes, for one who goes on and has to see all frames from ``first`` on."""
        here, counts = self.position(), sorted(self.frames_in().items())
        ends = accumulate(count for _, count in counts)
        place = next((second for (second, _), end in zip(counts, ends, strict=True) if end > first), 0)
        last = int(here.seconds)
        return Done(here.frames, here.seconds, dict(counts).get(last, 0), first, min(place, last))

    def candidates(self, label: str, *, k: int, since: float = 0.0, until: float = math.inf) -> list[Candidate]:
        """The clusters that rank a class among their first ``k``, or OTHER where the cheap network lacks the class.

        The likeliest come first; those without a member between ``since`` and ``until`` (seconds) are left out.
        """
        known = label if label in self.classes else OTHER
        if known not in self.classes:
            return []
        rows = self._rows(
            "SELECT number, revision, probability, picture FROM ranking JOIN cluster ON cluster = number "
            "WHERE class = ? AND rank <= ? AND last >= ? AND first < ? AND EXISTS "
            "(SELECT 1 FROM member WHERE member.cluster = number AND seconds >= ? AND seconds < ?) "
            "ORDER BY probability DESC, number",
            (self.classes.index(known), k, since, until, since, until),
        )
        return [Candidate(*row) for row in rows]

    def frames(self, cluster: int, *, since: float = 0.0, until: float = math.inf) -> list[tuple[int, float]]:
        """The frames in which members of a cluster are, with their seconds."""
        rows = self._rows(
            "SELECT DISTINCT frame, seconds FROM member WHERE cluster = ? AND seconds >= ? AND seconds < ? "
            "ORDER BY frame",
            (cluster, since, until),
        )
        return [(int(frame), float(seconds)) for frame, seconds in rows]

    def likeliest(self, since: float, until: float) -> list[tuple[int, ...]]:
        """The objects after ``since`` up to ``until``: frame, x, y, width, height, and their cluster's first class."""
        return self._rows(
            "SELECT frame, x, y, width, height, class FROM member JOIN ranking ON ranking.cluster = member.cluster "
            "WHERE rank = 1 AND seconds > ? AND seconds <= ? ORDER BY frame, x, y",
            (since, until),
        )

    def frames_in(self) -> dict[int, int]:
        """How many frames each second of the video has."""
        return dict(self._rows("SELECT number, frames FROM second"))

    def verdict(self, candidate: Candidate, network: str) -> str | None:
        """What the expensive network said of a cluster's present picture; None if it was not asked."""
        row = self._one(
            "SELECT label FROM verdict WHERE cluster = ? AND revision = ? AND network = ?",
            (candidate.cluster, candidate.revision, network),
        )
        return row[0] if row else None

    def judge(self, verdicts: Mapping[Candidate, str], network: str) -> None:
        """Keep what the expensive network said."""
        with transaction(self._db, self.path) as db:
            db.executemany(
                "INSERT OR REPLACE INTO verdict VALUES (?, ?, ?, ?)",
                [(c.cluster, c.revision, network, label) for c, label in verdicts.items()],
            )

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _stream(self) -> tuple[str, str, str]:
        row = self._one("SELECT source, settings, classes FROM stream")
        if row is None:
            raise HarnessError("holds no stream", where=str(self.path))
        return str(row[0]), str(row[1]), str(row[2])

    def _one(self, query: str, values: Sequence[Any] = ()) -> Any:
        return next(iter(self._rows(query, values)), None)

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise HarnessError(f"is no index of Focus: {error}", where=str(self.path)) from None
