"""Values replaced by keyed hashes: equal for equal values, and no more. Pure."""

from __future__ import annotations

import hmac
import re
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal

import msgspec

from .values import parse_json

_CHECK = 8  # bytes by which a hash of ours is known
_OURS = re.compile(r"[0-9a-f]{80}")
_DIGEST = 64  # hexadecimal digits
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
_PLAIN = 40  # digits before and behind the point that are written out


class Hasher:
    """Replaces the JSON text of values by that of their hashes.

    A hash is the HMAC-SHA-256 of the value in 64 hexadecimal digits, and 16 more that
    only who has the salt can make: it is recognised, and not hashed once more.
    """

    def __init__(self, salt: bytes) -> None:
        self._salt = salt

    def __repr__(self) -> str:
        return "Hasher()"

    def hash(self, token: msgspec.Raw) -> msgspec.Raw:
        """The hash of *token*, which is not null. Raises ValueError for bad JSON."""
        told = plain(token)
        if self._is_hash(told):
            return token
        return msgspec.Raw(b'"%s"' % self._hash(told).encode())

    def _hash(self, told: bytes) -> str:
        return self._checked(hmac.digest(self._salt, told, "sha256"))

    def _checked(self, digest: bytes) -> str:
        check = hmac.digest(self._salt, b"eds hash " + digest, "sha256")
        return (digest + check[:_CHECK]).hex()

    def _is_hash(self, told: bytes) -> bool:
        text = told.decode()
        if not _OURS.fullmatch(text):
            return False
        return hmac.compare_digest(text, self._checked(bytes.fromhex(text[:_DIGEST])))


def plain(token: msgspec.Raw) -> bytes:
    """What is hashed: a string's text, of anything else its JSON in one form.

    Equal values are equal bytes, however they were written.
    """
    value = parse_json(token)
    if isinstance(value, str):
        return value.encode()
    return msgspec.json.encode(_plain(value), order="sorted")


def _plain(value: object) -> object:
    match value:
        case bool() | None | str():
            return value
        case int() | Decimal():
            return msgspec.Raw(_number(Decimal(value)).encode())
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case _:
            raise TypeError(type(value).__name__)


def _number(number: Decimal) -> str:
    short = _EXACT.normalize(number)
    if not short:
        return "0"
    return f"{short:f}" if abs(short.adjusted()) < _PLAIN else str(short)
