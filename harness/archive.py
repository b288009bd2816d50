"""Taking one file out of an archive, whatever kind of archive it is."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import IO

from harness.errors import HarnessError


def extract(archive: Path, pattern: str, target: Path) -> None:
    """Copy the one member that fits a glob out of a folder, a zip or a tar; another file is its own member."""
    try:
        with _member(archive, pattern) as content, target.open("wb") as file:
            shutil.copyfileobj(content, file)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise HarnessError(f"{archive.name} is damaged: {error}") from None


@contextmanager
def _member(archive: Path, pattern: str) -> Iterator[IO[bytes]]:
    if archive.is_dir():
        with (archive / _fitting(pattern, _files(archive), archive)).open("rb") as file:
            yield file
    elif fnmatchcase(archive.name, pattern) or not (zipfile.is_zipfile(archive) or tarfile.is_tarfile(archive)):
        with archive.open("rb") as file:
            yield file
    elif zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped, zipped.open(_fitting(pattern, zipped.namelist(), archive)) as file:
            yield file
    else:
        with tarfile.open(archive) as tarred:
            names = (member.name for member in tarred.getmembers() if member.isfile())
            content = tarred.extractfile(_fitting(pattern, names, archive))
            assert content is not None
            yield content


@lru_cache(maxsize=1)
def _files(folder: Path) -> tuple[str, ...]:
    """What a folder holds, listed once however many members are taken out of it."""
    return tuple(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _fitting(pattern: str, names: Iterable[str], archive: Path) -> str:
    found = [name for name in names if fnmatchcase(name, pattern)]
    if len(found) != 1:
        raise HarnessError(f"{archive.name} has {len(found)} members that fit {pattern!r}, not one")
    return found[0]
