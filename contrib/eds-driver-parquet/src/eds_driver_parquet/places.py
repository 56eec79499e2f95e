"""Where a lake is: a directory of this machine, or a prefix of a bucket."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import pyarrow as pa
from pyarrow import fs

from eds_core import (
    ConfigError,
    Finding,
    TransientError,
    Verdict,
    parameters,
    redact,
)
from eds_core.sql import free_space

_FILE = re.compile(r"file://(/[^?#\0]+)(\?.*)?")
_S3 = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(/[\w!.*'()/-]*)?(\?.*)?")
_KNOWN = {
    "file": {"freshness", "state"},
    "s3": {"endpoint", "freshness", "region", "state"},
}
_S3_URL = "s3://bucket/prefix?region=eu-central-1&state=/var/lib/eds/lake.db"
_CODE = re.compile(r"AWS Error (\w+)")
#: What only the user can change.
_LOGIN = frozenset(
    {
        "ACCESS_DENIED",
        "INVALID_ACCESS_KEY_ID",
        "INVALID_CLIENT_TOKEN_ID",
        "MISSING_AUTHENTICATION_TOKEN",
        "SIGNATURE_DOES_NOT_MATCH",
        "UNRECOGNIZED_CLIENT",
    }
)
_CONNECT, _REQUEST = 10, 60  # seconds
_DISK = "see to the room on the disk, and who may write there"
_NETWORK = "see to the network, region and endpoint, and what the credentials may do"


Put = Callable[[str, pa.Buffer], None]


class Place(Protocol):
    """Files are put there whole; what is there is never touched."""

    def open(self) -> None:
        """Raise ConfigError or TransientError when nothing can be put there."""

    def adding(self) -> AbstractContextManager[Put]:
        """Give what adds a file of a path and data. At the end all are there to stay.

        Raises TransientError. A place that can keeps none of them then.
        """

    def diagnose(self) -> Iterator[Finding]:
        """What a person should know of the place; changes nothing."""

    def state(self) -> str:
        """Where EDS keeps its state unless it is told; or ConfigError."""


def place_of(url: str) -> Place:
    """Return the place that *url* names, or raise ConfigError."""
    scheme = url.partition(":")[0]
    unknown = parameters(url).keys() - _KNOWN.get(scheme, set())
    if not unknown and (found := _FILE.fullmatch(url)):
        return Directory(Path(found[1]))
    if not unknown and (found := _S3.fullmatch(url)):
        return Bucket(f"{found[1]}{found[2] or ''}".rstrip("/"), parameters(url))
    raise ConfigError(
        f"{redact(url)} names no place for a lake",
        advice="it should look like file:///absolute/directory?state=... or "
        f"s3://bucket/prefix with {', '.join(sorted(_KNOWN['s3']))} behind a ?",
    )


class Directory:
    """A directory of this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def state(self) -> str:
        return str(self._root / "_eds_state.db")

    def open(self) -> None:
        if not self._root.is_dir():
            raise ConfigError(
                f"there is no directory {self._root}", advice=f"mkdir -p {self._root}"
            )

    @contextmanager
    def adding(self) -> Iterator[Put]:
        """Under hidden names until all are written: a full disk is found before."""
        hidden: dict[Path, Path] = {}

        def put(path: str, data: pa.Buffer) -> None:
            file = self._root / path
            self._make(file.parent)
            place = file.with_name(f".{file.name}.tmp")
            hidden[place] = file
            with place.open("wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())

        with _told(str(self._root), _DISK):
            try:
                yield put
                for place, file in hidden.items():
                    place.rename(file)
                for parent in {file.parent for file in hidden.values()}:
                    _sync(parent)
            finally:
                for place in hidden:
                    place.unlink(missing_ok=True)

    def diagnose(self) -> Iterator[Finding]:
        if os.access(self._root, os.W_OK | os.X_OK):
            yield free_space(self._root, shutil.disk_usage(self._root).free)
            return
        yield Finding(
            "directory",
            f"{self._root} may not be written to",
            Verdict.WRONG,
            why="each transaction adds files there",
            advice="let it belong to the user as whom EDS runs",
            paste=f"chown USER {shlex.quote(str(self._root))}",
        )

    def _make(self, place: Path) -> None:
        if not place.is_dir():
            self._make(place.parent)
            place.mkdir(exist_ok=True)
            _sync(place.parent)


def _sync(place: Path) -> None:
    """A name that was made in a directory survives a power cut after this."""
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Bucket:
    """A prefix of a bucket of S3, or of what speaks as S3 does.

    Who we are is found where AWS's own tools look: variables, files, the role.
    """

    def __init__(self, place: str, options: dict[str, str]) -> None:
        self._place = place
        self._options = options
        self._files: fs.S3FileSystem | None = None

    def state(self) -> str:
        raise ConfigError(
            "a lake in S3 has no place for EDS's position",
            advice=f"name a file of this machine that lasts: {_S3_URL}",
        )

    def open(self) -> None:
        self._files = fs.S3FileSystem(
            region=self._options.get("region"),
            endpoint_override=self._options.get("endpoint"),
            connect_timeout=_CONNECT,
            request_timeout=_REQUEST,
            allow_delayed_open=True,  # a small file is one request
        )
        bucket = self._place.partition("/")[0]
        with _told(f"s3://{bucket}", _NETWORK, wrong=_LOGIN):
            found = self._files.get_file_info(bucket)
        if found.type is fs.FileType.NotFound:
            raise ConfigError(
                f"there is no bucket {bucket}, or it is not ours to see",
                advice="see to the bucket's name, the region and the credentials",
            )

    @contextmanager
    def adding(self) -> Iterator[Put]:
        """One by one: what was added before one that fails comes again."""
        files = self._files
        if files is None:
            raise TransientError("the connection to S3 is closed")

        def put(path: str, data: pa.Buffer) -> None:
            with files.open_output_stream(f"{self._place}/{path}") as out:
                out.write(data)

        with _told(f"s3://{self._place}", _NETWORK):
            yield put

    def diagnose(self) -> Iterator[Finding]:
        """``open`` has asked all that can be asked without writing."""
        return iter(())


@contextmanager
def _told(
    place: str, advice: str, wrong: frozenset[str] = frozenset()
) -> Iterator[None]:
    """Disks, networks and privileges are nobody's fault who wrote a row.

    With one of the codes *wrong*, the user has to change something first.
    """
    try:
        yield
    except OSError as error:
        found = _CODE.search(str(error))  # the rest of it may be anything
        code = found[1] if found else error.strerror or type(error).__name__
        told = f"{place} cannot be used: {code}"
        if code in wrong:
            login = "see to AWS_ACCESS_KEY_ID and the like, and what they may do"
            raise ConfigError(told, advice=login) from None
        raise TransientError(told, advice=advice) from None
