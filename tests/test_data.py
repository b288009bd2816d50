from __future__ import annotations

import contextlib
import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import data
from harness.data import Dataset, DebianPackage, Https, Member, PythonPackage, cached, listing
from harness.errors import HarnessError

CONTENT = b"one,two\n1,2\n"


def member(path: str, content: bytes = CONTENT) -> Member:
    return Member(path, hashlib.sha256(content).hexdigest(), len(content))


def dataset(source: data.Source, *members: Member) -> Dataset:
    return Dataset(
        "numbers", "Two numbers", "CC0", "https://example.org", source, members or (member("a/numbers.csv"),)
    )


@dataclass(frozen=True)
class Local:
    """A zip made on the spot; remembers how often it was asked for."""

    files: dict[str, bytes] = field(default_factory=lambda: {"a/numbers.csv": CONTENT})
    downloads: list[Path] = field(default_factory=list)

    def download(self, folder: Path) -> Path:
        self.downloads.append(folder)
        with zipfile.ZipFile(folder / "archive.zip", "w") as zipped:
            for name, content in self.files.items():
                zipped.writestr(name, content)
        return folder / "archive.zip"

    def __str__(self) -> str:
        return "a local archive"


@dataclass(frozen=True)
class Unreachable:
    """A source without a network."""

    def download(self, folder: Path) -> Path:
        raise HarnessError("no route to host")

    def __str__(self) -> str:
        return "a far archive"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_fetching_brings_the_declared_files_and_nothing_else(cache: Path) -> None:
    source = Local({"a/numbers.csv": CONTENT, "a/other.csv": b"", "b/more.csv": b"3"})
    declared = dataset(source, member("a/numbers.csv"), member("*/more.csv", b"3"))
    assert not declared.fetched
    assert declared.path("numbers.csv").read_bytes() == CONTENT
    assert declared.fetched
    assert declared.verify() == []
    visible = [path.name for path in (cache / "numbers").iterdir() if not path.name.startswith(".")]
    assert sorted(visible) == ["more.csv", "numbers.csv"]


def test_a_filled_cache_needs_no_source() -> None:
    dataset(Local()).fetch()
    assert dataset(Unreachable()).path("numbers.csv").read_bytes() == CONTENT


def test_many_fetches_at_once_bring_it_once() -> None:
    together = threading.Barrier(2)

    @dataclass(frozen=True)
    class Patient(Local):
        def download(self, folder: Path) -> Path:
            with contextlib.suppress(threading.BrokenBarrierError):
                together.wait(timeout=0.3)  # For a second download, which must not come.
            return super().download(folder)

    source = Patient()
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(lambda _: dataset(source).path("numbers.csv"), range(8)))
    assert len(source.downloads) == 1
    assert [path.read_bytes() for path in paths] == [CONTENT]


def test_another_process_that_fetches_is_waited_for(cache: Path) -> None:
    (cache / "numbers").mkdir(parents=True)
    code = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); input()"
    command = [sys.executable, "-c", code, str(cache / "numbers" / ".lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdout.readline()
        source = Local()
        with ThreadPoolExecutor(1) as pool:
            fetching = pool.submit(dataset(source).fetch)
            with pytest.raises(TimeoutError):
                fetching.result(timeout=0.3)
            (cache / "numbers" / "numbers.csv").write_bytes(CONTENT)
            other.stdin.write(b"\n")
            other.stdin.flush()
            fetching.result()
    assert source.downloads == []  # What the other one brought was found.


def test_what_a_killed_fetch_left_is_cleared_away(cache: Path) -> None:
    (cache / "numbers" / ".fetching").mkdir(parents=True)
    (cache / "numbers" / ".fetching" / "archive.zip").write_bytes(b"half")
    assert dataset(Local()).path("numbers.csv").read_bytes() == CONTENT
    assert not (cache / "numbers" / ".fetching").exists()


def test_a_file_that_was_cut_off_in_the_cache_is_brought_again(cache: Path) -> None:
    dataset(Local()).fetch()
    (cache / "numbers" / "numbers.csv").write_bytes(CONTENT[:3])
    assert not dataset(Local()).fetched
    assert dataset(Local()).path("numbers.csv").read_bytes() == CONTENT


def test_a_wrong_checksum_says_what_was_found_and_keeps_the_file_aside(cache: Path) -> None:
    wrong = CONTENT[::-1]
    declared = dataset(Local({"a/numbers.csv": wrong}))
    with pytest.raises(HarnessError, match=r"data set 'numbers': a/numbers\.csv has SHA-256") as raised:
        declared.fetch()
    assert hashlib.sha256(wrong).hexdigest() in str(raised.value)
    assert hashlib.sha256(CONTENT).hexdigest() in str(raised.value)
    assert (cache / "numbers" / "numbers.csv.rejected").read_bytes() == wrong
    assert not declared.fetched


def test_verify_names_each_file_that_differs_and_what_mends_it(cache: Path) -> None:
    source = Local({"a/numbers.csv": CONTENT, "b": b"3", "c": b"45"})
    declared = dataset(source, member("a/numbers.csv"), member("b", b"3"), member("c", b"45"))
    folder = declared.fetch()
    (folder / "numbers.csv").write_bytes(CONTENT[::-1])
    (folder / "b").unlink()
    (folder / "c").write_bytes(b"4")
    changed, absent, short = declared.verify()
    assert changed.startswith(f"{folder / 'numbers.csv'} has SHA-256 {hashlib.sha256(CONTENT[::-1]).hexdigest()}")
    assert "b is absent" in absent
    assert "c has 1 bytes, not 2" in short
    assert all(line.endswith("harness data fetch numbers") for line in (changed, absent, short))


def test_without_a_network_the_message_names_the_command_that_brings_it() -> None:
    with pytest.raises(
        HarnessError, match=r"a far archive cannot be fetched: no route to host; where .* fetch numbers"
    ):
        dataset(Unreachable()).fetch()


def test_a_member_that_is_not_there_or_not_alone_is_an_error() -> None:
    with pytest.raises(HarnessError, match="0 members that fit 'x/"):
        dataset(Local(), member("x/*.csv")).fetch()
    with pytest.raises(HarnessError, match="2 members that fit"):
        dataset(Local({"a/1.csv": b"", "a/2.csv": b""}), member("a/*.csv")).fetch()


def test_a_damaged_archive_is_an_error(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Damaged(Local):
        def download(self, folder: Path) -> Path:
            archive = super().download(folder)
            archive.write_bytes(archive.read_bytes().replace(CONTENT, CONTENT[::-1]))
            return archive

    with pytest.raises(HarnessError, match=r"archive\.zip is damaged: Bad CRC"):
        dataset(Damaged()).fetch()


def test_two_members_that_would_overwrite_each_other_are_refused() -> None:
    with pytest.raises(HarnessError, match="same file name"):
        dataset(Local(), member("a/numbers.csv"), member("b/numbers.csv"))


def test_a_cache_that_cannot_be_written_is_an_error(cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(HarnessError, match="HARNESS_DATA chooses another"):
        dataset(Local()).fetch()


# Python packages, with pip itself and an index that is a folder.


def wheel(folder: Path) -> None:
    """A wheel with one data file."""
    information = "numbers-1.0.dist-info"
    with zipfile.ZipFile(folder / "numbers-1.0-py3-none-any.whl", "w") as zipped:
        zipped.writestr("a/numbers.csv", CONTENT)
        zipped.writestr(f"{information}/METADATA", "Metadata-Version: 2.1\nName: numbers\nVersion: 1.0\n")
        zipped.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        zipped.writestr(f"{information}/RECORD", "")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own index settings: an empty folder and no network."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_a_python_package_is_downloaded_from_the_users_index_and_not_installed(index: Path) -> None:
    wheel(index)
    assert dataset(PythonPackage("numbers", "1.0")).path("numbers.csv").read_bytes() == CONTENT
    with pytest.raises(PackageNotFoundError):
        distribution("numbers")


def test_a_python_package_that_the_index_lacks_is_an_error_in_one_line(index: Path) -> None:
    with pytest.raises(HarnessError, match=r"No matching distribution found for numbers==1\.0") as raised:
        dataset(PythonPackage("numbers", "1.0")).fetch()
    assert "\n" not in str(raised.value)


def test_where_pip_is_missing_the_message_says_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.data.importlib.util.find_spec", lambda name: None)
    with pytest.raises(HarnessError, match=r"pip is missing here; .* -m ensurepip brings it"):
        dataset(PythonPackage("numbers", "1.0")).fetch()


def test_a_pip_that_gives_no_answer_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(command: list[str], **options: Any) -> None:
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr("harness.data.subprocess.run", hang)
    with pytest.raises(HarnessError, match="no answer in ten minutes"):
        dataset(PythonPackage("numbers", "1.0")).fetch()


# Debian packages, with dpkg-deb itself and an apt-get that copies.


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")
def test_a_debian_package_is_unpacked_and_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        "Package: numbers\nVersion: 1\nArchitecture: all\nMaintainer: nobody <n@example.org>\nDescription: numbers\n"
    )
    (tree / "usr" / "share" / "numbers").mkdir(parents=True)
    (tree / "usr" / "share" / "numbers" / "numbers.csv").write_bytes(CONTENT)
    subprocess.run(["dpkg-deb", "--build", str(tree), str(tmp_path / "numbers.deb")], check=True, capture_output=True)
    (tmp_path / "bin").mkdir()
    apt = tmp_path / "bin" / "apt-get"
    apt.write_text(f'#!/bin/sh\n[ "$1 $2" = "download numbers" ] && cp {tmp_path}/numbers.deb .\n')
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    declared = dataset(DebianPackage("numbers"), member("usr/share/numbers/numbers.csv"))
    assert declared.path("numbers.csv").read_bytes() == CONTENT


def test_where_apt_is_missing_the_message_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HarnessError, match="apt-get is not installed"):
        dataset(DebianPackage("numbers")).fetch()


# Files at an address, with a server of this process.


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address it is served at."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    folder = tmp_path / "site"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_plain_file_at_an_address_is_its_own_member(site: tuple[Path, str]) -> None:
    folder, address = site
    (folder / "numbers.csv").write_bytes(CONTENT)
    declared = dataset(Https(f"{address}/numbers.csv?download=1"), member("numbers.csv"))
    assert declared.path("numbers.csv").read_bytes() == CONTENT


def test_a_zip_at_an_address_can_be_taken_whole_or_in_part(site: tuple[Path, str]) -> None:
    folder, address = site
    archive = Local().download(folder)
    part = dataset(Https(f"{address}/archive.zip"))
    assert part.path("numbers.csv").read_bytes() == CONTENT
    whole = dataset(Https(f"{address}/archive.zip"), member("archive.zip", archive.read_bytes()))
    assert whole.path("archive.zip").read_bytes() == archive.read_bytes()


@pytest.mark.parametrize("form", ["w", "w:gz", "w:xz"])
def test_a_tar_at_an_address_is_unpacked(site: tuple[Path, str], form: Any) -> None:
    folder, address = site
    with tarfile.open(folder / "archive.tar", form) as tarred:
        information = tarfile.TarInfo("a/numbers.csv")
        information.size = len(CONTENT)
        tarred.addfile(information, io.BytesIO(CONTENT))
    assert dataset(Https(f"{address}/archive.tar")).path("numbers.csv").read_bytes() == CONTENT


def test_an_address_without_a_file_is_an_error(site: tuple[Path, str]) -> None:
    with pytest.raises(HarnessError, match="404"):
        dataset(Https(f"{site[1]}/numbers.csv"), member("numbers.csv")).fetch()


def test_the_listing_has_a_row_with_what_a_user_asks_about() -> None:
    declared = dataset(Local())
    (row,) = listing([declared])
    assert (row["name"], row["licence"], row["bytes"], row["fetched"]) == ("numbers", "CC0", len(CONTENT), False)
    assert row["source"] == "a local archive"
    assert hashlib.sha256(CONTENT).hexdigest().startswith(row["sha256"])
    declared.fetch()
    assert listing([declared])[0]["fetched"] is True


# Derived arrays.


def test_derived_arrays_are_made_once_for_a_key() -> None:
    made = []

    def make() -> dict[str, np.ndarray[Any, Any]]:
        made.append(1)
        return {"weights": np.arange(6.0).reshape(2, 3), "names": np.array(["a", "bc"])}

    first, second = cached("ridge mu=1", make), cached("ridge mu=1", make)
    assert len(made) == 1
    assert first.keys() == second.keys() == {"weights", "names"}
    for name, array in first.items():
        assert array.dtype == second[name].dtype
        np.testing.assert_array_equal(array, second[name])
    cached("ridge mu=2", make)
    assert len(made) == 2


@pytest.mark.parametrize("damage", [b"", b"PK", b"\x80no array"])
def test_a_damaged_file_of_derived_arrays_is_made_again(cache: Path, damage: bytes) -> None:
    cached("key", lambda: {"x": np.zeros(3)})
    (path,) = (cache / "derived").iterdir()
    path.write_bytes(damage)
    assert cached("key", lambda: {"x": np.ones(3)})["x"].tolist() == [1, 1, 1]
    assert cached("key", lambda: {"x": np.zeros(3)})["x"].tolist() == [1, 1, 1]


def test_threads_that_derive_the_same_arrays_do_not_mix_them(cache: Path) -> None:
    together = threading.Barrier(4)

    def make(number: int) -> dict[str, np.ndarray[Any, Any]]:
        together.wait()
        return {"x": np.full(200_000, number)}

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: cached("key", lambda: make(number)), range(4)))
    stored = cached("key", dict)["x"]
    assert len(stored) == 200_000
    assert len(np.unique(stored)) == 1
    assert len(list((cache / "derived").iterdir())) == 1


def test_only_plain_arrays_are_cached() -> None:
    with pytest.raises(HarnessError, match="ridge: 'x' holds Python objects"):
        cached("ridge", lambda: {"x": np.array([None])})
