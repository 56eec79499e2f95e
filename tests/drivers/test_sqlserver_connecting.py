"""How SQL Server is found and reached, and what is said when it is not."""

from __future__ import annotations

import socket
import threading
import time
import traceback
from contextlib import contextmanager, suppress

import pytest

from drivers.sqlserver import (
    GREETINGS,
    PASSWORD,
    driver_named,
    greeted,
    secrets_in,
    url,
)
from eds_core.destination import find_driver
from eds_core.errors import ConfigError, DestinationError, TransientError
from eds_driver_sqlserver import SqlServerDriver, address, connecting
from servers.tds import Says, tds_server

both = pytest.mark.parametrize("kind", ["microsoft", "freetds"])
BOTH_NAMES = [*connecting.MICROSOFT, "FreeTDS"]


@pytest.mark.parametrize("scheme", ["sqlserver", "mssql", "mssql+pyodbc"])
def test_every_scheme_finds_the_driver(scheme):
    found = find_driver(f"{scheme}://u:p@h/db")

    assert found is SqlServerDriver
    assert found(f"{scheme}://u:p@h/db").title == "SQL Server"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("sqlserver://u:p@h/db", ("h", 1433, "db", "")),
        ("sqlserver://u:p@h:9/db", ("h", 9, "db", "")),
        ("sqlserver://u:p@h:9?database=db", ("h", 9, "db", "")),
        ("sqlserver://u:p@h/sales?database=db", ("h", None, "db", "sales")),
        ("sqlserver://u:p@h/db?instance=sales", ("h", None, "db", "sales")),
        ("sqlserver://u:p@[::1]/my%20db", ("::1", 1433, "my db", "")),
    ],
)
def test_a_url_says_where_the_database_is(given, expected):
    found = address.read(given)

    assert (found.host, found.port, found.database, found.instance) == expected
    assert (found.user, found.password) == ("u", "p")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("sqlserver://u:hidden@h", "no database"),
        ("sqlserver://u:hidden@/db", "no host"),
        ("sqlserver://u:hidden@h:port/db", "port"),
        ("sqlserver://u:hidden@h:70000/db", "port"),
        ("sqlserver://u:hidden@[h/db", "not a URL"),
        ("sqlserver://u:hid\0den@h/db", "control character"),
        ("sqlserver://u:hidden@h/db?pool=3", "not known: pool"),
        ("sqlserver://u:hidden@h/db?encrypt=perhaps", "encrypt="),
        ("sqlserver://u:hidden@h/db?trust_server_certificate=x", "neither yes nor no"),
        ("sqlserver://u:hidden@h/db?connect_timeout=900", "connect_timeout"),
        ("sqlserver://u:hidden@h/db?encrypt=no", "plain text to h"),
        ("sqlserver://u:hidden@127.0.0.1.evil/db?encrypt=disable", "plain text"),
    ],
)
def test_a_malformed_url_is_refused_without_its_password(given, words):
    with pytest.raises(ConfigError, match=words) as caught:
        SqlServerDriver(given)

    told = f"{caught.value} {caught.value.advice} {caught.value.__cause__}"
    assert "hid" not in told.replace("hidden@[", "")


@pytest.mark.parametrize(
    ("host", "given", "expected"),
    [
        ("h", "", ("yes", False)),
        ("h", "?encrypt=strict", ("strict", False)),
        ("h", "?TrustServerCertificate=true", ("yes", True)),
        ("localhost", "", ("yes", True)),
        ("localhost", "?trust server certificate=no", ("yes", False)),
        ("localhost", "?certificate=/etc/ca.pem", ("yes", False)),
        ("127.0.0.1", "?encrypt=disable", ("no", True)),
    ],
)
def test_the_way_is_encrypted_and_the_certificate_checked(host, given, expected):
    found = address.read(f"sqlserver://u:p@{host}/db{given}")

    assert (found.encrypt, found.trusts) == expected


@pytest.mark.parametrize(
    ("wanted", "installed", "expected"),
    [
        ("", BOTH_NAMES, "ODBC Driver 18 for SQL Server"),
        ("", BOTH_NAMES[1:], "ODBC Driver 17 for SQL Server"),
        ("", ["SQLite3", "FreeTDS"], "FreeTDS"),
        ("FreeTDS", BOTH_NAMES, "FreeTDS"),
        ("/opt/lib.so", [], "/opt/lib.so"),
    ],
)
def test_the_best_odbc_driver_is_chosen(wanted, installed, expected):
    assert connecting.choose(wanted, installed) == expected


@pytest.mark.parametrize(
    ("wanted", "installed", "words"),
    [
        ("", ["SQLite3"], "apt-get install msodbcsql18"),
        ("Nope", ["FreeTDS"], "driver="),
    ],
)
def test_without_an_odbc_driver_it_says_what_to_install(wanted, installed, words):
    with pytest.raises(ConfigError) as caught:
        connecting.choose(wanted, installed)

    assert words in caught.value.advice


def test_freetds_is_not_trusted_to_check_a_certificate():
    with pytest.raises(ConfigError, match="FreeTDS"):
        connecting.string(address.read("sqlserver://u:p@h/db"), "FreeTDS")

    trusting = address.read("sqlserver://u:p@h/db?trust_server_certificate=yes")
    assert "Encryption=require" in connecting.string(trusting, "FreeTDS")


def test_a_connection_string_encrypts_and_checks():
    given = address.read("sqlserver://u:p@h/db?hostname_in_certificate=other")
    told = connecting.string(given, "ODBC Driver 18 for SQL Server")

    assert "Encrypt=yes;TrustServerCertificate=no;" in told
    assert "HostNameInCertificate=other;" in told


def test_a_value_cannot_add_to_the_connection_string():
    given = address.read("sqlserver://u:a%7D;Encrypt=no;x=%7B@h/db")
    told = connecting.string(given, "ODBC Driver 18 for SQL Server")

    assert "PWD={a}};Encrypt=no;x={};" in told
    with pytest.raises(ConfigError, match="};"):
        connecting.string(
            address.read("sqlserver://u:a%7D;x@localhost/db"),
            "FreeTDS",
        )


def test_a_driver_that_is_no_file_is_said_to_be_missing():
    driver = SqlServerDriver(url(1, "/nowhere/libmsodbcsql.so"))

    with pytest.raises(ConfigError, match="libmsodbcsql") as caught:
        driver.open()

    assert "driver=" in caught.value.advice
    assert secrets_in(caught.value, caught.value.advice) == []


@contextmanager
def listening(answer: bytes):
    """Something that listens and is no SQL Server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    kept.append(connection)
                    if answer:
                        connection.sendall(answer)
                        connection.close()

        kept: list[socket.socket] = []
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        for connection in kept:
            connection.close()


def opening(driver):
    """Open within 10 seconds; return the error and everything it tells."""
    started = time.monotonic()
    with pytest.raises((ConfigError, DestinationError)) as caught:
        driver.open()
    took = time.monotonic() - started

    driver.close()
    told = "".join(traceback.format_exception(caught.value)) + caught.value.advice
    assert secrets_in(told, repr(driver)) == []
    assert took < 10
    return caught.value


@both
def test_nothing_listens(kind):
    driver = driver_named(kind)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = opening(SqlServerDriver(url(taken.getsockname()[1], driver)))

    assert isinstance(error, TransientError)
    assert "refused" in str(error)


@both
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_what_listens_is_no_sql_server(kind, answer):
    driver = driver_named(kind)
    with listening(answer) as port:
        error = opening(SqlServerDriver(url(port, driver, connect_timeout="3")))

    assert isinstance(error, TransientError)
    assert "does not answer as SQL Server" in str(error)


@both
@pytest.mark.parametrize(
    ("number", "text", "words"),
    [
        (18456, "Login failed for user 'eds'.", "user and the password"),
        (4060, 'Cannot open database "shop" requested by the login.', "database"),
        (40615, "Client with IP address is not allowed.", "firewall"),
    ],
)
def test_a_login_that_fails_is_for_the_user_to_mend(kind, number, text, words):
    with tds_server(Says(number, text, 14)) as server:
        error = opening(SqlServerDriver(url(server.port, driver_named(kind))))

    assert isinstance(error, ConfigError)
    assert words in error.advice


@both
def test_a_server_that_is_busy_is_tried_again(kind):
    with tds_server(Says(40613, "Database 'shop' is not available.", 17)) as server:
        error = opening(SqlServerDriver(url(server.port, driver_named(kind))))

    assert isinstance(error, TransientError)
    assert "does not answer" not in str(error)


@both
def test_a_password_arrives_as_it_was_written(kind):
    with greeted(driver_named(kind)) as (_, server):
        assert server.password == PASSWORD


@both
def test_a_database_too_old_for_openjson_is_refused_with_the_remedy(kind):
    old = [("compatibility_level", [(120, "the shop", None, "dbo")])]
    driver_file = driver_named(kind)
    with greeted(driver_file) as (driver, server):
        driver.close()
        server.answers = [*old, *server.answers]
        error = opening(driver)

    assert isinstance(error, ConfigError)
    remedy = "ALTER DATABASE [the shop] SET COMPATIBILITY_LEVEL = 130"
    assert remedy in error.advice


def test_a_schema_that_is_not_there_is_named():
    with tds_server() as server:
        server.answers = [*GREETINGS]
        named = url(server.port, driver_named("freetds"), schema="other")
        error = opening(SqlServerDriver(named))

    assert "no schema other" in str(error)
    assert error.advice == "run: CREATE SCHEMA [other]"
