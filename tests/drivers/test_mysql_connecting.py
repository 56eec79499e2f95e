"""URLs, TLS, passwords, privileges: what is said when there is no connection."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import servers
from eds_core.errors import (
    ConfigError,
    EdsError,
    RejectedError,
    TableError,
    TransientError,
)
from eds_core.event import Version, VersionedKey
from eds_core.ledger import Checkpoint, Move, Parked
from eds_core.schema import ColumnType, diff
from eds_driver_mysql import MysqlDriver

TEXT = ColumnType.TEXT


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://u:hidden@h:port/db", "not a URL"),
        ("mysql://u:hidden@h", "names no database"),
        ("mysql://u:hidden@h/db?pool=3", "pool"),
        ("mysql://u:hidden@h/db?ssl_mode=sometimes", "ssl_mode is none of"),
        ("mysql://u:hidden@h/db?ssl_mode=DISABLED", "in the clear"),
        ("mariadb://u:hidden@10.0.0.1/db?ssl-mode=preferred", "in the clear"),
        ("mysql://u:hidden@h/db?tls=false", "in the clear"),
        ("mysql://u:hidden@localhost/db?connect_timeout=soon", "connect_timeout"),
        ("mysql://u:hidden@localhost/db?tcp_user_timeout=1.5", "tcp_user_timeout"),
    ],
)
def test_a_wrong_url_is_refused_without_its_password(url, words):
    with pytest.raises(ConfigError, match=words) as caught:
        MysqlDriver(url)

    told = f"{caught.value} {caught.value.__cause__}"
    assert "hidden" not in told
    assert caught.value.advice


@pytest.mark.parametrize(
    ("query", "mode"),
    [
        ("", "REQUIRED"),
        ("?ssl_mode=REQUIRED", "REQUIRED"),
        ("?ssl-mode=verify_ca&ssl-ca=x.pem", "VERIFY_CA"),
        ("?sslca=x.pem", "VERIFY_IDENTITY"),
        ("?tls=skip-verify&parseTime=true&charset=utf8mb4", "REQUIRED"),
        ("?tls=true", "VERIFY_IDENTITY"),
    ],
)
def test_how_tls_is_asked_for(query, mode):
    place = MysqlDriver("mysql://h/db")._place(f"mysql://u:secret@h/db{query}")

    assert place.mode == mode
    assert "secret" not in repr(place)


def opened(url):
    driver = MysqlDriver(url)
    driver.open()
    return driver


def cipher(driver):
    with driver.session.reading() as connection:
        query = "SHOW SESSION STATUS LIKE 'Ssl_cipher'"
        ((_, value),) = connection.exec_driver_sql(query)
        return value


@pytest.mark.parametrize("mode", ["REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"])
@pytest.mark.parametrize("server", ["own_mariadb", "own_mysql"])
def test_tls_is_used_and_checked(request, server, mode):
    own = request.getfixturevalue(server)
    url = own.new_database()
    driver = opened(f"{url}?ssl_mode={mode}&ssl_ca={own.ca_file}")

    assert cipher(driver)
    driver.close()


def test_tls_is_used_on_this_machine_too_where_the_server_has_it(own_mariadb):
    url = own_mariadb.new_database()
    plain, tls = opened(f"{url}?ssl_mode=DISABLED"), opened(url)

    assert cipher(plain) == ""
    assert cipher(tls)
    plain.close()
    tls.close()


def test_a_certificate_that_is_not_accepted_is_told(own_mariadb, tmp_path):
    url = own_mariadb.new_database()
    for wrong in (
        f"{url}?ssl_mode=VERIFY_IDENTITY",  # the system's authorities
        f"{url}?ssl_ca={tmp_path}/missing.pem",
        f"{url}?ssl_ca={Path(servers.__file__)}",
    ):
        with pytest.raises(ConfigError) as caught:
            opened(wrong)
        assert "ssl" in f"{caught.value} {caught.value.advice}"


def test_a_socket_connects(own_mariadb):
    name = urlsplit(own_mariadb.new_database()).path
    driver = opened(f"mysql://eds:secret%40word@{name}?socket={own_mariadb.socket}")
    driver.close()


def test_a_password_in_any_language(own_mariadb):
    name = urlsplit(own_mariadb.new_database()).path.removeprefix("/")
    own_mariadb.execute(
        "DROP USER IF EXISTS anders",
        "CREATE USER anders IDENTIFIED BY 'ключ-😀'",
        f"GRANT ALL ON {name}.* TO anders",
    )
    place = f"127.0.0.1:{own_mariadb.port}/{name}"
    driver = opened(f"mariadb://anders:%D0%BA%D0%BB%D1%8E%D1%87-%F0%9F%98%80@{place}")
    driver.close()


def test_nothing_listens():
    driver = MysqlDriver(f"mysql://u:hidden@127.0.0.1:{servers.free_port()}/x")

    with pytest.raises(TransientError, match="refused") as caught:
        driver.open()

    assert "hidden" not in str(caught.value)
    driver.close()


def test_a_silent_server_is_given_up():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port, begun = silent.getsockname()[1], time.monotonic()

        with pytest.raises(TransientError):
            opened(f"mysql://u:hidden@127.0.0.1:{port}/x?connect_timeout=1")

    assert time.monotonic() - begun < 8


def test_a_long_statement_is_not_given_up(mariadb_url):
    driver = opened(f"{mariadb_url}?connect_timeout=1")
    with driver.transaction():
        driver.session.run("SELECT SLEEP(1.5)")
    driver.close()


def test_a_host_that_is_unknown_may_be_known_later():
    with pytest.raises(TransientError, match=r"nowhere\.invalid"):
        opened("mysql://u@nowhere.invalid/x")


@pytest.mark.parametrize("server", ["mariadb_url", "mysql_url"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("secret%40word", "hidden"), "Access denied"),
        (("//eds:", "//nobody:"), "Access denied"),
        (("/eds_test_", "/hidden_"), "denied|Unknown database"),
    ],
)
def test_who_may_not_enter_is_told_what_to_correct(request, server, change, words):
    url = request.getfixturevalue(server).replace(*change)

    with pytest.raises(ConfigError, match=words) as caught:
        opened(url)

    assert "secret" not in str(caught.value)
    assert ":hidden" not in str(caught.value)
    assert caught.value.advice


def grants() -> list[str]:
    """The statements that the README tells people to run."""
    place = Path(__file__).parents[2] / "eds-driver-mysql" / "README.md"
    (block,) = re.findall(
        r"<!-- grants -->\s*```sql\n(.*?)```", place.read_text(), re.DOTALL
    )
    return [line for line in re.sub(r"--.*", "", block).split(";") if line.strip()]


@pytest.mark.parametrize("server", ["own_mariadb", "own_mysql"])
def test_the_readmes_grants_are_all_that_eds_needs(request, server, table_of, row):
    own = request.getfixturevalue(server)
    name = urlsplit(own.new_database()).path.removeprefix("/")
    own.execute("DROP USER IF EXISTS 'eds_writer'@'%'")
    own.execute(*(line.replace("shop", name) for line in grants()))
    place = f"127.0.0.1:{own.port}/{name}"
    driver = opened(f"mysql://eds_writer:change-me@{place}")
    do_everything(driver, table_of, row)
    own.execute(f"CREATE UNIQUE INDEX mine ON {name}.`order` (a(20))")
    write_beside_an_index(driver, table_of("order", a=TEXT), row)
    driver.close()
    own.execute("DROP USER 'eds_writer'@'%'")


def do_everything(driver, table_of, row):
    ledger = driver.ledger
    ledger.create()
    ledger.establish(Checkpoint("shop", 1, 1, "a", "s", "p"))
    assert ledger.claim("shop", "me", "server") is not None
    narrow, wide = table_of("order", a=ColumnType.BOOLEAN), table_of("order", a=TEXT)
    for table in (narrow, wide):
        driver.migrate(change_of(driver, table))
    with driver.transaction():
        ledger.advance([Move("shop", 1, 1, 2, 2)])
        driver.upsert(wide, [row(wide, 1, id=i, a=i) for i in "ab"])
        driver.delete(wide, [VersionedKey(("a",), Version(2))])
        ledger.park([Parked("order", "shop", 1, "why")])
    assert driver.bulk_load(wide, [row(wide, 3, id="c", a="c")]).inserted == 1
    assert driver.count("order") == 2


def write_beside_an_index(driver, table, row):
    with pytest.raises(RejectedError):
        driver.upsert(table, [row(table, 2, id="d", a="b")])
    assert driver.upsert(table, [row(table, 4, id="c", a="z")]) == 1


def change_of(driver, table):
    return diff(table, driver.columns(table.name))


def test_a_missing_privilege_parks_the_table(own_mariadb, table_of, row):
    url = own_mariadb.new_database()
    name = urlsplit(url).path.removeprefix("/")
    owner, table = opened(url), table_of("order", a=TEXT)
    owner.ledger.create()
    owner.migrate(change_of(owner, table))
    own_mariadb.execute(
        "DROP USER IF EXISTS reader",
        "CREATE USER reader IDENTIFIED BY 'x'",
        f"GRANT SELECT ON {name}.* TO reader",
    )
    driver = opened(url.replace("eds:secret%40word", "reader:x"))

    with pytest.raises(TableError, match="denied") as caught:
        driver.upsert(table, [row(table, 1, id="a")])

    assert "grant" in caught.value.advice
    driver.close()
    owner.close()


def test_every_error_is_one_of_ours(own_mariadb):
    with pytest.raises(EdsError):
        opened(f"mysql://eds:secret%40word@127.0.0.1:{own_mariadb.port}/a%27b%60c")
