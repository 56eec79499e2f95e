"""What is inside a file: recognised by content, read as a stream, within bounds.

Nothing is unpacked to the disk. An archive that could harm a program which does so
is refused all the same: it is not what the shop's service makes.
"""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import IO, Literal

from eds_core.errors import ConfigError, EdsError
from eds_core.gunzip import DAMAGED, GzipFile

Kind = Literal["gzip", "zip", "tar", "text", "foreign"]

_HEAD = 512
_GZIP_IN_GZIP = 3  # a download may be packed once more on the way
_MOST_MEMBERS = 100_000
_SMALL = 64 * 1024 * 1024  # below that a ratio says nothing
_MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
)
_TEXT = frozenset(b"{\r\n\t \xef\xbb\xbf")
_DAMAGED: tuple[type[Exception], ...] = (
    *DAMAGED,
    zipfile.BadZipFile,
    tarfile.TarError,
)
_AGAIN = "download the file again"


class FileError(EdsError):
    """A file cannot be read to its end; the others can."""

    code = "E5001"


class HostileError(ConfigError):
    """An archive is not what an export is; nothing of it is read."""

    code = "E5002"


@dataclass(slots=True)
class Limits:
    """What unpacking may cost. ``check`` is called at each reading, and may end it."""

    ratio: float = 250.0  # unpacked to packed
    total: int = 1 << 40  # unpacked bytes of all files
    used: int = 0
    check: Callable[[], None] = lambda: None
    _lock: Lock = field(default_factory=Lock)

    def use(self, count: int, packed: int, unpacked: int, name: str) -> None:
        """Count *count* more bytes of *name*. Raises FileError."""
        with self._lock:
            self.used += count
        if unpacked > _SMALL and unpacked > self.ratio * max(packed, 1):
            raise FileError(
                f"{name} unpacks to more than {self.ratio:g} times its size",
                advice="if you trust it: --max-ratio",
            )
        if self.used > self.total:
            raise FileError(
                f"{name}: the files unpack to more than {self.total} bytes",
                advice="if you trust them: --max-unpacked",
            )


class Counted(io.RawIOBase):
    """Counts what is read from *inner*."""

    def __init__(self, inner: IO[bytes], check: Callable[[], None]) -> None:
        super().__init__()
        self._inner = inner
        self._check = check
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # io's own type is not public
        self._check()
        data = self._inner.read(len(buffer))
        buffer[: len(data)] = data
        self.count += len(data)
        return len(data)

    def close(self) -> None:
        self._inner.close()
        super().close()


class _Unpacked(io.RawIOBase):
    """A gzip stream's content, within *limits*."""

    def __init__(self, packed: Counted, limits: Limits, name: str) -> None:
        super().__init__()
        self._packed = packed
        self._gzip = GzipFile(fileobj=io.BufferedReader(packed, 1 << 18))
        self._limits = limits
        self._name = name
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # io's own type is not public
        with told(self._name):
            count = self._gzip.readinto(buffer)
        self._count += count
        self._limits.use(count, self._packed.count, self._count, self._name)
        return count

    def close(self) -> None:
        self._gzip.close()
        self._packed.close()
        super().close()


@contextmanager
def told(name: str) -> Iterator[None]:
    """Make what a damaged file raises a FileError."""
    try:
        yield
    except EOFError as error:
        raise FileError(f"{name} is cut off", advice=_AGAIN) from error
    except _DAMAGED as e:
        raise FileError(f"{name} is damaged: {e}", advice=_AGAIN) from e
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileError(f"{name} cannot be read: {reason}") from error


def kind_of(head: bytes) -> Kind:
    """What a file's first bytes say."""
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind  # type: ignore[return-value]  # a Kind, as _MAGIC has it
    if head[257:262] == b"ustar":
        return "tar"
    return "text" if not head or head[0] in _TEXT else "foreign"


def unpacked(
    raw: IO[bytes], limits: Limits, name: str
) -> tuple[Kind, io.BufferedReader]:
    """Take gzip off, however often; say what is in it. Nothing is read ahead."""
    stream = _buffered(Counted(raw, limits.check))
    for _ in range(_GZIP_IN_GZIP):
        with told(name):
            kind = kind_of(stream.peek(_HEAD))
        if kind != "gzip":
            return kind, stream
        stream = _buffered(_Unpacked(Counted(stream, limits.check), limits, name))
    return "foreign", stream


def _buffered(raw: io.RawIOBase) -> io.BufferedReader:
    return io.BufferedReader(raw, 1 << 20)


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside an archive."""

    name: str
    size: int  # bytes of its content
    offset: int = 0  # in a tar's stream: where its content begins


def zip_members(path: Path, limits: Limits) -> list[Member]:
    """The files in a zip. Raises HostileError, FileError."""
    with told(str(path)), zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
    _check_count(path, len(infos))
    end = -1
    for info in sorted(infos, key=lambda info: info.header_offset):
        _check_name(path, info.filename)
        _check_zip(path, info, limits)
        if info.header_offset < end:
            raise _hostile(path, f"{info.filename!r} overlaps another file")
        end = info.header_offset + info.compress_size
    return [Member(i.filename, i.file_size) for i in infos if not i.is_dir()]


def _check_zip(path: Path, info: zipfile.ZipInfo, limits: Limits) -> None:
    mode = stat.S_IFMT(info.external_attr >> 16)
    if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _hostile(path, f"{info.filename!r} is a link or a device")
    if info.flag_bits & 1:
        raise ConfigError(
            f"{path} is encrypted", advice="unpack it with its password first"
        )
    if info.file_size > _SMALL and info.file_size > limits.ratio * info.compress_size:
        raise _hostile(
            path, f"{info.filename!r} unpacks to {info.file_size} bytes (--max-ratio)"
        )


def tar_members(path: Path, stream: IO[bytes]) -> list[Member]:
    """The files in a tar that *stream* gives. Raises HostileError, FileError."""
    members: list[Member] = []
    with told(str(path)), tarfile.open(fileobj=stream, mode="r|") as archive:
        for info in archive:
            _check_count(path, len(members))
            _check_name(path, info.name)
            if info.isdir():
                continue
            if not info.isreg() or info.sparse is not None:
                raise _hostile(path, f"{info.name!r} is a link or a device")
            members.append(Member(info.name, info.size, info.offset_data))
    return members


def _check_count(path: Path, count: int) -> None:
    if count > _MOST_MEMBERS:
        raise _hostile(path, f"it has more than {_MOST_MEMBERS} files")


def _check_name(path: Path, name: str) -> None:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    drive = len(name) > 1 and name[1] == ":"
    if drive or ".." in parts or parts[:1] == ("/",) or "\0" in name:
        raise _hostile(path, f"{name!r} lies outside of it")


def _hostile(path: Path, reason: str) -> HostileError:
    return HostileError(
        f"the archive {path} is refused: {reason}",
        advice="this is not what an export looks like; ask where it comes from",
    )


class Region(io.RawIOBase):
    """*size* bytes of a stream that is read on."""

    def __init__(self, tape: Tape, member: Member) -> None:
        super().__init__()
        self._tape = tape
        self._at = member.offset
        self._end = member.offset + member.size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # io's own type is not public
        wanted = min(len(buffer), self._end - self._at)
        data = self._tape.read(self._at, wanted) if wanted else b""
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


class Tape:
    """A tar's stream, wound back only when it must be: members come in order."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path = path
        self._limits = limits
        self._stream: io.BufferedReader | None = None
        self._at = 0

    def read(self, offset: int, count: int) -> bytes:
        if self._stream is None or offset < self._at:
            self.close()
            raw = self._path.open("rb")
            _, self._stream = unpacked(raw, self._limits, str(self._path))
        while self._at < offset:
            self._at += len(self._more(min(offset - self._at, 1 << 20)))
        data = self._more(count)
        self._at += len(data)
        return data

    def _more(self, count: int) -> bytes:
        data = self._stream.read(count) if self._stream else b""
        if not data:
            raise FileError(f"{self._path} is cut off", advice=_AGAIN)
        return data

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._stream, self._at = None, 0
