"""The files of an export: found, recognised and opened."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import stat
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from eds_core import errors
from eds_core.errors import ConfigError
from eds_core.event import Version

from .names import SIDECAR, Told, read_moment, read_name
from .unpack import (
    Counted,
    FileError,
    Limits,
    Member,
    Region,
    Tape,
    kind_of,
    tar_members,
    told,
    unpacked,
    zip_members,
)

log = logging.getLogger("eds.import")

_SHOWN = 5  # names in a message
_PARTIAL = ".part"  # a download that is not complete


@dataclass(slots=True)
class Source:
    """JSON lines: a file, or a file in an archive."""

    path: Path
    name: str  # for people
    told: Told
    size: int  # bytes as packed
    limits: Limits
    member: Member | None = None
    tape: Tape | None = None  # of a packed tar, shared by its members
    digest: str = ""  # of the file's content
    snapshot: Version | None = None
    _counted: Counted | None = None

    @property
    def share(self) -> float:
        """How much of it has been read since it was opened, between 0 and 1."""
        read = self._counted.count if self._counted is not None else 0
        return min(1.0, read / self.size) if self.size else 1.0

    def open(self) -> io.BufferedReader:
        """Its unpacked bytes. Raises FileError."""
        with told(self.name):
            self._counted = Counted(self._raw(), self.limits.check)
            raw = cast(IO[bytes], self._counted)
            kind, stream = unpacked(raw, self.limits, self.name)
        if kind in ("zip", "tar"):
            stream.close()
            raise FileError(f"{self.name}: an archive within an archive")
        return stream

    def _raw(self) -> IO[bytes]:
        if self.member is None:
            return self.path.open("rb")
        if self.tape is not None:
            return cast(IO[bytes], io.BufferedReader(Region(self.tape, self.member)))
        with zipfile.ZipFile(self.path) as archive:  # open until its member is closed
            return archive.open(self.member.name)


@dataclass(slots=True)
class Found:
    """What a search has found."""

    sources: list[Source] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    unwanted: list[str] = field(default_factory=list)  # of tables that are left out
    errors: list[str] = field(default_factory=list)

    def tell(self) -> None:
        """Say once what was passed over."""
        for why, names in (
            ("no exports", self.foreign),
            ("hidden", self.hidden),
            ("of tables that are left out", self.unwanted),
        ):
            if names:
                more = len(names) - _SHOWN
                rest = f" and {more} more" if more > 0 else ""
                log.info("passed over, %s: %s%s", why, ", ".join(names[:_SHOWN]), rest)


def find(paths: Iterable[Path], limits: Limits) -> Found:
    """Look for exported files. Raises ConfigError, HostileError.

    A file that cannot be read stops only itself.
    """
    found = Found()
    for path in paths:
        if not path.exists():
            raise ConfigError(f"there is no file or folder {path}")
        for file in _walk(path, found.hidden):
            try:
                _look(file, found, limits)
            except FileError as error:
                found.errors.append(errors.told(error))
                log.error("%s", found.errors[-1])  # noqa: TRY400 - a sentence
    return found


def _walk(path: Path, hidden: list[str]) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, folders, names in os.walk(path, onerror=_unreadable):
        hidden += [str(Path(folder, n)) for n in (*folders, *names) if n[0] == "."]
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and not name.endswith((SIDECAR, _PARTIAL)):
                yield Path(folder, name)


def _unreadable(error: OSError) -> None:
    """What is in a folder that cannot be read would be missing in silence."""
    raise ConfigError(
        f"the folder {error.filename} cannot be read: {error.strerror}",
        advice="let this user read it, or name the files instead",
    ) from error


def _look(path: Path, found: Found, limits: Limits) -> None:
    with told(str(path)):  # a link may lead nowhere
        regular = stat.S_ISREG(path.stat().st_mode)
    if not regular:
        found.foreign.append(str(path))
        return
    with told(str(path)), path.open("rb") as raw:
        if kind_of(raw.read(4)) == "zip":
            _look_into(path, zip_members(path, limits), found, limits)
            return
    kind, stream = _opened(path, limits)
    with stream:
        if kind == "tar":
            members = tar_members(path, stream)
            _look_into(path, members, found, limits, Tape(path, limits))
        elif kind == "text":
            source = _source(path, str(path), limits)
            found.sources.append(source)
        else:
            found.foreign.append(str(path))


def _opened(path: Path, limits: Limits) -> tuple[str, io.BufferedReader]:
    try:
        return unpacked(path.open("rb"), limits, str(path))
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}") from error


def _look_into(
    path: Path,
    members: Iterable[Member],
    found: Found,
    limits: Limits,
    tape: Tape | None = None,
) -> None:
    digest = digest_of(path, limits)
    for member in members:
        source = _source(path, f"{path}!{member.name}", limits, member)
        source.tape, source.digest = tape, digest
        hidden = any(part.startswith(".") for part in Path(member.name).parts)
        if hidden or Path(member.name).parts[0] == "__MACOSX":
            continue
        if _is_text(source):
            found.sources.append(source)
        else:
            found.foreign.append(source.name)


def _is_text(source: Source) -> bool:
    try:
        with source.open() as stream, told(source.name):
            return kind_of(stream.peek(1)) == "text"
    except FileError as error:
        if "within an archive" in str(error):
            return False
        raise


def _source(
    path: Path, name: str, limits: Limits, member: Member | None = None
) -> Source:
    saying = read_name(member.name if member else path.name)
    size = member.size if member else path.stat().st_size
    source = Source(path, name, saying, size, limits, member)
    source.snapshot = saying.snapshot or _beside(path)
    return source


def _beside(path: Path) -> Version | None:
    sidecar = path.with_name(f"{path.name}{SIDECAR}")
    if not sidecar.is_file():  # a pipe or a device would never end
        return None
    try:
        with sidecar.open(encoding="utf-8") as text:
            return read_moment(text.read(200), str(sidecar))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{sidecar} cannot be read: {error}") from error


def digest_of(path: Path, limits: Limits) -> str:
    """A hash of the file's bytes."""
    with told(str(path)), Counted(path.open("rb"), limits.check) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
