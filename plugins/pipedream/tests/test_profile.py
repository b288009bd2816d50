from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from bruteforce import random_profile

from harness import HarnessError
from harness_pipedream.profiling.profile import Layer, Profile
from harness_pipedream.profiling.published import published, read_profile

GRAPH = (
    "node2 -- Linear(4, 4) -- forward_compute_time=2.000, backward_compute_time=3.500, "
    "activation_size=[8.0; 24.0], parameter_size=64.000 -- stage_id=1\n"
    "node1 -- Input0 -- forward_compute_time=90.0, backward_compute_time=0.0, activation_size=16.0, "
    "parameter_size=0.0\n"
    "node10 -- ReLU(inplace) -- forward_compute_time=1.000, backward_compute_time=0.500, activation_size=16.0, "
    "parameter_size=0.0\n"
    "node3 -- __getitem__(0) -- forward_compute_time=7.0, backward_compute_time=0.0, activation_size=16.0, "
    "parameter_size=0.0\n"
    "\tnode1 -- node2\n"
    "\tnode2 -- node3\n"
    "\tnode2 -- node10\n"
)
NODE = "forward_compute_time=1, backward_compute_time=1, activation_size=1, parameter_size=1"


def test_the_published_format_is_read_in_seconds_and_bytes_without_input_and_unread_items() -> None:
    assert Profile.parse(GRAPH) == Profile(
        (Layer("Linear(4, 4)", 0.002, 0.0035, 32, 64), Layer("ReLU(inplace)", 0.001, 0.0005, 16, 0)), ((0, 1),)
    )


def test_a_profile_of_before_updates_were_measured_is_read() -> None:
    written = Profile.chain((Layer("only", 1.0, 2.0, 3, 4, 0.5),)).to_json()
    assert Profile.parse(json.dumps(written)).seconds == 3.5
    del written["layers"][0]["update_seconds"]
    assert Profile.parse(json.dumps(written)).layers == (Layer("only", 1.0, 2.0, 3, 4),)


def test_layers_come_in_a_topological_order_by_number_where_that_is_free() -> None:
    nodes = "".join(f"node{i} -- layer{i} -- {NODE}\n" for i in (3, 1, 2, 11))
    profile = Profile.parse(nodes + "\tnode3 -- node1\n\tnode1 -- node11\n")
    assert [layer.name for layer in profile.layers] == ["layer2", "layer3", "layer1", "layer11"]
    assert profile.edges == ((1, 2), (2, 3))
    assert not profile.is_chain


@pytest.mark.parametrize(
    ("name", "layers", "seconds"),
    [
        ("alexnet", 22, 0.085),
        ("gnmt", 37, 0.089416),
        ("gnmt_large", 77, 0.520),
        ("resnet18", 70, 0.259742),
        ("resnet50", 176, 0.443),
        ("squeezenet1_0", 67, 0.285366),
        ("vgg16", 40, 0.672535),
    ],
)
def test_the_published_profiles_are_complete(name: str, layers: int, seconds: float) -> None:
    profile = read_profile(name)
    assert len(profile.layers) == layers
    assert profile.seconds == pytest.approx(seconds, abs=5e-4)
    assert name in published()


@pytest.mark.parametrize(
    ("name", "layer", "values"),
    [
        ("vgg16", "Linear(in_features=25088", 4096),
        ("resnet18", "Conv2d(3, 64", 64 * 112**2),
        ("resnet50", "Conv2d(3, 64", 64 * 112**2),
        ("alexnet", "Conv2d(3, 64", 64 * 55**2),
    ],
)
def test_batch_sizes_are_those_of_the_published_activations(name: str, layer: str, values: int) -> None:
    profile = read_profile(name)
    (found,) = (each for each in profile.layers if each.name.startswith(layer))
    assert profile.batch_size == found.activation_bytes / (4 * values)


def test_what_is_written_reads_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for trial in range(10):
        profile = random_profile(rng, 6, chain=trial % 2 == 0)
        profile = Profile(profile.layers, profile.edges, 32 if trial % 3 else None)
        profile.write(tmp_path / "profile.json")
        assert Profile.read(tmp_path / "profile.json") == profile


def test_a_chain_is_told_from_a_graph() -> None:
    layers = tuple(Layer(str(i), 1, 1, 1, 1) for i in range(3))
    assert Profile.chain(layers).is_chain
    assert not Profile(layers, ((0, 1), (1, 2), (0, 2))).is_chain


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a profile needs at least one layer"),
        ("nonsense", "line 1: neither a node"),
        (f"node1 -- a -- {NODE}\n\tnode1 -- node2\n", "line 2: the edge names node2, which is no node"),
        (f"node1 -- a -- {NODE.replace('parameter', 'other')}\n", "line 1: the node has no parameter_size"),
        (f"\nnode1 -- a -- {NODE.replace('=1,', '=x,')}\n", "line 2: the node's costs are no numbers"),
        (f"node1 -- a -- {NODE.replace('=1,', '=nan,')}\n", "line 1: the node's costs are no numbers"),
        (f"node1 -- a -- {NODE.replace('=1,', '=-1,', 1)}\n", "forward_seconds must be a number from 0, not -0.001"),
        (
            f"node1 -- a -- {NODE}\nnode2 -- b -- {NODE}\n\tnode1 -- node2\n\tnode2 -- node1\n",
            "node1 lies on a cycle, or behind one",
        ),
        ("{", "no JSON: Expecting property name"),
        ("{}", "a profile has a list 'layers'"),
        ('{"layers": [{"name": "a"}]}', r"layers\[0\]: a layer has name, forward_seconds, backward_seconds"),
        ('{"layers": [], "edges": []}', "a profile needs at least one layer"),
        ('{"layers": [], "edges": [[1]]}', r"edges\[0\]: an edge is \[from, to\], not \[1\]"),
        ('{"layers": [], "edges": [], "batch_size": 0}', "batch_size: must be a positive whole number, not 0"),
    ],
)
def test_a_corrupt_profile_is_refused_naming_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "corrupt.txt"
    path.write_text(text)
    with pytest.raises(HarnessError, match=message) as caught:
        Profile.read(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_line() -> None:
    with pytest.raises(HarnessError, match=r"nowhere\.json: cannot read a profile"):
        Profile.read(Path("nowhere.json"))


def test_an_unknown_profile_names_the_published_ones() -> None:
    with pytest.raises(HarnessError, match="no profile 'vgg17': give a file, or one of alexnet, gnmt"):
        read_profile("vgg17")


def test_edges_lead_forward() -> None:
    layers = tuple(Layer(str(i), 1, 1, 1, 1) for i in range(2))
    with pytest.raises(HarnessError, match="edge 1 -> 0: edges lead from a layer to a later one, 0 to 1"):
        Profile(layers, ((1, 0),))
