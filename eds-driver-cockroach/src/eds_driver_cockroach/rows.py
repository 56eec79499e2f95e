"""Rows and keys as the one JSON parameter of a statement, in bounded parts. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from eds_core.errors import RejectedError
from eds_core.event import Row, VersionedKey
from eds_core.sql.parts import parts
from eds_core.sql.portable import key_text
from eds_core.values import parse_json

#: Bytes in one statement. CockroachDB takes 16 MiB, and replicates what is written
#: in commands that had better be small.
MOST_BYTES = 4 * 1024 * 1024

_NULL = b"null"
#: Escapes in order, so that a backslash that is escaped begins none; a pair of
#: surrogates is one character, and half of a pair is none.
_ESCAPES = re.compile(
    rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)", re.DOTALL
)


def element(row: Row, arrays: Collection[str]) -> bytes:
    """``[key, version, row]``: the row as it came, but for its *arrays*."""
    after = _with_arrays(row, arrays) if arrays else row.after
    return b"[%b,%b]" % (_head(row), after)


def key_element(item: VersionedKey) -> bytes:
    """``[key, version, value, ...]`` with a value for each column of the key."""
    return json.dumps([key_text(item.key), str(item.version), *item.key]).encode()


def _head(row: Row) -> bytes:
    return json.dumps([key_text(row.key), str(row.version)]).encode()[1:-1]


def documents(elements: Iterable[bytes], most: int = MOST_BYTES) -> Iterator[str]:
    """JSON arrays of *elements*, none larger than *most* unless a single one is.

    Raises UnicodeError for text that is none; CockroachDB would replace it.
    """
    return map(_document, parts(elements, most, _size))


def _size(element: bytes) -> int:
    return len(element) + 1  # for the comma


def _document(elements: Sequence[bytes]) -> str:
    data = b"[%b]" % b",".join(elements)
    if b"\\ud" in data or b"\\uD" in data:
        _check_surrogates(data)
    return data.decode()


def _check_surrogates(data: bytes) -> None:
    if any(found[1] for found in _ESCAPES.finditer(data)):
        raise UnicodeError("half of a surrogate pair is no character")


def _with_arrays(row: Row, arrays: Collection[str]) -> bytes:
    """The row with each list in *arrays* as the text that SQL has for an array."""
    mended = {
        name: _literal(bytes(token)) if name in arrays else token
        for name, token in row.tokens.items()
    }
    return msgspec.json.encode(mended)


def _literal(token: bytes) -> object:
    if token == _NULL or token[:1] != b"[":
        return msgspec.Raw(token)
    try:
        values = parse_json(token)
    except ValueError as error:
        raise RejectedError(f"the row is not valid JSON: {error}") from error
    items = map(_item, values if isinstance(values, list) else ())
    return "{" + ",".join(items) + "}"


def _item(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, dict | list):
        value = msgspec.json.encode(value).decode()
    if isinstance(value, bool):
        value = str(value).lower()
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
