"""What the tests of the SQL Server driver share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import quote, urlencode

import pytest

from eds_driver_sqlserver import SqlServerDriver
from servers import odbc
from servers.tds import Rows, Says, TdsServer, tds_server

#: Characters that mean something to a URL, to ODBC, or to both.
PASSWORD = "se;cr{e}t=@/?#%'\" "

#: What SQLAlchemy and the driver ask when they connect.
GREETINGS: list[tuple[str, Says | Rows | None]] = [
    ("ProductVersion", [("15.0.2000.5",)]),
    ("system_views", [("dm_exec_sessions",)]),
    ("transaction_isolation_level", [("READ COMMITTED",)]),
    ("fn_listextendedproperty", [(1,)]),
    ("test max support", [("x",)]),
    ("schema_name()", [("dbo",)]),
    ("compatibility_level", [(150, "shop", None, "dbo")]),
    ("sys.schemas", [(1,)]),
]


def driver_named(kind: str) -> str:
    """Return the ODBC driver of *kind*, or skip for want of it."""
    found = odbc.microsoft() if kind == "microsoft" else odbc.freetds()
    if found is None:
        pytest.skip(odbc.NO_MICROSOFT if kind == "microsoft" else odbc.NO_FREETDS)
    return found


def with_driver(url: str) -> str:
    """Name an ODBC driver in *url* if EDS would find none; skip for want of one."""
    if "driver=" in url or odbc.registered():
        return url
    wanted = quote(driver_named("microsoft"), safe="")
    return f"{url}{'&' if '?' in url else '?'}driver={wanted}"


def url(port: int, driver: str, **parameters: str) -> str:
    given = {"driver": driver, "encrypt": "no", **parameters}
    login = f"eds:{quote(PASSWORD, safe='')}"
    return f"sqlserver://{login}@127.0.0.1:{port}/shop?{urlencode(given)}"


@contextmanager
def greeted(
    driver: str, answers: Sequence[tuple[str, Says | Rows | None]] = ()
) -> Iterator[tuple[SqlServerDriver, TdsServer]]:
    """A driver that has connected to a stand-in, which then gives *answers*."""
    with tds_server() as server:
        server.answers = [*GREETINGS]
        opened = SqlServerDriver(url(server.port, driver))
        opened.open()
        server.answers = [*answers, *GREETINGS]
        server.requests.clear()
        try:
            yield opened, server
        finally:
            opened.close()


def secrets_in(*texts: object) -> list[str]:
    """Return the parts of the password that *texts* tell."""
    told = " ".join(map(str, texts))
    parts = (PASSWORD, quote(PASSWORD), "se;cr", "se%3Bcr", "cr{e")
    return [part for part in parts if part in told]
