from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

LOOPS = Path(__file__).parent / "cases" / "loops.py"


def harness(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "harness", *arguments], capture_output=True, text=True, timeout=120)


def test_a_rotated_plan_is_explained() -> None:
    done = harness(
        "orion", "explain", f"{LOOPS}:mf_sgd", "--shape", "12x8", "--arrays", "W=12x4,H=8x4", "--workers", "4"
    )
    assert done.returncode == 0, done.stderr
    assert "strategy: 2d: divided along i (space) and j (time)" in done.stdout
    assert "(nonneg, 0)  read H[j, :] (loops.py:" in done.stdout
    assert "1d on i: dependent iterations differ in it: (nonneg, 0)" in done.stdout
    assert "H: each worker passes a block on each rotation: 8 elements, 64 bytes" in done.stdout


def test_a_serial_loop_is_explained_with_two_iterations_that_collide_as_json() -> None:
    done = harness(
        "orion",
        "explain",
        f"{LOOPS}:prefix_sum",
        "--shape",
        "10",
        "--origin",
        "1",
        "--arrays",
        "A=11",
        "--json",
        "--ordered",
    )
    found = json.loads(done.stdout)
    assert found["strategy"] == "serial"
    assert found["collision"]["iterations"] == [[1], [2]]
    assert found["collision"]["element"] == "A[1]"
    assert found["collision"]["certain"]
    assert all("loops.py:" in place for place in found["collision"]["references"])
    assert [d["vector"] for d in found["dependences"]] == [[1]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([f"{LOOPS}:mf_sgd", "--shape", "12x8", "--arrays", "W=12x4"], "--arrays H=12x4"),
        ([f"{LOOPS}:mf_sgd", "--arrays", "W=12x4,H=8x4"], "--shape 12x8"),
        ([f"{LOOPS}:mf_sgd", "--shape", "12by8"], "--shape: '12by8': extents are numbers"),
        ([f"{LOOPS}:mf_sgd", "--shape", "12x8", "--arrays", "W"], "--arrays: 'W'"),
        ([f"{LOOPS}:mf_sgd", "--shape", "12x8", "--arrays", "Q=3"], "no argument 'Q'; there is W, H"),
        ([f"{LOOPS}:nothing", "--shape", "12x8"], "no function 'nothing'; there is mf_sgd"),
        (["nowhere.py:f", "--shape", "12x8"], "no such file"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments: list[str], said: str) -> None:
    done = harness("orion", "explain", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([f"{LOOPS}:mf_sgd", "--shape", "12x8", "--arrays", "W=12x4,H=8x4"], "W_[i_0, k] = "),
        (
            [f"{LOOPS}:slr_buffered", "--shape", "12", "--arrays", "w=9"],
            "# The body runs as it is, in Python.\n# rows: line",
        ),
    ],
)
def test_the_generated_code_can_be_read_and_where_there_is_none_the_reason(arguments: list[str], said: str) -> None:
    done = harness("orion", "explain", *arguments, "--source")
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
