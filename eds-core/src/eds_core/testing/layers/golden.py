"""Layer 2, golden: the SQL for a fixed schema, kept beside the test as text."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from eds_core.errors import TableError
from eds_core.schema import Column, ColumnType, TableSchema, widened
from eds_core.sql import SqlDriver
from eds_core.testing.shop import table_of
from eds_core.testing.suite import Suite, needs

_WIDTH = 96
_REWRITE = "EDS_TEST_GOLDEN"

#: Reserved words, every type, a composite key, a table of nothing but its key.
TABLES = (
    table_of(
        "order",
        **{kind.value: kind for kind in ColumnType},
        default=ColumnType.TEXT,
        end=ColumnType.TEXT,
        primary=ColumnType.TEXT,
        select=ColumnType.TEXT,
    ),
    table_of(
        "vehicle_owner", key=("vehicleId", "customerId"), since=ColumnType.TIMESTAMP
    ),
    table_of("label_link", key=("labelId", "orderId")),
)


class Golden(Suite):
    """A change of behaviour shows as a difference that a reviewer can read."""

    @needs("sql")
    def test_the_sql_is_what_it_was(self) -> None:
        class_ = self.driver_class()
        driver = class_(class_.example_url)
        assert isinstance(driver, SqlDriver)
        now, place = script(driver), self.golden_file()
        if os.environ.get(_REWRITE) == "write":
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(now, encoding="utf-8")

        if not place.exists():
            pytest.fail(f"there is no {place}: {_REWRITE}=write makes it")
        assert now == place.read_text(encoding="utf-8"), (
            f"look at the difference; {_REWRITE}=write takes it over into {place.name}"
        )

    @classmethod
    def golden_file(cls) -> Path:
        beside = Path(str(sys.modules[cls.__module__].__file__)).parent / "golden"
        return (cls.golden or beside) / f"{cls.title()}.sql"


def script(driver: SqlDriver) -> str:
    """All that *driver* would execute for ``TABLES``, as text."""
    parts = [f"-- {driver.title}"]
    for table in TABLES:
        parts += _titled(table.name, driver.script(table).items())
    parts += _titled("widening", _widenings(driver))
    parts += _titled("EDS's own tables", driver.script_books().items())
    return "\n\n".join(parts) + "\n"


def _titled(title: str, statements: object) -> Iterator[str]:
    yield f"-- {title} " + "-" * (_WIDTH - len(title) - 4)
    for name, statement in statements:  # type: ignore[attr-defined] # pairs
        yield f"-- {name}\n{_folded(statement).removesuffix(';')};"


def _folded(statement: str) -> str:
    """Lines that fit on a screen; what has lines of its own keeps them."""
    lines = [line.rstrip() for line in statement.replace("\t", "    ").splitlines()]
    return "\n".join(
        textwrap.fill(
            line,
            _WIDTH,
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
            drop_whitespace=True,
        )
        for line in lines
        if line
    )


def _widenings(driver: SqlDriver) -> Iterator[tuple[str, str]]:
    for old in ColumnType:
        for new in dict.fromkeys(widened(old, other) for other in ColumnType):
            if new is not old:
                yield f"{old} to {new}", _widening(driver, old, new)


def _widening(driver: SqlDriver, old: ColumnType, new: ColumnType) -> str:
    table: TableSchema = table_of("thing", a=old)
    try:
        step = driver.widening(driver.as_made(table), Column("a", new))
    except TableError as error:
        return f"-- refused: {error}"
    return ";\n".join(step)
