"""Somebody on the way to the database says that there is no TLS, and asks for more."""

import socket
import struct
import threading

import pytest

from eds_core.destination import find_driver
from eds_core.errors import ConfigError, EdsError
from eds_driver_postgres.connecting import parse

PASSWORD = "hunter2-0x5ec2e7"
NO_HOST_OF_OURS = "0.0.0.0"  # comes out here, and is not called this machine
ASKS_FOR_ENCRYPTION = {80877103, 80877104}  # by TLS, by GSSAPI
PASSWORD_PLEASE = b"R" + struct.pack("!II", 8, 3)


@pytest.fixture
def attacker():
    """Its port, and what it was told."""
    told = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(30)
        thread = threading.Thread(target=_attack, args=(listening, told), daemon=True)
        thread.start()
        yield listening.getsockname()[1], told
        socket.create_connection(listening.getsockname()[:2]).close()
        thread.join(30)


def _attack(listening, told):
    connection, _ = listening.accept()
    connection.settimeout(30)
    with connection, connection.makefile("rwb") as stream:
        while (begun := _said(stream)) and _code(begun) in ASKS_FOR_ENCRYPTION:
            stream.write(b"N")
            stream.flush()
        if begun:
            stream.write(PASSWORD_PLEASE)
            stream.flush()
            stream.read(1)
            told.append(_said(stream))


def _said(stream):
    length = stream.read(4)
    return stream.read(int.from_bytes(length) - 4) if len(length) == 4 else b""


def _code(begun):
    return int.from_bytes(begun[:4])


@pytest.mark.parametrize("scheme", ["postgresql", "cockroachdb"])
def test_the_password_is_not_told_to_who_says_that_there_is_no_tls(attacker, scheme):
    port, told = attacker
    url = f"{scheme}://eds:{PASSWORD}@{NO_HOST_OF_OURS}:{port}/shop"
    driver = find_driver(url)(url)

    with pytest.raises(ConfigError, match="SSL was required") as caught:
        driver.open()
    driver.close()

    assert "sslmode=disable" in caught.value.advice
    assert told == []


def test_the_attacker_is_one(attacker):
    """Else the test above would show nothing."""
    port, told = attacker
    url = f"postgresql://eds:{PASSWORD}@{NO_HOST_OF_OURS}:{port}/shop?sslmode=prefer"
    driver = find_driver(url)(url)

    with pytest.raises(EdsError):
        driver.open()
    driver.close()

    assert told == [PASSWORD.encode() + b"\0"]


@pytest.mark.parametrize(
    ("place", "mode"),
    [
        ("u@db/x", "require"),
        ("u@10.0.0.1:5433/x", "require"),
        ("u@[2001:db8::1]/x", "require"),
        ("u@localhost,db/x", "require"),
        ("u@localhost/x?hostaddr=10.0.0.1", "require"),
        ("u@db/x?sslrootcert=ca.pem", "verify-full"),
        ("u@db/x?sslrootcert=system", "verify-full"),
        ("u@db/x?sslmode=disable", "disable"),
        ("u@db/x?sslmode=verify-ca&sslrootcert=ca.pem", "verify-ca"),
        ("u@db/x?service=shop", None),
        ("u@localhost/x", "allow"),
        ("u@127.0.0.1,[::1]/x", "allow"),
        ("u@localhost/x?sslrootcert=ca.pem", None),
        ("/x", "allow"),
        ("u@%2Frun%2Fpostgresql/x", "allow"),
        ("u@/x?host=/run/postgresql", "allow"),
    ],
)
def test_what_needs_tls(monkeypatch, place, mode):
    _forget_environment(monkeypatch)

    assert parse(f"postgresql://{place}").get("sslmode") == mode


@pytest.mark.parametrize(
    ("name", "value", "place", "mode"),
    [
        ("PGSSLMODE", "disable", "u@db/x", None),
        ("PGHOST", "db", "/x", "require"),
        ("PGHOSTADDR", "10.0.0.1", "u@localhost/x", "require"),
        ("PGSERVICE", "shop", "u@db/x", None),
        ("PGSSLROOTCERT", "system", "u@db/x", "verify-full"),
    ],
)
def test_what_the_environment_says_counts(monkeypatch, name, value, place, mode):
    _forget_environment(monkeypatch)
    monkeypatch.setenv(name, value)

    assert parse(f"postgresql://{place}").get("sslmode") == mode


def _forget_environment(monkeypatch):
    for name in ("HOST", "HOSTADDR", "SERVICE", "SSLMODE", "SSLROOTCERT"):
        monkeypatch.delenv(f"PG{name}", raising=False)
