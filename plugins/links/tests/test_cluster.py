"""The device ``cluster`` over real namespaces: what its links carry, how fast, and that nothing of it stays."""

import multiprocessing
import os
import signal
import subprocess
import time
from pathlib import Path

import clustering
import pytest
from clustering import PAYLOAD, flat
from pydantic import ValidationError
from simulating import events, launch

from harness import HarnessError
from harness.devices import WorkerFailed
from harness_links import Cluster

limited = pytest.mark.skipif(bool(clustering.MISSING), reason=clustering.MISSING)
PATIENCE = 120.0  # far more than it takes: only a failure waits so long


def link_bytes(folder, rank):
    return sum(value for name, *_, value in events(folder, rank) if name == "link_bytes")


def namespaces():
    """The network namespaces that processes of this one's group live in."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(process.name)) == os.getpgid(0):
                found.add(os.readlink(process / "ns/net"))
        except OSError:
            continue
    return found


@limited
def test_each_worker_has_a_namespace_and_an_address_of_its_own():
    seen = launch(flat(3, "1 Gbit/s"), clustering.surroundings, 3)
    assert len({namespace for namespace, _ in seen} | {os.readlink("/proc/self/ns/net")}) == 4
    assert [interfaces["eth0"][0] for _, interfaces in seen] == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    assert all(set(interfaces) == {"lo", "eth0"} for _, interfaces in seen)


@limited
def test_the_interface_counts_the_payload_and_a_few_per_cent_more(tmp_path):
    launch(flat(2, "1 Gbit/s"), clustering.send_once, 2, tmp_path)
    assert PAYLOAD < link_bytes(tmp_path, 0) < 1.1 * PAYLOAD
    assert 0 < link_bytes(tmp_path, 1) < 0.1 * PAYLOAD


@limited
def test_a_message_takes_no_less_than_its_bytes_over_the_rate():
    rate = 5e6
    seconds, _ = launch(flat(2, rate), clustering.send_once, 2)
    assert seconds > 0.9 * PAYLOAD / rate


@limited
def test_each_direction_is_limited_and_neither_slows_the_other():
    rate = 2e6
    seconds = launch(flat(2, rate), clustering.both_ways, 2)
    assert 0.9 * PAYLOAD / rate < max(seconds) < 1.8 * PAYLOAD / rate, "at best: a busy machine only adds time"


@limited
def test_servers_are_faster_within_than_between():
    levels = [{"workers": 2, "bandwidth": "400 Mbit/s"}, {"workers": 2, "bandwidth": "20 Mbit/s"}]
    (near, far), *_ = launch(Cluster(levels=levels), clustering.near_and_far, 4)
    assert far > 5 * near


@limited
def test_torch_reduces_over_the_limited_link(tmp_path):
    assert launch(flat(2, "1 Gbit/s"), clustering.reduce_with_torch, 2, tmp_path) == [(3.0, 3.0)] * 2
    for rank in range(2):
        assert PAYLOAD < link_bytes(tmp_path, rank) < 1.1 * PAYLOAD


@limited
def test_a_worker_that_dies_is_named():
    with pytest.raises(WorkerFailed, match=r"worker 2 died \(signal 9\)"):
        launch(flat(3, "1 Gbit/s"), clustering.die, 3)


@limited
@pytest.mark.parametrize(("main", "expected"), [(clustering.surroundings, None), (clustering.fail, "on purpose")])
def test_nothing_stays_after_a_launch(main, expected):
    launch(flat(2, "1 Gbit/s"), clustering.surroundings, 2)  # a first launch starts what later ones share
    before = namespaces(), len(os.listdir("/proc/self/fd"))
    if expected:
        with pytest.raises(WorkerFailed, match=expected):
            launch(flat(2, "1 Gbit/s"), main, 2)
    else:
        launch(flat(2, "1 Gbit/s"), main, 2)
    assert (namespaces(), len(os.listdir("/proc/self/fd"))) == before


@limited
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_stays_when_the_launcher_is_killed(tmp_path, ending):
    """A veth end put into a worker's namespace is gone once the kernel has removed that namespace."""
    probe = f"probe{os.getpid()}"
    launcher = multiprocessing.get_context("spawn").Process(target=clustering.hold, args=(str(tmp_path),))
    launcher.start()
    notes = [tmp_path / f"pid-{rank}" for rank in range(2)]
    _await(lambda: all(note.exists() for note in notes))
    workers = [int(note.read_text(encoding="utf-8")) for note in notes]
    subprocess.run(
        ["ip", "link", "add", probe, "type", "veth", "peer", "name", "p", "netns", str(workers[0])], check=True
    )
    os.kill(launcher.pid, ending)
    launcher.join()
    _await(lambda: not any(Path(f"/proc/{worker}/ns/net").exists() for worker in workers))
    _await(lambda: not Path(f"/sys/class/net/{probe}").exists())


def _await(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@limited
def test_more_workers_than_the_topology_has_room_for_are_refused():
    with pytest.raises(HarnessError, match="room for 2 workers, not for 3"):
        launch(flat(2, "1 Gbit/s"), clustering.surroundings, 3)


@pytest.mark.parametrize(
    ("level", "message"),
    [
        ({"bandwidth": "0 Mbit/s"}, "greater than 0"),
        ({"bandwidth": "1 bit/s"}, "8 kbit/s to 100 Gbit/s"),
        ({"bandwidth": "1 Gbit/s", "latency": "5 ms"}, "adds no latency"),
    ],
)
def test_links_that_cannot_be_made_are_refused(level, message):
    with pytest.raises(ValidationError, match=message):
        Cluster(levels=[{"workers": 2, **level}])


def test_without_the_tools_it_says_what_to_install_and_what_to_use_instead(monkeypatch):
    monkeypatch.setenv("PATH", "")
    availability = Cluster().availability()
    assert not availability.ok
    assert "needs ip and tc" in availability.reason
    assert all(word in availability.remedy for word in ("apt-get install iproute2", "processes", "simulated"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to give up")
def test_without_the_rights_it_says_so():
    os.seteuid(65534)
    try:
        availability = Cluster().availability()
    finally:
        os.seteuid(0)
    assert "root, or CAP_NET_ADMIN and CAP_SYS_ADMIN" in availability.reason
