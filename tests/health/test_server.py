"""What is answered over a real socket, and that nobody can hold it up."""

import http.client
import json
import logging
import socket
import time
from contextlib import closing, suppress
from dataclasses import replace
from threading import Event, Thread
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from eds_core.errors import ConfigError
from eds_core.health import Health, HealthOptions
from eds_core.health.http import HttpServer
from eds_core.health.pages import Pages
from eds_core.health.snapshot import Snapshot, View
from eds_core.standing import Reason, State

OLD_NAMES = {
    "eds_pending_events",
    "eds_total_events",
    "eds_flush_duration_seconds",
    "eds_flush_count",
    "eds_processing_duration_seconds",
}
STREAMING = State(streaming=True)
EVERY_PATH = ("/", "/status.json", "/metrics", "/livez", "/readyz", "/status/health")


class Source:
    """What the pages are made from, given by the test."""

    def __init__(self, *states, silent=0.0):
        self.silent = silent
        self.show(*states)

    def show(self, *states):
        views = [View(f"db{n}", "SQLite", state) for n, state in enumerate(states)]
        self.snapshot = Snapshot(time.time(), time.time(), views)


@pytest.fixture
def source():
    return Source(STREAMING)


@pytest.fixture
def server(source):
    with closing(HttpServer(Pages(source, local=True), "127.0.0.1", 0)) as server:
        yield server


def connect(server, seconds=20):
    place = urlsplit(server.url)
    return http.client.HTTPConnection(place.hostname, place.port, timeout=seconds)


def ask(server, path, method="GET", body=None, **headers):
    with closing(connect(server)) as connection:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer, answer.read()


@pytest.mark.parametrize("path", EVERY_PATH)
def test_every_page_answers_get_and_head_alone(server, path):
    got, body = ask(server, path)
    head, nothing = ask(server, path, "HEAD")

    assert got.status == head.status == 200
    assert body
    assert nothing == b""
    assert got.getheader("Content-Length") == head.getheader("Content-Length")
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        refused, _ = ask(server, path, method)
        assert refused.status == 405
        assert refused.getheader("Allow") == "GET, HEAD"


@pytest.mark.parametrize("path", ["/control/pause", "/nothing", "/../etc/passwd"])
def test_there_is_nothing_else(server, path):
    assert ask(server, path)[0].status == 404


def test_ready_says_in_words_why_not(server, source):
    assert ask(server, "/readyz")[1] == b"ready\n"

    away = Reason("no answer\nfrom db", "start it")
    source.show(STREAMING, replace(STREAMING, trouble=away))
    answer, body = ask(server, "/readyz")

    assert answer.status == 503
    assert body.decode() == (
        "SQLite (db1) cannot be written to: no answer from db. start it\n"
    )
    assert ask(server, "/livez")[0].status == 200
    assert ask(server, "/status/health")[0].status == 200


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State(), "SQLite (db0) is not streaming"),
        (State(trouble=Reason("broke")), "SQLite (db0) has stopped: broke"),
        (replace(STREAMING, nats="eof"), "no connection to NATS: eof. EDS tries again"),
    ],
)
def test_each_reason_has_its_words(server, source, state, words):
    source.show(state)

    answer, body = ask(server, "/readyz")

    assert answer.status == 503
    assert body.decode().startswith(words)


def test_nothing_is_ready_before_it_has_begun(server, source):
    source.show()

    assert ask(server, "/readyz")[1] == b"starting\n"


def test_a_stream_without_a_sign_of_life_is_dead(server, source):
    source.silent = 61.0

    for path in ("/livez", "/readyz"):
        answer, body = ask(server, path)
        assert answer.status == 503
        assert b"no sign of life from the stream's thread for 61 s" in body
    assert ask(server, "/status/health")[0].status == 200


def test_the_old_metrics_are_there_by_name(server):
    _, body = ask(server, "/metrics")

    families = [*text_string_to_metric_families(body.decode())]
    names = {family.name for family in families}

    assert names >= OLD_NAMES
    assert {
        "eds_lag_events",
        "eds_lag_seconds",
        "process_resident_memory_bytes",
    } <= names
    assert 'eds_total_events{destination="db0"} 0.0' in body.decode()
    assert all(family.documentation for family in families)


def test_a_page_from_elsewhere_cannot_read_this_one(server):
    rebound, body = ask(server, "/status.json", Host="shop.example:8080")
    assert rebound.status == 421
    assert b"destinations" not in body

    for host in ("localhost:1", "127.0.0.1", "[::1]:8080", "10.0.0.1:80"):
        assert ask(server, "/status.json", Host=host)[0].status == 200
    answer, _ = ask(server, "/", Origin="http://shop.example")
    assert answer.getheader("Access-Control-Allow-Origin") is None


def test_who_is_meant_for_others_is_asked_by_any_name(source):
    pages = Pages(source, local=False)
    with closing(HttpServer(pages, "127.0.0.1", 0)) as server:
        assert ask(server, "/readyz", Host="eds.example")[0].status == 200


def test_requests_are_bounded(server):
    long, _ = ask(server, "/livez", **{"X-Long": "x" * 20_000})
    large, _ = ask(server, "/livez", "POST", b"x" * 5_000)

    assert long.status == 431
    assert large.status == 413
    assert ask(server, "/livez")[0].status == 200


def test_slow_clients_are_hung_up_on_and_others_served(source):
    """More than there may be, each sending a byte now and then, for ever."""
    pages, done = Pages(source, local=True), Event()
    with closing(HttpServer(pages, "127.0.0.1", 0, longest=2)) as server:
        place = urlsplit(server.url)
        slow = [
            socket.create_connection((place.hostname, place.port)) for _ in range(100)
        ]

        def drip():
            while not done.wait(0.2):
                for each in slow:
                    try:
                        each.send(b"G")
                    except OSError:
                        continue

        dripping = Thread(target=drip)
        dripping.start()
        try:
            assert ask(server, "/livez")[1] == b"alive\n"
        finally:
            done.set()
            dripping.join()
            for each in slow:
                each.close()


def test_who_does_not_read_keeps_no_thread(source):
    """The answers that nobody takes wait in memory, a few hundred kB in all."""
    pages = Pages(source, local=True)
    with closing(HttpServer(pages, "127.0.0.1", 0)) as server:
        place = urlsplit(server.url)
        deaf = []
        for _ in range(20):
            each = socket.create_connection((place.hostname, place.port))
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            each.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
            deaf.append(each)

        assert ask(server, "/livez")[1] == b"alive\n"

        for each in deaf:
            each.close()


def test_closing_hangs_up_on_everybody(source):
    server = HttpServer(Pages(source, local=True), "127.0.0.1", 0)
    place = urlsplit(server.url)
    with closing(socket.create_connection((place.hostname, place.port))) as waiting:
        waiting.sendall(b"GET /livez HTTP/1.1\r\n")
        server.close()
        server.close()

        waiting.settimeout(20)
        with suppress(ConnectionResetError):  # what it sent may not have been read
            assert waiting.recv(10) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((place.hostname, place.port))


def test_an_address_in_use_stops_only_who_asked_for_it(caplog):
    caplog.set_level(logging.INFO, "eds")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Health(HealthOptions(port=port), [("db", "SQLite")]) as health:
            assert health.url == ""
        assert f"no status page: cannot listen on 127.0.0.1 port {port}" in caplog.text
        asked = HealthOptions(port=port, asked=True)
        with pytest.raises(ConfigError, match="cannot listen") as told:
            Health(asked, []).__enter__()
    assert "--health-port" in told.value.advice


@pytest.mark.parametrize("host", ["nowhere.invalid", "x" * 80, "a..b"])
def test_an_address_that_does_not_exist_is_told(source, host):
    with pytest.raises(ConfigError, match=f"cannot listen on {host} port 0"):
        HttpServer(Pages(source, local=True), host, 0)


def test_a_table_called_as_a_script_is_only_text(source):
    name = '<script>alert("x")</script>\n"} 1'
    with closing(HttpServer(Pages(source, local=True), "127.0.0.1", 0)) as server:
        views = [View(name, name, STREAMING)]
        source.snapshot = Snapshot(0, 0, views)
        status, body = ask(server, "/status.json")
        _, metrics = ask(server, "/metrics")

    assert status.getheader("Content-Type") == "application/json"
    assert status.getheader("X-Content-Type-Options") == "nosniff"
    assert json.loads(body)["destinations"][0]["name"] == name
    labels = {
        sample.labels["destination"]
        for family in text_string_to_metric_families(metrics.decode())
        for sample in family.samples
        if "destination" in sample.labels
    }
    assert labels == {name}


def test_the_pages_policy_allows_its_own_script_alone(server):
    answer, body = ask(server, "/")

    policy = answer.getheader("Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "script-src 'sha256-" in policy
    assert "unsafe" not in policy
    assert b"http://" not in body
    assert b"https://" not in body
    assert b"innerHTML" not in body
