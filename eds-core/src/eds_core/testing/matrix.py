"""The matrix of values: what may come for a column of each type, and what follows.

Data only. ``exact`` is what has to be read back; a case without one has to be
rejected. A driver that does otherwise declares it, under the case's label.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from eds_core.schema import ColumnType

from .outcome import Outcome
from .reading import canonical


@dataclass(frozen=True, slots=True)
class Case:
    """A JSON token for a column of *kind*."""

    kind: ColumnType
    name: str
    token: str
    expected: Outcome
    value: Any = None

    @property
    def label(self) -> str:
        """What reports call it, and a driver that deviates."""
        return f"{self.kind}: {self.name}"


_TEXTS = {
    "empty": "",
    "the word NULL": "NULL",
    "the word null": "null",
    "accents": "ünïcödé",
    "combining accent": "a\u0308",
    "emoji": "😀👩‍👩‍👧‍👦",
    "right to left": "שלום \u202eabc",
    "quotes and backslashes": 'it\'s "quoted" \\ back\\slash \\',
    "dollar quoting": "$_H_$ $$ $1",
    "injection": "'; DROP TABLE thing; --",
    "placeholders": "%s %(a)s :a ? $1 {} @p",
    "line ends and tabs": "a\tb\r\nc\u2028",
    "control characters": "\x01\x1f\x7f",
    "spaces around": "  spaces  ",
    "a trailing space": "a ",
    "the last of Unicode": "\U0010ffff\ufffd",
    "100 KB": "x" * 100_000,
    "1 MB": "ü€😀" * (1024 * 1024 // 9),
}
_TOKENS_AS_TEXT = {
    "an integer": "7",
    "a number": "1.50",
    "a boolean": "true",
    "a list": "[1, 2]",
}
_INTEGERS = {
    "zero": 0,
    "minus one": -1,
    "2^53 + 1": 2**53 + 1,
    "the largest of 64 bits": 2**63 - 1,
    "the smallest of 64 bits": -(2**63),
}
_DECIMALS = {
    "a tenth": "0.1",
    "38 digits": "12345678901234567890123456789012345678",
    "38 digits, 9 of them behind the point": "-12345678901234567890123456789.012345678",
    "9 digits behind the point": "-0.000000001",
    "an exponent": "1E+3",
    "trailing zeros": "1.500",
}
_NUMBERS = {
    "a tenth": 0.1,
    "large": -1.5e300,
    "the smallest double": 5e-324,
    "an exponent": 1e22,
    "an integer": 3.0,
}
_JSON = {
    "a string": '"text"',
    "a number": "1",
    "a boolean": "true",
    "an empty list": "[]",
    "an empty object": "{}",
    "nested": '{"a":[1,{"b":null}],"c":{"d":[[]]}}',
    "escapes and emoji": '["\\u00e9😀", 1.5]',
    "a string that looks like JSON": '"{\\"a\\":1}"',
    "a number that no double holds": '{"n":12345678901234567890.1}',
    "an integer that no double holds": '{"n":9007199254740993}',
    "equal but for the case": '{"a":1,"A":2}',
}
_MOMENTS = {
    "the year 1": "0001-01-01T00:00:00Z",
    "the year 9999": "9999-12-31T23:59:59Z",
    "before 1970": "1969-12-31T23:59:59Z",
    "after 2038": "2038-01-19T03:14:08Z",
    "a leap day": "2024-02-29T12:00:00Z",
    "an hour that clocks skip": "2024-03-31T02:30:00Z",
    **{f"{n} digits": f"2024-02-29T12:00:00.{'123456789'[:n]}Z" for n in range(1, 7)},
}
_BEYOND_MICROSECONDS = {
    f"{n} digits": f"2024-02-29T12:00:00.{'123456789'[:n]}Z" for n in range(7, 10)
}
_OFFSET = "2024-01-01T00:30:00+02:00"

_WORDS = ("now", "today", "infinity", "epoch", "", "x")
_REJECTED: dict[ColumnType, dict[str, str]] = {
    ColumnType.TEXT: {"a lone surrogate": '"\\ud800"'},
    ColumnType.INTEGER: {
        "2^63": str(2**63),
        "a fraction": "1.5",
        "a word": '"abc"',
        "a list": "[]",
    },
    ColumnType.NUMBER: {"a word": '"abc"', "too large": "1e999"},
    ColumnType.DECIMAL: {"a word": '"abc"', "not a number": '"NaN"'},
    ColumnType.BOOLEAN: {"a word": '"perhaps"'},
    ColumnType.BYTES: {"no base64": '"?"'},
    **{
        kind: {
            **{f"the word {word!r}": f'"{word}"' for word in _WORDS},
            "a time of today": '"10:00 today"',
            "month 13": '"2024-13-01T00:00:00Z"',
            "milliseconds": "1700000000000",
        }
        for kind in (ColumnType.TIMESTAMP, ColumnType.DATETIME)
    },
}  # fmt: skip


def _exact(kind: ColumnType, name: str, token: str, value: object) -> Case:
    return Case(kind, name, token, Outcome.EXACT, canonical(value, kind))


def _texts() -> Iterator[Case]:
    for name, text in _TEXTS.items():
        token = json.dumps(text, ensure_ascii=False)
        yield _exact(ColumnType.TEXT, name, token, text)
    for name, text in list(_TEXTS.items())[:13]:
        yield _exact(ColumnType.TEXT, f"{name}, escaped", json.dumps(text), text)
    for name, token in _TOKENS_AS_TEXT.items():
        yield _exact(ColumnType.TEXT, name, token, token)
    yield _exact(ColumnType.TEXT, "NUL", '"b\\u0000c"', "b\0c")


def _numbers() -> Iterator[Case]:
    for name, whole in _INTEGERS.items():
        yield _exact(ColumnType.INTEGER, name, str(whole), whole)
        yield _exact(ColumnType.INTEGER, f"{name}, as text", f'"{whole}"', whole)
    for token in ("1E+3", "1000.0"):
        yield _exact(ColumnType.INTEGER, f"written {token}", token, 1000)
    for name, digits in _DECIMALS.items():
        yield _exact(ColumnType.DECIMAL, name, digits, Decimal(digits))
        yield _exact(ColumnType.DECIMAL, f"{name}, as text", f'"{digits}"', digits)
    for name, number in _NUMBERS.items():
        yield _exact(ColumnType.NUMBER, name, repr(number), number)
    for word in ("true", "false"):
        yield _exact(ColumnType.BOOLEAN, word, word, word)


def _others() -> Iterator[Case]:
    for name, token in _JSON.items():
        yield _exact(ColumnType.JSON, name, token, token)
    yield _exact(ColumnType.BYTES, "two bytes", '"AP8="', b"\x00\xff")
    yield _exact(ColumnType.BYTES, "empty", '""', b"")
    for kind in (ColumnType.TIMESTAMP, ColumnType.DATETIME):
        for name, moment in (_MOMENTS | _BEYOND_MICROSECONDS).items():
            yield _exact(kind, name, f'"{moment}"', moment)
        yield _exact(kind, "an offset", f'"{_OFFSET}"', _OFFSET)


def _nulls() -> Iterator[Case]:
    for kind in ColumnType:
        yield Case(kind, "null", "null", Outcome.EXACT)


def _rejected() -> Iterator[Case]:
    for kind, cases in _REJECTED.items():
        for name, token in cases.items():
            yield Case(kind, name, token, Outcome.REJECTED)


CASES: tuple[Case, ...] = (
    *_texts(),
    *_numbers(),
    *_others(),
    *_nulls(),
    *_rejected(),
)
