"""Rows and keys as the one JSON parameter of a batch. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from eds_core.errors import RejectedError
from eds_core.event import Key, Row, VersionedKey
from eds_core.sql.parts import parts
from eds_core.sql.portable import key_text
from eds_core.sql.tables import Target

from .statements import KEY_LENGTH, column
from .tokens import Fit, fit

#: Characters of one parameter, more or less; SQL Server's own limit is 2 GB.
_AT_ONCE = 8 * 1024 * 1024
_NULL = b"null"


class Payload:
    """Makes the arrays that one target's batches take, and no others."""

    def __init__(self, target: Target) -> None:
        key = target.table.key
        self._fits: list[tuple[str, Fit]] = [
            (name, fit(column(target, name), kind, in_key=name in key))
            for name, kind in target.columns.items()
        ]
        fits = dict(self._fits)
        self._key_fits = [fits[name] for name in key]

    def rows(self, rows: Iterable[Row]) -> Iterator[str]:
        return map(_joined, parts(map(self._row, rows), _AT_ONCE))

    def keys(self, keys: Iterable[VersionedKey]) -> Iterator[str]:
        return map(_joined, parts(map(self._key, keys), _AT_ONCE))

    def _row(self, row: Row) -> bytes:
        tokens = row.tokens
        parts = [_key(row.key), b'"%b"' % str(row.version).encode()]
        for name, make in self._fits:
            parts.append(make(bytes(tokens.get(name, _NULL))))
        return b"[%b]" % b",".join(parts)

    def _key(self, key: VersionedKey) -> bytes:
        parts = [_key(key.key), b'"%b"' % str(key.version).encode()]
        for make, text in zip(self._key_fits, key.key, strict=True):
            parts.append(make(_encoded(text)))
        return b"[%b]" % b",".join(parts)


def _key(key: Key) -> bytes:
    """A tombstone's key, as a JSON string. One that is cut off would be another's."""
    text = key_text(key)
    if len(text.encode("utf-16-le")) > 2 * KEY_LENGTH:
        raise RejectedError(
            f"the key has more than {KEY_LENGTH} characters",
            advice="keys as long as this one cannot be indexed",
            signature="key too long",
        )
    return msgspec.json.encode(text)


def _encoded(text: str) -> bytes:
    try:
        return msgspec.json.encode(text)
    except UnicodeEncodeError:
        raise RejectedError("the key is not valid Unicode") from None


def _joined(part: Sequence[bytes]) -> str:
    return f"[{b','.join(part).decode()}]"
