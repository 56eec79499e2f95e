"""Export files, as the upstream service writes them: one per table."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from eds_core.sandbox.oracle import RowValues, State

SECOND = 1_000_000_000
_JSON = msgspec.json.Encoder(decimal_format="number")


def write_export(
    state: State, directory: Path, tables: Iterable[str], time: int
) -> list[Path]:
    """Write the rows that *state* has of *tables*; return a file for each table.

    *time*, in nanoseconds since 1970, is when the rows were read; it is in the
    files' names. A table without rows has an empty file.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for table in tables:
        path = directory / export_name(table, time)
        with gzip.open(path, "wb", compresslevel=1) as file:
            file.writelines(_lines(state.get(table, {}).values()))
        written.append(path)
    return written


def export_name(table: str, time: int) -> str:
    """Return a changefeed's name for a file of *table*, with its rows' time."""
    seconds, nanoseconds = divmod(time, SECOND)
    moment = f"{datetime.fromtimestamp(seconds, UTC):%Y%m%d%H%M%S}{nanoseconds:09d}"
    logical = "0" * 10
    return f"{moment}{logical}-c7274317e9a4a9cb-1-651-00000000-{table}-2.ndjson.gz"


def _lines(rows: Iterable[RowValues]) -> Iterator[bytes]:
    return (_JSON.encode(row) + b"\n" for row in rows)
