"""Networks by the names that commands take, such as ``lite0@64``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from harness import HarnessError
from harness_focus.networks.known import coco_names, imagenet_names, lite_identity, yolo_identity

if TYPE_CHECKING:
    from harness_focus.networks import CheapNetwork, ExpensiveNetwork
    from harness_focus.video.reading import Image

LITES = ("lite0", "lite1", "lite2")
EXPENSIVE = "lite2"  # unless told otherwise


def cheap(name: str) -> CheapNetwork:
    """A published network for ingest, at 64 pixels unless its name says another size."""
    variant, side = _parsed(name, LITES)
    from harness_focus.networks.pretrained import Lite

    return Lite(variant, side=side or 64)


def expensive(name: str) -> ExpensiveNetwork:
    """A published network for queries, at 224 pixels unless its name says another size."""
    variant, side = _parsed(name, (*LITES, "yolo"))
    return OnDemand(variant, side or 224)


class OnDemand:
    """A published network that is loaded when it is asked first: a query whose verdicts are kept never asks."""

    def __init__(self, variant: str, side: int) -> None:
        self._variant, self._side = variant, side
        yolo = variant == "yolo"
        self.identity = yolo_identity(side) if yolo else lite_identity(variant, side)
        self.classes = coco_names() if yolo else imagenet_names()

    def __call__(self, crops: Sequence[Image]) -> list[str]:
        """A label for each crop."""
        return self._network(crops)

    @cached_property
    def _network(self) -> ExpensiveNetwork:
        from harness_focus.networks.pretrained import Labels, Yolo

        return Yolo(side=self._side) if self._variant == "yolo" else Labels(self._variant, side=self._side)


def _parsed(name: str, variants: tuple[str, ...]) -> tuple[str, int]:
    variant, _, side = name.partition("@")
    if variant not in variants or (side and not (side.isdecimal() and int(side) >= 32)):
        raise HarnessError(
            f"a network is one of {', '.join(variants)}, perhaps with its pixels, as in lite0@64; not {name!r}"
        )
    return variant, int(side or 0)
