"""LOAD DATA LOCAL: many rows as lines of a file that the server reads from us.

Only where the URL asks for it: a server that may ask for files is a risk, and INSERT
was the faster one wherever it was measured. The server takes a line's values with
warnings where an INSERT would fail, so that a load is believed only when the server
had nothing to say about it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from eds_core.sql.tables import VERSION, Target

from .statements import STAGE

Quote = Callable[[str], str]


def statement(target: Target, quote: Quote) -> str:
    """Fill the stage from the file whose quoted name replaces ``%b``.

    Bytes are no text in UTF-8: they come in hexadecimal.
    """
    binary = {name for name, kind in target.columns.items() if kind == "bytes"}
    places = {
        name: f"@{quote(name)}" if name in binary else quote(name)
        for name in [*target.columns, VERSION]
    }
    sets = ", ".join(f"{quote(n)} = UNHEX(@{quote(n)})" for n in sorted(binary))
    return (
        f"LOAD DATA LOCAL INFILE %b INTO TABLE {quote(STAGE)} CHARACTER SET utf8mb4 "
        "FIELDS TERMINATED BY X'09' ESCAPED BY X'5C' LINES TERMINATED BY X'0A' "
        f"({', '.join(places.values())})" + (f" SET {sets}" if sets else "")
    )


def field(literal: bytes) -> bytes:
    """The value of a literal of ``literals``, as a field of a line."""
    if literal[:1] == b"'":
        return _escaped(literal[1:-1].replace(b"''", b"'"))
    if literal == b"NULL":
        return b"\\N"
    if literal[:2] == b"X'":
        return literal[2:-1]
    if literal[:1] == b"_":
        return _escaped(bytes.fromhex(literal[11:-1].decode()))
    return literal


def _escaped(text: bytes) -> bytes:
    if b"\\" in text:
        text = text.replace(b"\\", b"\\\\")
    if b"\t" in text or b"\n" in text:
        text = text.replace(b"\t", b"\\t").replace(b"\n", b"\\n")
    return text


def write(lines: Iterable[list[bytes]]) -> Path:
    """Write a file that only we can read; whoever asked for it deletes it."""
    with tempfile.NamedTemporaryFile(prefix="eds-load-", delete=False) as file:
        for line in lines:
            file.write(b"\t".join(map(field, line)) + b"\n")
    return Path(file.name)
