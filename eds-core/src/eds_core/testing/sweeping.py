"""The kit leaves a database as it found it, also one that others use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from eds_core.driver import Driver
from eds_core.errors import DestinationError
from eds_core.schema import TableSchema
from eds_core.sql import SqlDriver

from .shop import Traces
from .suite import Suite


@dataclass
class FirstLook:
    """What the ledger said before anything was ever made."""

    untouched: bool = False
    found: dict[str, Any] = field(default_factory=dict)
    books: frozenset[str] = frozenset()  # EDS's tables that were there
    tested_on: str = ""  # the database, with its version


def look_first(suite: Suite, driver: Driver) -> FirstLook:
    """Read the ledger of a database in which there may be none yet."""
    ledger = driver.ledger
    before = _books(driver)
    found = {
        "checkpoints": ledger.checkpoints(),
        "quarantined": ledger.quarantined(),
        "parked": ledger.parked(),
        "statuses": ledger.statuses(),
        "resumed": ledger.request_resume("eds_test_none"),
    }
    made_by_looking = _books(driver) != before
    found["made"] = made_by_looking
    untouched = not before and not any(found[name] for name in list(found)[:4])
    return FirstLook(untouched, found, before, suite.database(driver))


@contextmanager
def swept(suite: Suite, url: str) -> Iterator[tuple[Traces, FirstLook]]:
    """Traces to fill; what they name is removed with a connection of its own."""
    traces = Traces()
    driver = suite.driver_on(url)
    try:
        driver.open()
        first = look_first(suite, driver)
    finally:
        driver.close()
    try:
        yield traces, first
    finally:
        _sweep(suite, url, traces, first)


def _sweep(suite: Suite, url: str, traces: Traces, first: FirstLook) -> None:
    driver = suite.driver_on(url)

    def gone(table: TableSchema) -> bool:
        try:
            suite.drop(driver, table)
        except DestinationError:
            return False
        return True

    try:
        driver.open()
        left = [table.name for table in traces.tables.values() if not gone(table)]
        if isinstance(driver, SqlDriver):
            _forget(driver, traces)
            _drop_empty_books(driver, first.books)
    finally:
        driver.close()
    if left:
        raise RuntimeError(f"the kit could not remove {', '.join(left)}")


def _forget(driver: SqlDriver, traces: Traces) -> None:
    """Take the kit's companies and tables out of what EDS remembers."""
    books = driver.books
    companies, tables = sorted(traces.companies), sorted(traces.tables)
    for table in books.all:
        by_company = "company" in table.c
        column = table.c.company if by_company else table.c.table_name
        names = companies if by_company else tables
        if driver.session.has_table(table.name):
            with driver.session.transaction():
                for start in range(0, len(names), 500):
                    which = column.in_(names[start : start + 500])
                    driver.session.execute(table.delete().where(which))


def _drop_empty_books(driver: SqlDriver, before: frozenset[str]) -> None:
    """Drop EDS's own tables if the kit made them and nobody else uses them.

    The history comes last: it tells of how the others were made.
    """
    made, history = _books(driver) - before, driver.books.history.name
    others = made - {history}
    gone = {name for name in sorted(others) if _drop_if_empty(driver, name)}
    if history in made and gone == others:
        gone |= {history}
    if driver.session.has_table(history):
        _forget_making(driver, gone)
    if history in gone:
        _drop_if_empty(driver, history)


def _drop_if_empty(driver: SqlDriver, name: str) -> bool:
    session = driver.session
    if driver.count(name):
        return False
    with session.altering():
        session.run(f"DROP TABLE {session.quote_table(name)}")
    return True


def _forget_making(driver: SqlDriver, names: Iterable[str]) -> None:
    """Take what is gone out of the history."""
    books = driver.books
    plain = [name.removeprefix(books.prefix) for name in names]
    which = books.history.c.table_name.in_(plain)
    with driver.session.transaction():
        driver.session.execute(books.history.delete().where(which))


def _books(driver: Driver) -> frozenset[str]:
    if not isinstance(driver, SqlDriver):
        return frozenset()
    has_table = driver.session.has_table
    return frozenset(t.name for t in driver.books.all if has_table(t.name))
