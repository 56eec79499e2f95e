"""What an author tells the kit about a driver, and how the kit reaches it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlsplit, urlunsplit

import pytest

from eds_core.destination import find_driver, scheme_of
from eds_core.driver import Driver
from eds_core.schema import ColumnType, TableSchema
from eds_core.sql import SqlDriver

from .outcome import Deviation
from .shop import Shop, Traces

#: Marks a test by what a driver needs: "transactions", "guards", "sql", "server".
needs = pytest.mark.eds_needs

S = TypeVar("S", bound=type)


def all_need(*what: str) -> Callable[[S], S]:
    """Mark every test of a class; a mark on the class would be inherited by others."""

    def marked(layer: S) -> S:
        for name, test in [*vars(layer).items()]:
            if name.startswith("test_"):
                setattr(layer, name, needs(*what)(test))
        return layer

    return marked


class Suite:
    """The attributes and methods that an author may set or override."""

    #: The driver's URL scheme; what selects it.
    scheme: ClassVar[str] = ""
    #: The database to test on; else what the environment's variable says.
    url: ClassVar[str | None] = None
    #: <NAME> of EDS_TEST_<NAME>_URL, where it is not the scheme.
    server: ClassVar[str] = ""
    #: The driver, where it has no entry point.
    driver: ClassVar[type[Driver] | None] = None
    #: Tests and rules that are not kept: name -> reason and ticket. A test's name
    #: with parameters, as pytest shows it, is one of them only.
    skips: ClassVar[Mapping[str, str]] = {}
    #: Values of the matrix that are not stored exactly: label -> what is done.
    values: ClassVar[Mapping[str, Deviation]] = {}
    #: Keys that the database would take for others, and that are rejected: those of
    #: ``layers.shapes.KEYS`` -> why.
    refused_keys: ClassVar[Mapping[str, str]] = {}
    #: Widenings such as "number to decimal" that are refused, with words -> why.
    refused_widenings: ClassVar[Mapping[str, str]] = {}
    #: How the kit shall read columns of a type, where plain SELECT will not do:
    #: an expression such as ``CAST({} AS text)``.
    read_as: ClassVar[Mapping[ColumnType, str]] = {}
    #: How the kit shall call the driver's columns in the documentation.
    stored_as: ClassVar[Mapping[ColumnType, str]] = {}
    #: It is for users, and so belongs into the support matrix.
    documented: ClassVar[bool] = True
    #: Made-up histories in each of the model's tests.
    max_examples: ClassVar[int] = 30
    #: Shrink what fails: for databases where a step costs nothing.
    shrinks: ClassVar[bool] = False
    #: Where the SQL is kept; None: in ``golden`` beside the test file.
    golden: ClassVar[Path | None] = None
    #: How a user declares a column that the database computes: {of} and one more.
    generated: ClassVar[str] = "{name} {type} GENERATED ALWAYS AS ({of} + 1) STORED"
    #: How a user drops a column, after ALTER TABLE.
    dropped: ClassVar[str] = "DROP COLUMN {name}"
    #: The server's port where the URL names none.
    port: ClassVar[int | None] = None
    #: By how much fewer rows are written, to a database that takes its time.
    slowness: ClassVar[int] = 1
    #: There is no connection that could be cut; None: what the example URL says.
    embedded: ClassVar[bool | None] = None

    @classmethod
    def title(cls) -> str:
        """What the suite is called in reports and file names."""
        return cls.__name__.removeprefix("Test").lower()

    @classmethod
    def driver_class(cls) -> type[Driver]:
        if cls.driver is not None:
            return cls.driver
        return find_driver(f"{cls.scheme or scheme_of(cls.url or '')}://")

    @classmethod
    def variable(cls) -> str:
        """The environment's variable that names a database to test on."""
        name = cls.server or cls.scheme or cls.title()
        return f"EDS_TEST_{name.upper()}_URL"

    @classmethod
    def given_url(cls) -> str | None:
        return cls.url or os.environ.get(cls.variable())

    @classmethod
    def lacking(cls, what: str) -> str | None:
        """Why a test that needs *what* does not apply; None: it does."""
        driver = cls.driver_class()
        if what == "transactions" and not driver.capabilities.transactions:
            return f"{driver.title} has no transactions (its capabilities say so)"
        if what == "guards" and not driver.capabilities.guards:
            return f"{driver.title} only appends (its capabilities say so)"
        if what == "sql" and not issubclass(driver, SqlDriver):
            return f"{driver.title} is not a SQL database"
        if what == "server" and cls.is_embedded():
            return f"{driver.title} has no server: nothing to disconnect from"
        if what == "entry point" and cls.driver is not None:
            return f"{driver.__name__} is given as a class, not by its URL's scheme"
        return None

    @classmethod
    def is_embedded(cls) -> bool:
        if cls.embedded is not None:
            return cls.embedded
        return urlsplit(cls.driver_class().example_url).hostname is None

    def address(self, url: str) -> tuple[str, int] | None:
        """The host and port behind *url*; None when it names none."""
        parts = urlsplit(url)
        port = parts.port or self.port
        if parts.hostname is None or port is None:
            return None
        return parts.hostname, port

    def redirected(self, url: str, host: str, port: int) -> str:
        """Return *url* with another host and port."""
        parts = urlsplit(url)
        login, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{login}{at}{host}:{port}"))

    def fetch(self, driver: Driver, table: TableSchema) -> list[Mapping[str, Any]]:
        """Read *table* back, past the driver. Override where there is no SQL."""
        if not isinstance(driver, SqlDriver):
            raise NotImplementedError(f"{type(self).__name__} has to override fetch()")
        session = driver.session
        wanted = ", ".join(
            self.read_as.get(column.type, "{}").format(session.quote(column.name))
            for column in table.columns
        )
        query = f"SELECT {wanted} FROM {session.quote_table(table.name)}"  # noqa: S608 - identifiers only, quoted
        names = [column.name for column in table.columns]
        with session.reading() as connection:
            rows = connection.exec_driver_sql(query).all()
        return [dict(zip(names, row, strict=True)) for row in rows]

    def drop(self, driver: Driver, table: TableSchema) -> None:
        """Remove *table* if it is there. Override where there is no SQL."""
        if not isinstance(driver, SqlDriver):
            raise NotImplementedError(f"{type(self).__name__} has to override drop()")
        if driver.session.has_table(table.name):
            with driver.session.altering():
                driver.session.run(
                    f"DROP TABLE {driver.session.quote_table(table.name)}"
                )

    def database(self, driver: Driver) -> str:
        """What database this is, for the report; *driver* is open."""
        if not isinstance(driver, SqlDriver):
            return driver.title
        dialect = driver.session.dialect
        title = "MariaDB" if getattr(dialect, "is_mariadb", False) else driver.title
        version = dialect.server_version_info or ()
        return f"{title} {'.'.join(map(str, version))}".strip()

    def driver_on(self, url: str) -> Driver:
        """A new driver on *url*, whose errors show what the database said."""
        driver = self.driver_class()(url)
        if isinstance(driver, SqlDriver):
            driver.session.explains = True
        return driver

    @contextmanager
    def opened(self, url: str, traces: Traces) -> Iterator[Shop]:
        """A new driver on *url*, closed whatever happens."""
        shop = Shop(self, self.driver_on(url), url, traces)
        try:
            shop.open()
            if not traces.books_made:
                shop.ledger.create()
                traces.books_made = True
            yield shop
        finally:
            shop.close()

    @pytest.fixture
    def shop(self, destination_url: str, conformance_traces: Traces) -> Iterator[Shop]:
        """The database under test, with what EDS keeps in it."""
        with self.opened(destination_url, conformance_traces) as shop:
            yield shop
