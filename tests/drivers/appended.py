"""A driver that only appends, as short as one can be: a file of lines per table."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import msgspec

from eds_core.append import AppendDriver, Change
from eds_core.errors import ConfigError
from eds_core.event import Key, Row, Version
from eds_core.schema import TableSchema
from eds_core.values import Value


class Line(msgspec.Struct, omit_defaults=True):
    """A change as it is in the file; without a row it is a deletion."""

    key: Key
    version: tuple[int, int]
    columns: list[str]  # those of its model
    row: str = ""  # as it came

    @classmethod
    def of(cls, change: Change) -> Line:
        row = change.source.after if isinstance(change.source, Row) else b""
        return cls(
            change.key,
            change.version,
            [*change.table.types],
            bytes(row).decode(),
        )


class LinesDriver(AppendDriver):
    """``lines:///directory``: each change is a line of ``<table>.jsonl``."""

    title = "Lines"
    example_url = "lines:///var/lib/eds/lines"

    def default_state(self) -> str:
        return f"{self.place}/_eds_state.db"

    @property
    def place(self) -> Path:
        found = re.fullmatch(r"lines://(/[\w./-]+)", self.url)
        if found is None:
            advice = f"it should look like {self.example_url}"
            raise ConfigError("the URL names no directory", advice=advice)
        return Path(found[1])

    def write(self, changes: Sequence[Change]) -> None:
        for table, some in groupby(changes, lambda change: change.table.name):
            lines = msgspec.json.Encoder().encode_lines(map(Line.of, some))
            with self.file(table).open("ab") as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())

    def file(self, table: str) -> Path:
        return self.place / f"{table}.jsonl"

    def lines(self, table: str) -> list[Line]:
        """The changes of *table*, in the order in which they came."""
        if not self.file(table).exists():
            return []
        data = self.file(table).read_bytes()
        return msgspec.json.Decoder(Line).decode_lines(data)

    def rows(self, table: TableSchema) -> Iterator[Mapping[str, Value]]:
        """What they come to: of each key the newest, column by column."""
        rows: dict[Key, dict[str, Value]] = {}
        newest: dict[Key, tuple[int, int]] = {}
        for line in self.lines(table.name):
            key = line.key
            if line.version < newest.get(key, (0, 0)):
                continue
            newest[key] = line.version
            if not line.row:
                rows.pop(key, None)
                continue
            row = Row(key, Version(*line.version), line.row.encode())
            types = {n: k for n, k in table.types.items() if n in line.columns}
            held = rows.setdefault(key, dict.fromkeys(table.types))
            held |= {name: row.get(name, kind) for name, kind in types.items()}
        yield from rows.values()
