"""Health, metrics and the status page's data of a server that streams."""

import asyncio
import json
import re
import socket
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from urllib.parse import unquote, urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from acceptance.harness import serving, shop_is_at, starting, streaming, until
from acceptance.tables import execute
from eds_core.sandbox import COMPANY, Sandbox


async def base_of(server):
    """Where it listens, once it says so."""
    await server.says("a status page: ")
    return re.search(r"page: (http\S+)", server.err)[1]


def ask(base, path):
    """Status and text; 503 is an answer as well."""
    try:
        with urllib.request.urlopen(base + path, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def status(base):
    return json.loads(ask(base, "status.json")[1])


def metrics(base):
    """Values by name and labels without the destination, which is one here."""
    found = {}
    for family in text_string_to_metric_families(ask(base, "metrics")[1]):
        for sample in family.samples:
            labels = {k: v for k, v in sample.labels.items() if k != "destination"}
            found[sample.name, *sorted(labels.values())] = sample.value
    return found


def test_a_server_that_streams_is_ready_and_counts(tmp_path, url):
    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            base = await base_of(server)
            published = await sandbox.run_shop(events=200)
            bad = f"dbchange.brand.INSERT.{COMPANY}.NONE.PUBLIC.1"
            await sandbox.publish_raw(bad, b"no JSON")
            await shop_is_at(url, sandbox, server=server)
            total = ("eds_total_events",)
            await until(lambda: metrics(base)[total] == published + 1, 20, server.tail)
            for path in ("livez", "readyz", "status/health"):
                assert ask(base, path)[0] == 200
            return published, metrics(base), status(base)

    published, found, shown = asyncio.run(scenario())

    assert found["eds_latency_seconds_count",] == published
    assert found["eds_processing_duration_seconds_count",] == published
    assert found["eds_flush_count_sum",] == published + 1
    assert found["eds_flush_duration_seconds_count",] >= 1
    assert found["eds_quarantined_total", "brand"] == 1
    assert found["eds_ready",] == found["eds_nats_connected",] == 1
    assert found["eds_destination_up",] == found["eds_companies",] == 1
    assert found["eds_lag_events",] == found["eds_lag_seconds",] == 0
    assert found["eds_table_last_event_timestamp_seconds", "order"] > 1.7e9
    assert found["process_resident_memory_bytes",] > 1e7
    (view,) = shown["destinations"]
    assert shown["ready"]
    assert view["events"] == published + 1
    assert view["quarantined"] == 1
    order = next(table for table in view["tables"] if table["name"] == "order")
    assert order["rows"] == found["eds_table_rows_total", "order"] > 0
    assert sum(sample[1] for sample in shown["samples"]) > 0


@pytest.mark.survives(
    "The database is away",
    "PostgreSQL is stopped, then started",
    "`/readyz` says so and what to do; ready again by itself",
)
def test_it_is_not_ready_while_the_database_is_away(tmp_path, own_postgres):
    url = own_postgres.new_database()

    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            base = await base_of(server)
            await sandbox.run_shop(events=50)
            await shop_is_at(url, sandbox, server=server)
            await until(lambda: ask(base, "readyz")[0] == 200, 20, server.tail)
            await asyncio.to_thread(own_postgres.stop)
            try:
                waiting = await sandbox.run_shop(events=50)
                behind = lambda: status(base)["behind"] == waiting  # noqa: E731 - one question
                await until(lambda: ask(base, "readyz")[0] == 503, 20, server.tail)
                await until(behind, 20, server.tail)
                words, shown = ask(base, "readyz")[1], status(base)
                alive = ask(base, "livez")[0]
                lag = metrics(base)["eds_lag_seconds",]
                more = lambda: metrics(base)["eds_lag_seconds",] > lag  # noqa: E731 - again
                await until(more, 20, server.tail)
                counted = lambda: (  # noqa: E731 - again
                    metrics(base)["eds_retries_total", "reconnect"] > 0
                )
                await until(counted, 20, server.tail)
            finally:
                await asyncio.to_thread(own_postgres.start)
            await shop_is_at(url, sandbox, server=server)
            await until(lambda: ask(base, "readyz")[0] == 200, 20, server.tail)
            await until(lambda: status(base)["behind"] == 0, 20, server.tail)
            await server.says("PostgreSQL: connected again")
            return words, shown, alive, metrics(base)

    words, shown, alive, found = asyncio.run(scenario())

    assert words.startswith("PostgreSQL (postgresql://")
    assert "cannot be written to: " in words
    assert "[E2101]" in words
    assert alive == 200
    assert not shown["ready"]
    assert shown["reasons"][0]["text"] in words
    assert "trying again" in shown["problems"][0]["text"]
    assert found["eds_retries_total", "outage"] == 1
    assert found["eds_reconnects_total", "destination"] == 1
    assert found["eds_lag_seconds",] == 0


def test_it_is_not_ready_while_nats_is_away(tmp_path, sqlite_url):
    async def scenario():
        async with streaming(tmp_path, sqlite_url) as (sandbox, server):
            base = await base_of(server)
            await until(lambda: ask(base, "readyz")[0] == 200, 20, server.tail)
            sandbox.server.kill()
            try:
                await until(lambda: ask(base, "readyz")[0] == 503, 20, server.tail)
                words = ask(base, "readyz")[1]
            finally:
                await asyncio.to_thread(sandbox.server.start)
            await until(lambda: ask(base, "readyz")[0] == 200, 60, server.tail)
            return words, metrics(base)

    words, found = asyncio.run(scenario())

    assert words.startswith("no connection to NATS: ")
    assert "TCP port 4222" in words
    assert found["eds_reconnects_total", "nats"] == 1


def test_credentials_that_expire_soon_are_shown_from_the_start(tmp_path, sqlite_url):
    end = int(time.time()) + 86_400

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            soon = sandbox.issue(expires=end)
            async with serving(sandbox, sqlite_url, credentials=soon) as server:
                base = await base_of(server)
                await until(lambda: status(base)["expires"], 20, server.tail)
                return status(base), metrics(base)

    shown, found = asyncio.run(scenario())

    assert shown["expires"] == end
    assert any("expires at" in each["text"] for each in shown["problems"])
    assert found["eds_credentials_expire_timestamp_seconds",] == end


def test_a_parked_table_is_shown_with_reason_and_advice(tmp_path, postgres_url):
    own = "CREATE TABLE brand (id VARCHAR(64) PRIMARY KEY, own INTEGER NOT NULL)"

    async def scenario():
        execute(postgres_url, own)
        async with streaming(tmp_path, postgres_url) as (sandbox, server):
            base = await base_of(server)
            for table in ("brand", "vendor"):
                await sandbox.publish(sandbox.shop.insert(table))
            parked = ("eds_table_parked", "brand")
            await until(lambda: parked in metrics(base), 20, server.tail)
            vendor = ("eds_table_rows_total", "vendor")
            await until(lambda: metrics(base).get(vendor) == 1, 20, server.tail)
            return metrics(base), status(base), ask(base, "readyz")[0]

    found, shown, ready = asyncio.run(scenario())

    first, *_ = shown["destinations"][0]["tables"]
    assert (first["name"], first["state"]) == ("brand", "parked")
    assert "own" in first["reason"]
    assert "eds resume brand" in first["advice"]
    assert found["eds_parked_tables",] == 1
    assert ready == 200  # the others go on


def test_the_pages_hold_no_password(tmp_path, own_postgres):
    url = own_postgres.new_database()
    password = urlsplit(url).password
    assert password

    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            base = await base_of(server)
            await sandbox.run_shop(events=20)
            await shop_is_at(url, sandbox, server=server)
            paths = ("", "status.json", "metrics", "readyz", "livez")
            return [ask(base, path)[1] for path in paths]

    pages = "".join(asyncio.run(scenario()))

    assert password not in pages
    assert unquote(password) not in pages


def test_slow_clients_hold_up_neither_the_stream_nor_its_end(tmp_path, sqlite_url):
    """More than are let in, some that do not finish asking, some that do not read."""

    async def scenario():
        async with streaming(tmp_path, sqlite_url) as (sandbox, server):
            place = urlsplit(await base_of(server))
            with ExitStack() as opened:
                for number in range(120):
                    slow = socket.create_connection((place.hostname, place.port))
                    opened.enter_context(slow)
                    slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n")
                    if number % 2:
                        slow.sendall(b"\r\n")
                await sandbox.run_shop(events=200)
                await shop_is_at(sqlite_url, sandbox, server=server)
                assert await server.stop() == 0

    asyncio.run(scenario())


def test_off_means_that_nobody_listens(tmp_path, sqlite_url):
    args = ("--health-port", "off")

    async def scenario():
        async with streaming(tmp_path, sqlite_url, args=args) as (sandbox, server):
            await sandbox.run_shop(events=20)
            await shop_is_at(sqlite_url, sandbox, server=server)
            return server.err

    assert "http" not in asyncio.run(scenario())


def test_an_address_that_was_asked_for_has_to_be_free(tmp_path, sqlite_url):
    async def scenario():
        async with streaming(tmp_path, sqlite_url) as (sandbox, server):
            port = (await base_of(server)).rpartition(":")[2].rstrip("/")
            other = f"sqlite:///{tmp_path / 'other.db'}"
            args = ("--health-port", port)
            with starting(sandbox, other, args=args) as second:
                code = await second.ended()
            return code, second.err

    code, said = asyncio.run(scenario())

    assert code == 2
    assert "for health and metrics: Address already in use" in said
    assert "--health-port" in said
