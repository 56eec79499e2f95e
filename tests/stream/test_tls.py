"""The login goes over TLS to every host but this one."""

import asyncio
import socket
import ssl
import time

import pytest
import trustme

from eds_core.errors import FatalError
from eds_core.sandbox import TlsFiles
from eds_core.stream import Connection, Settings
from eds_core.stream.address import needs_tls, shown
from stream.harness import (
    A,
    Reader,
    feeding,
    in_sandbox,
    publish,
    settings,
    soon,
)


async def refusal(sandbox, kind, **options):
    connection = Connection(settings(sandbox, **options))
    began = time.monotonic()
    with pytest.raises(kind) as caught:
        await connection.open()
    assert time.monotonic() - began < 6
    text = f"{caught.value} {caught.value.advice}"
    for line in sandbox.credentials.read_text().splitlines():
        assert len(line) < 20 or line.startswith("-") or line not in text
    return text


def own_address():
    """An address of this machine that is not the loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return ""
        return str(probe.getsockname()[0])


def tls_files(directory, *names):
    authority = trustme.CA()
    issued = authority.issue_cert(*names)
    files = TlsFiles(*(directory / f"{n}.pem" for n in ("cert", "key", "ca")))
    issued.cert_chain_pems[0].write_to_path(files.certificate)
    issued.private_key_pem.write_to_path(files.key)
    authority.cert_pem.write_to_path(files.ca)
    return files


def test_a_certificate_that_is_not_trusted(tmp_path):
    files = tls_files(tmp_path, "127.0.0.1")

    async def scenario(sandbox):
        return await refusal(sandbox, FatalError)

    text = in_sandbox(tmp_path, scenario, tls=files)

    assert "certificate verify failed" in text
    assert "SSL_CERT_FILE" in text


def test_a_certificate_that_expired_is_not_taken_for_expired_credentials():
    error = ssl.SSLCertVerificationError(1, "certificate has expired")
    wanted = Settings(("tls://host",), None)

    async def explain():
        return Connection(wanted)._explain(error)

    assert isinstance(asyncio.run(explain()), FatalError)


def test_a_certificate_of_an_authority_that_is_trusted(tmp_path, monkeypatch):
    files = tls_files(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(files.ca))

    async def scenario(sandbox):
        async with feeding(sandbox) as feed:
            reader = Reader(feed)
            reader.follow()
            await publish(sandbox, [A])
            await reader.has(1)

    in_sandbox(tmp_path, scenario, tls=files)


def test_tls_is_demanded_where_the_address_says_so(tmp_path):
    async def scenario(sandbox):
        url = sandbox.url.replace("nats://", "tls://")
        connection = Connection(Settings((url,), sandbox.credentials))
        with pytest.raises(FatalError, match="offers no TLS"):
            await connection.open()

    in_sandbox(tmp_path, scenario)


def test_tls_is_demanded_of_every_other_host(tmp_path, monkeypatch):
    address = own_address()
    if not address or address.startswith("127."):
        pytest.skip("this machine has no address but the loopback")
    sent = []

    async def greet(reader, writer):
        writer.write(
            b'INFO {"nonce":"abc","auth_required":true,"max_payload":1000}\r\n'
        )
        sent.append(await reader.read(100))
        writer.close()

    async def scenario(sandbox):
        async with await asyncio.start_server(greet, address, 0) as server:
            port = server.sockets[0].getsockname()[1]
            url = f"nats://user:pw12@{address}:{port}"
            connection = Connection(Settings((url,), sandbox.credentials))
            with pytest.raises(FatalError, match="offers no TLS") as caught:
                await connection.open()
            await soon(lambda: sent)
            assert "pw12" not in str(caught.value)

    in_sandbox(tmp_path, scenario)

    assert sent == [b""]


@pytest.mark.parametrize(
    ("server", "needs"),
    [
        ("localhost", False),
        ("nats://localhost:4222", False),
        ("nats://127.0.0.1", False),
        ("127.1.2.3:4222", False),
        ("nats://[::1]:4222", False),
        ("nats://user:pw@localhost", False),
        ("tls://localhost", True),
        ("nats://localhost.evil.example", True),
        ("nats://127.evil.example", True),
        ("nats://127.0.0.1@evil.example", True),
        ("nats://[::1:2]", True),
        ("connect.nats.shopmonkey.pub", True),
        ("10.0.0.1", True),
        ("", True),
    ],
)
def test_what_needs_tls(server, needs):
    assert needs_tls(server) is needs


def test_an_address_is_shown_without_its_password():
    assert shown("nats://me:p@ss@host:1") == "nats://host:1"
    assert shown("me:pw@host") == "host"
