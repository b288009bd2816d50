"""What published networks are called, and what they know: light, so that a query whose verdicts are kept loads none."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from harness_focus.declared import IMAGENET_NAMES, YOLO


def lite_identity(variant: str, side: int) -> str:
    """EfficientNet-Lite's name by content, at a size of pictures."""
    return f"efficientnet-{variant}, {side} pixels"


def yolo_identity(side: int) -> str:
    """YOLOv3-tiny's."""
    return f"yolov3-tiny, {side} pixels"


@lru_cache(maxsize=1)
def coco_names() -> tuple[str, ...]:
    """The names of COCO's 80 kinds of object."""
    return tuple(_lines(YOLO.path("coco.names")))


@lru_cache(maxsize=1)
def imagenet_names() -> tuple[str, ...]:
    """The names of ImageNet's 1,000 classes: the first of WordNet's for each."""
    folder = IMAGENET_NAMES.fetch()
    lines = (line.split("\t") for line in _lines(folder / "imagenet_synset_to_lemma.txt"))
    names = {synset: lemmas.split(",")[0] for synset, lemmas in lines}
    return tuple(names[synset] for synset in _lines(folder / "imagenet_synsets.txt"))


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").rstrip("\n").split("\n")
