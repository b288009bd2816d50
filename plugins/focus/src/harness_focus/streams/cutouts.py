"""Photographs of things cut out of their background: which of tuxpaint's stamps are used, and what each shows.

Drawings, pictures of which a part is missing, and what looks unlike the rest of its kind were left out by eye
(docs/decisions/0005).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from harness import Dataset, DebianPackage, Member

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HELD_OUT = 4  # one in so many of a kind's cut-outs is kept from the expensive network's training


@dataclass(frozen=True)
class Cutout:
    """One cut-out: the kind of thing that it shows, and the file."""

    kind: str
    member: Member

    def image(self) -> NDArray[np.uint8]:
        """The picture, (height, width, RGB and opacity), without an empty border."""
        import cv2
        import numpy as np

        found = cv2.imread(str(CUTOUTS.path(self.member.file_name)), cv2.IMREAD_UNCHANGED)
        assert found is not None
        rows, columns = (np.flatnonzero(found[:, :, 3].any(axis)) for axis in (1, 0))
        inside = found[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        return np.asarray(inside[:, :, [2, 1, 0, 3]], dtype=np.uint8)


def _listed() -> tuple[Cutout, ...]:
    lines = files(__package__).joinpath("cutouts.tsv").read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines)
    return tuple(Cutout(kind, Member(f"*/stamps/{path}", sha256, int(size))) for kind, path, sha256, size in rows)


ALL = _listed()
KINDS = tuple(dict.fromkeys(cutout.kind for cutout in ALL))
CUTOUTS = Dataset(
    name="cutouts",
    summary=f"{len(ALL)} photographs of {len(KINDS)} kinds of thing, cut out of their background",
    licence="GPL-2 (Tux Paint's contributors)",
    homepage="https://tuxpaint.org/stamps/",
    source=DebianPackage("tuxpaint-stamps-default"),
    members=tuple(cutout.member for cutout in ALL),
)


@lru_cache(maxsize=1)
def divided() -> tuple[tuple[Cutout, ...], tuple[Cutout, ...]]:
    """Those that train the expensive network, and those held out: of each kind one in four, picked by content."""
    training, held_out = [], []
    for kind in KINDS:
        ordered = sorted(
            (c for c in ALL if c.kind == kind), key=lambda c: hashlib.sha256(c.member.sha256.encode()).digest()
        )
        held_out += ordered[::HELD_OUT]
        training += [c for n, c in enumerate(ordered) if n % HELD_OUT]
    return tuple(training), tuple(held_out)
