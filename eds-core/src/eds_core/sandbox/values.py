"""Values such as people, and their software, put into a shop's columns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import TypeAlias

import msgspec

from eds_core.sandbox.model import Column

# What msgspec encodes as JSON; Raw where the very digits matter.
Value: TypeAlias = object

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
FRACTION_DIGITS = (0, 1, 2, 3, 3, 3, 3, 4, 5, 6, 6, 7, 8, 9)

FIRST_NAMES = (
    "Ada", "Zoë", "José", "Grace", "Nguyễn", "Søren", "Élise", "Иван", "美咲",
    "Linus", "O'Neil", "Priya", "محمد", "Bjørk", "Lou",
)  # fmt: skip
LAST_NAMES = (
    "Lovelace", "O'Example", "García-Márquez", "Müller", "Sample", "Łukasz",
    "D\u2019Angelo", "Smith", "van der Berg", "Ōtani", "Hopper", "Null",
)  # fmt: skip
MAKES = ("Acme", "Volta", "Škoda", "Citroën", "Roadrunner", "Hornet", "Kestrel")
MODELS = ("Roadster", "Model 7", "Cross-Country", "Fúria", "Van 3.0 TDI", "Mk. II")
CITIES = ("Springfield", "Saint-Étienne", "Köln", "Zürich", "San José", "Montréal")
JOBS = (
    "Oil change", "Front brakes", "Replace pads & rotors", "Alignment",
    'Timing belt 36"', "A/C recharge", "Tire rotation", "Diagnose noise",
    "State inspection", "Coolant flush", "Été: freins avant",
)  # fmt: skip
NOTES = (
    "", "Waiting in the lobby.", "Call before starting", "Key is under the mat",
    "Left wiper squeaks; customer asked twice.", "No rush", "Comeback, see last order",
)  # fmt: skip
AWKWARD = (
    "NULL",
    "null",
    '\'; DROP TABLE "order"; --',
    "say \"cheese\", it's 'quoted'",
    "C:\\shop\\new\\temp",
    "line one\nline two\r\nline three\twith tab",
    "\\N",
    "{not json",
    "100% {braces} $1 :name ?",
    "  spaces around  ",
    "🚗💨 👩‍🔧 ready! ñ é",
    "zero\u200bwidth \u2028 separator \u00a0",
    "e\u0301 is not \u00e9",
    "ثلاثة ฿ ٣",
    "true",
    "0001",
    "-0",
    "2025-02-30T25:61:61Z",
)

LONG_TEXT = "All four tires were below the limit; customer was told. 🛞 "


class Values:
    """Makes values for columns; equal seeds give equal values."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._by_part = _text_makers(random)
        self._suiting: dict[str, Callable[[], str]] = {}
        self._makers: dict[str, Callable[[Column, int], Value]] = {
            "String": lambda column, _: self.text(column.name),
            "DateTime": lambda _, now: self.moment(now),
            "Int": lambda column, _: self.integer(column.name),
            "BigInt": lambda column, _: self.integer(column.name),
            "Float": lambda _, __: self.fractional(),
            "Double": lambda _, __: self.fractional(),
            "Decimal": lambda _, __: self.decimal(),
            "Boolean": lambda _, __: self._random.random() < 0.4,  # noqa: PLR2004 - rather false
            "Json": lambda _, __: self.json(),
            "Bytes": lambda _, __: self._random.randbytes(12),
        }

    def value(self, column: Column, now: int) -> Value:
        """Return a value for *column*; None at times, where it may be."""
        if column.nullable and self.chance(0.35):
            return None
        if column.list:
            return [self._one(column, now) for _ in range(self._random.randrange(4))]
        return self._one(column, now)

    def chance(self, share: float) -> bool:
        return self._random.random() < share

    def identifier(self) -> str:
        """Return a new row's id: 24 hex digits, or a UUID as newer rows have."""
        if self.chance(0.6):
            return f"{self._random.getrandbits(96):024x}"
        digits = f"{self._random.getrandbits(128):032x}"
        return "-".join(
            (digits[:8], digits[8:12], f"4{digits[13:16]}", f"a{digits[17:20]}",
             digits[20:])
        )  # fmt: skip

    def moment(self, now: int) -> str:
        """Return a time within some months of *now*."""
        return self.time(now + self._random.randrange(-200 * DAY, 60 * DAY))

    def time(self, nanoseconds: int) -> str:
        """Return a time as RFC 3339 with 0 to 9 digits of the second's fraction."""
        seconds, fraction = divmod(nanoseconds, SECOND)
        whole = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        digits = f"{fraction:09d}"[: self._random.choice(FRACTION_DIGITS)]
        return f"{whole}{'.' if digits else ''}{digits}Z"

    def integer(self, name: str) -> int:
        """Return a whole number; rarely one that no double can hold."""
        if self.chance(0.004):
            return 2**53 + 1 + 2 * self._random.randrange(2**61)
        if name == "year":
            return self._random.randrange(1950, 2027)
        if name.endswith("Cents"):
            return self._random.randrange(0, 250_000)
        return self._random.randrange(0, 40)

    def fractional(self) -> Value:
        """Return a number with a fraction, at times written as `1.5E+3`."""
        if self.chance(0.1):
            digits = self._random.randrange(1, 100)
            return msgspec.Raw(f"{digits / 10}E{self._random.choice('+-')}3".encode())
        if self.chance(0.2):
            return self._random.randrange(0, 100)
        return self._random.randrange(0, 1_000_000) / 1000

    def decimal(self) -> Value:
        """Return an exact number, with no more digits than a double keeps."""
        whole = self._random.randrange(0, 10 ** self._random.randrange(1, 10))
        return msgspec.Raw(f"{whole}.{self._random.randrange(10_000):04d}".encode())

    def json(self) -> Value:
        """Return any JSON: mostly an object, but not always."""
        return self._random.choice(
            (
                {"note": self.text("note"), "by": None, "n": [1, 2.5, 2**60 + 1]},
                {"deep": {"er": [{"é": "\\"}, []]}, "empty": {}},
                {},
                [{"name": "Waiting", "color": "#336699"}, {"name": "VIP ⭐"}],
                [],
                "a text",
                42,
                False,
            )
        )

    def text(self, name: str) -> str:
        """Return a text that suits a column's name, or one that tests software."""
        if self.chance(0.03):
            return self.awkward()
        return self._text_maker(name)()

    def awkward(self) -> str:
        if self.chance(0.05):
            return LONG_TEXT * self._random.randrange(20, 120)
        return self._random.choice(AWKWARD)

    def _text_maker(self, name: str) -> Callable[[], str]:
        maker = self._suiting.get(name)
        if maker is None:
            makers = (make for part, make in self._by_part if part in name.lower())
            maker = self.identifier if _names_a_row(name) else next(makers, self._job)
            self._suiting[name] = maker
        return maker

    def _job(self) -> str:
        return f"{self._random.choice(JOBS)} {self._random.randrange(100)}"

    def _one(self, column: Column, now: int) -> Value:
        if column.enum:
            return self._random.choice(column.values)
        return self._makers[column.type](column, now)


def _text_makers(random: Random) -> tuple[tuple[str, Callable[[], str]], ...]:
    """Return what suits columns whose name, in lower case, has a part in it."""
    pick = random.choice
    return (
        ("email", lambda: f"{pick(('ada', 'jo.se', 'x+y'))}@example.test"),
        ("phone", lambda: f"+1555{random.randrange(10**7):07d}"),
        ("number", lambda: str(random.randrange(1000, 99_999))),
        ("url", lambda: f"https://shop.example/{random.getrandbits(32):x}"),
        ("website", lambda: "https://shop.example/?q=a&b=c#d"),
        ("firstname", lambda: pick(FIRST_NAMES)),
        ("lastname", lambda: pick(LAST_NAMES)),
        ("city", lambda: pick(CITIES)),
        ("make", lambda: pick(MAKES)),
        ("model", lambda: pick(MODELS)),
        ("note", lambda: pick(NOTES)),
        ("timezone", lambda: "America/Los_Angeles"),
    )


def _names_a_row(column: str) -> bool:
    return column == "id" or column.endswith(("Id", "Ids"))
