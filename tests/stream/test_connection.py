"""Connecting: what refuses us is told in words, soon, and without a secret."""

import asyncio
import logging
import shutil
import socket
import time
from contextlib import contextmanager

import pytest

from eds_core.credentials import read_credentials
from eds_core.errors import ConfigError, FatalError, TransientError
from eds_core.sandbox import NatsServer, Permissions, issue_credentials
from eds_core.stream import Connection, Settings
from eds_core.stream.denials import NotPermitted
from eds_core.stream.position import end_of_stream
from stream.harness import (
    A,
    Reader,
    connected,
    feeding,
    in_sandbox,
    publish,
    service,
    settings,
    soon,
)


def refused(wanted, *, kind, within=5.0):
    """Open the connection; return the error's words."""

    async def run():
        connection = Connection(wanted)
        began = time.monotonic()
        with pytest.raises(kind) as caught:
            await connection.open()
        assert time.monotonic() - began < within
        return f"{caught.value} {caught.value.advice}"

    return asyncio.run(run())


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


@contextmanager
def deaf_server():
    """It takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"nats://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def creds(tmp_path):
    """A good credentials file, without a server."""
    keys = NatsServer(tmp_path / "keys").keys
    path = tmp_path / "shop.creds"
    path.write_text(issue_credentials(keys, (A,)))
    return path


def test_a_host_that_cannot_be_reached(creds):
    wanted = Settings(("nats://127.0.0.1:1",), creds)
    text = refused(wanted, kind=FatalError)

    assert "cannot connect to NATS at nats://127.0.0.1:1" in text
    assert "firewall" in text


def test_a_host_that_has_no_address(creds):
    wanted = Settings(("nats://nowhere.invalid",), creds)

    assert "nats://nowhere.invalid" in refused(wanted, kind=FatalError, within=10)


def test_a_host_that_says_nothing(creds):
    with deaf_server() as url:
        wanted = Settings((url,), creds, timeout=0.5)
        text = refused(wanted, kind=FatalError, within=3)

    assert "no answer within 0.5 s" in text


def test_a_port_that_speaks_something_else(creds):
    async def greet(_, writer):
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
        await writer.drain()
        writer.close()

    async def run():
        async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            connection = Connection(Settings((f"nats://127.0.0.1:{port}",), creds))
            with pytest.raises(FatalError, match="cannot connect to NATS"):
                await connection.open()

    asyncio.run(run())


@pytest.mark.parametrize(
    "url",
    [
        "http://me:pw@host",
        "x://me:pw",
        "ws://host",
        "postgres://host",
        "nats://me:pw@[::1",
        "[;:1]:4222",
    ],
)
def test_an_address_that_is_not_of_nats(creds, url):
    text = refused(Settings((url,), creds), kind=ConfigError)

    assert "is not the address of a NATS server" in text
    assert "pw" not in text


def test_a_password_in_the_address_is_not_told(creds):
    wanted = Settings(("nats://me:pw12@127.0.0.1:1",), creds)

    assert "pw12" not in refused(wanted, kind=FatalError)


def test_credentials_of_another_operator(tmp_path):
    stranger = NatsServer(tmp_path / "other").keys

    async def scenario(sandbox):
        sandbox.credentials.write_text(issue_credentials(stranger, (A,)))
        return await refusal(sandbox, ConfigError)

    text = in_sandbox(tmp_path / "sandbox", scenario)

    assert "refused the credentials" in text
    assert "shop.creds" in text


def test_credentials_that_expired(tmp_path):
    async def scenario(sandbox):
        path = sandbox.issue(expires=int(time.time()) - 10)
        return await refusal(sandbox, ConfigError, credentials=path)

    assert "expired at" in in_sandbox(tmp_path, scenario)


@pytest.mark.survives(
    "Credentials expire while EDS runs",
    "a JWT that lives for seconds",
    "EDS says so, and tries again with the file as it is then",
)
def test_credentials_that_expire_while_connected_are_told(tmp_path, caplog):
    caplog.set_level(logging.WARNING, "eds.stream")

    async def scenario(sandbox):
        path = sandbox.issue(expires=int(time.time()) + 2)
        async with feeding(sandbox, credentials=path) as feed:
            await asyncio.wait_for(feed.connection.lost.wait(), 5)
            await soon(lambda: "trying again" in caplog.text)

    in_sandbox(tmp_path, scenario)

    told = caplog.text.lower()
    assert "connection to nats lost: user authentication expired" in told
    assert "expired at" in caplog.text


@pytest.mark.parametrize("text", ["", "rubbish\n", "-----BEGIN NATS USER JWT-----\n"])
def test_a_file_that_holds_no_credentials(tmp_path, text):
    """nats-py alone reads some of these for ever."""

    async def scenario(sandbox):
        path = tmp_path / "bad.creds"
        path.write_text(text)
        return await refusal(sandbox, ConfigError, credentials=path)

    assert "bad.creds" in in_sandbox(tmp_path, scenario)


@pytest.mark.survives(
    "The credentials file is replaced while EDS runs",
    "another file at its path, the connection cut",
    "the new one is used, without a restart",
)
def test_new_credentials_are_used_at_the_next_connection(tmp_path):
    async def scenario(sandbox):
        first = sandbox.issue(expires=int(time.time()) + 2)
        async with feeding(sandbox, credentials=first) as feed:
            reader = Reader(feed)
            reader.follow()
            await publish(sandbox, [A])
            await reader.has(1)
            shutil.copyfile(sandbox.credentials, first)
            await soon(lambda: feed.reconnects == 1)
            await publish(sandbox, [A])
            await reader.has(2)
            return reader.sequences

    assert in_sandbox(tmp_path, scenario) == [1, 2]


def test_a_file_that_is_of_another_account_by_now_is_not_read_with(tmp_path, caplog):
    """Its stream has other sequences: what is behind ours would be passed over."""
    caplog.set_level(logging.WARNING, "eds.stream")

    async def scenario(sandbox):
        ours, keys = sandbox.credentials.read_text(), NatsServer(tmp_path / "x").keys
        account = read_credentials(sandbox.credentials).account
        async with feeding(sandbox, account=account) as feed:
            reader = Reader(feed)
            reader.follow()
            sandbox.credentials.write_text(issue_credentials(keys, (A,)))
            sandbox.server.kill()
            await asyncio.to_thread(sandbox.server.start)
            await soon(lambda: "another account" in caplog.text)
            sandbox.credentials.write_text(ours)
            await publish(sandbox, [A])
            await reader.has(1)

    in_sandbox(tmp_path, scenario)


def test_what_credentials_do_not_allow_is_told(tmp_path):
    async def scenario(sandbox):
        allowed = Permissions.for_companies([A])
        poor = Permissions(("_INBOX.>",), allowed.subscribe)
        path = sandbox.issue(permissions=poor)
        async with connected(sandbox, credentials=path, timeout=0.5) as connection:
            with pytest.raises(NotPermitted, match=r"publish to \$JS.API") as caught:
                await end_of_stream(connection, A)
        assert "ask Shopmonkey" in caught.value.advice

    in_sandbox(tmp_path, scenario)


def test_an_account_without_the_stream_is_told(tmp_path):
    async def scenario(sandbox):
        async with service(sandbox) as jetstream, connected(sandbox) as connection:
            await jetstream.delete_stream("dbchange")
            with pytest.raises(TransientError, match="stream not found") as caught:
                await end_of_stream(connection, A)
        assert "--server" in caught.value.advice

    in_sandbox(tmp_path, scenario)


def test_a_file_that_is_half_written_delays_but_does_not_stop(tmp_path, caplog):
    caplog.set_level(logging.WARNING, "eds.stream")

    async def scenario(sandbox):
        whole = sandbox.credentials.read_text()
        async with feeding(sandbox) as feed:
            reader = Reader(feed)
            reader.follow()
            sandbox.credentials.write_text(whole[:300])
            sandbox.server.kill()
            await asyncio.to_thread(sandbox.server.start)
            await soon(lambda: "trying again" in caplog.text)
            sandbox.credentials.write_text(whole)
            await publish(sandbox, [A])
            await reader.has(1)

    in_sandbox(tmp_path, scenario)


def test_the_trace_tells_what_is_said_but_no_payload_of_messages(tmp_path, caplog):
    caplog.set_level(logging.INFO, "eds.nats")

    async def scenario(sandbox):
        secret = b'{"after": {"name": "Ada Lovelace"}}'
        subject = f"dbchange.order.INSERT.{A}.NONE.PUBLIC.1.e"
        await sandbox.publish_raw(subject, secret, {"h": "secret"})
        async with feeding(sandbox, trace=True) as feed:
            reader = Reader(feed)
            reader.follow()
            await reader.has(1)

    in_sandbox(tmp_path, scenario)

    assert f"nats tx: $JS.API.CONSUMER.CREATE.dbchange.eds-server-{A}" in caplog.text
    assert "CONSUMER.MSG.NEXT" in caplog.text
    assert "nats rx: dbchange.order.INSERT." in caplog.text
    assert "35 bytes, sequence 1" in caplog.text
    assert "Ada" not in caplog.text
    assert "secret" not in caplog.text


def test_nothing_is_traced_unless_asked_for(tmp_path, caplog):
    caplog.set_level(logging.INFO, "eds.nats")

    async def scenario(sandbox):
        async with connected(sandbox) as connection:
            await connection.request("schema.order.latest", b"{}")

    in_sandbox(tmp_path, scenario)

    assert "nats tx" not in caplog.text


def test_a_loss_is_noticed_whatever_nats_py_does(tmp_path, monkeypatch):
    """Its clean-up ends early when the last bytes cannot be sent."""

    async def scenario(sandbox):
        async with connected(sandbox) as connection:
            transport = connection._client._transport

            async def broken():
                raise ConnectionResetError

            monkeypatch.setattr(transport, "drain", broken)
            connection._client._pending.append(b"PING\r\n")
            connection._client._pending_data_size = 6
            sandbox.server.kill()
            await asyncio.wait_for(connection.lost.wait(), 3)

    in_sandbox(tmp_path, scenario)


def test_a_connection_that_was_never_opened_can_be_closed(creds):
    async def run():
        await Connection(Settings(("nats://127.0.0.1",), creds)).close()

    asyncio.run(run())


def test_opening_can_be_given_up(creds):
    async def run():
        with deaf_server() as url:
            connection = Connection(Settings((url,), creds))
            opening = asyncio.create_task(connection.open())
            await asyncio.sleep(0.1)
            opening.cancel()
            await asyncio.wait([opening])
            assert opening.cancelled()

    asyncio.run(run())


def test_a_second_server_is_tried(tmp_path):
    async def scenario(sandbox):
        servers = ("nats://127.0.0.1:1", sandbox.url)
        connection = Connection(Settings(servers, sandbox.credentials))
        await connection.open()
        await connection.close()

    in_sandbox(tmp_path, scenario)
