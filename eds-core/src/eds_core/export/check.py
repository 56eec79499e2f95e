"""Whether a downloaded file is whole, as far as the file itself can tell."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

_PIECE = 1024 * 1024


class Damaged(Exception):  # noqa: N818 - a state of affairs, named as such
    """The file is not what was written."""


def check(path: Path) -> str:
    """Return what kind of file it is, after reading it to its end.

    Kinds are gzip, zip, tar and json; empty when none is recognised. Raises Damaged.
    """
    with path.open("rb") as file:
        kind = _kind(file.read(512))
        file.seek(0)
        if kind == "gzip":
            _check_gzip(file)
        elif kind == "zip":
            _check_zip(file)
        elif kind == "page":
            raise Damaged("it is a web page or an error message, not an export")
    return kind


def _kind(head: bytes) -> str:
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head[257:262] == b"ustar":
        return "tar"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        return "page"
    return "json" if text.startswith((b"{", b"[")) else ""


def _check_gzip(file: BinaryIO) -> None:
    try:
        with gzip.open(file) as content:
            while content.read(_PIECE):
                pass
    except EOFError:
        raise Damaged("the gzip file ends too early") from None
    except (zlib.error, gzip.BadGzipFile) as error:
        raise Damaged(f"the gzip file is damaged ({error})") from error


def _check_zip(file: BinaryIO) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            bad = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise Damaged(f"the zip file is damaged ({error})") from error
    if bad is not None:
        raise Damaged(f"the zip file is damaged at {bad}")
