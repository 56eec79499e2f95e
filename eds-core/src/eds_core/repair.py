"""Rebuild a row's JSON so that databases take what is legal on the wire. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

import msgspec

from .errors import RejectedError
from .event import Row
from .schema import ColumnType, TableSchema

_INTEGER = re.compile(rb'-?\d+|"\s*-?\d+\s*"|null|true|false')
_ESCAPE = re.compile(rb"\\(u0000|.)", re.DOTALL)
_MOST_DIGITS = 40


def repair(
    row: Row,
    table: TableSchema,
    types: Mapping[str, ColumnType | None] | None = None,
) -> tuple[Row, list[str]] | None:
    """Return *row* rewritten, and what was done to it in words; None: nothing.

    Integers written ``1E+3`` or ``1.0`` become plain for integer columns, NUL is
    taken out of strings, and columns that *table* does not know are left out (a
    database trips over NUL there, too). Values of the key stay as they are: they
    say which row it is. *types* are the real columns' where they differ.
    """
    try:
        tokens = row.tokens
    except RejectedError:
        return None
    notes: list[str] = []
    known = table.types | {n: t for n, t in (types or {}).items() if t is not None}
    rebuilt = {
        name: msgspec.Raw(_mend(name, bytes(tokens[name]), known[name], table, notes))
        for name in table.types
        if name in tokens
    }
    notes += _left_out(tokens, rebuilt)
    if not notes:
        return None
    return Row(row.key, row.version, msgspec.json.encode(rebuilt)), notes


def _left_out(
    tokens: Mapping[str, msgspec.Raw], rebuilt: Mapping[str, msgspec.Raw]
) -> list[str]:
    count = len(tokens) - len(rebuilt)
    return [f"{count} columns that the model lacks were left out"] if count else []


def _mend(
    name: str, token: bytes, kind: ColumnType, table: TableSchema, notes: list[str]
) -> bytes:
    if name in table.key:
        return token
    if kind is ColumnType.INTEGER and not _INTEGER.fullmatch(token):
        plain = _plain_integer(token)
        if plain != token:
            notes.append(f"{name}: written as a plain integer")
        return plain
    without = _without_nul(token)
    if without != token:
        notes.append(f"{name}: NUL characters were removed")
    return without


def _plain_integer(token: bytes) -> bytes:
    """The same number in digits only; what is no whole number stays as it is."""
    try:
        number = Decimal(token.strip(b'" ').decode())
    except (InvalidOperation, UnicodeDecodeError):
        return token
    if not number.is_finite() or abs(number.adjusted()) > _MOST_DIGITS:
        return token
    whole = number.to_integral_value()
    return str(int(whole)).encode() if whole == number else token


def _without_nul(token: bytes) -> bytes:
    r"""Take ``\u0000`` out, but not where its backslash is itself escaped."""
    if b"\\u0000" not in token:
        return token
    return _ESCAPE.sub(lambda m: b"" if m[1] == b"u0000" else m[0], token)
