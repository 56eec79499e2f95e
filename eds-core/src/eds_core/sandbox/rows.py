"""The rows that a shop has now, kept as the JSON they were published with."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TypeAlias

import msgspec

from eds_core.sandbox.model import Model

Key: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row's JSON text, the model it was written with, and its version.

    The text is kept, not the values: what is not changed stays as it was
    written, to the digit.
    """

    key: Key
    model: Model
    version: int
    text: bytes

    def tokens(self) -> dict[str, msgspec.Raw]:
        """Return the JSON of each column."""
        return msgspec.json.decode(self.text, type=dict[str, msgspec.Raw])

    def text_of(self, column: str) -> str | None:
        """Return a column's value if it is a text, else None."""
        token = self.tokens().get(column)
        value = None if token is None else msgspec.json.decode(token)
        return value if isinstance(value, str) else None


class RowStore:
    """The rows of one table, any of which can be picked in no time."""

    def __init__(self) -> None:
        self._rows: dict[Key, StoredRow] = {}
        self._keys: list[Key] = []
        self._places: dict[Key, int] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def rows(self) -> list[StoredRow]:
        return list(self._rows.values())

    def put(self, row: StoredRow) -> None:
        if row.key not in self._rows:
            self._places[row.key] = len(self._keys)
            self._keys.append(row.key)
        self._rows[row.key] = row

    def remove(self, key: Key) -> None:
        del self._rows[key]
        place, last = self._places.pop(key), self._keys.pop()
        if last != key:  # the last one moves into the hole
            self._keys[place] = last
            self._places[last] = place

    def get(self, key: Key) -> StoredRow | None:
        return self._rows.get(key)

    def pick(self, random: Random) -> StoredRow | None:
        """Return any row, a young one more often; None when there are none."""
        if not self._keys:
            return None
        if random.random() < 0.5:  # noqa: PLR2004 - half of the work is on new rows
            return self._rows[self._keys[-1 - random.randrange(min(20, len(self)))]]
        return self._rows[random.choice(self._keys)]
