from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Event, Thread

import pytest

#: Quarantines N messages as the pipeline does, says so, waits for a line, and ends.
QUARANTINES = """
import logging, sys
from eds_core.destination import Destination
from eds_core.event import Message
from eds_core.ledger import Quarantined
from eds_core.plugins import installed_plugins
from eds_core.testing import MemoryDriver
logging.basicConfig(format="%(message)s")
destination = Destination(MemoryDriver("memory://shop"), installed_plugins())
message = Message("dbchange.order.INSERT.acme", b'{"secret": "value"}', 42, 0)
entry = Quarantined("42", "acme", "order", "e1", message, "a secret reason")
for _ in range(int(sys.argv[1])):
    destination.quarantined([entry])
print("told", flush=True)
sys.stdin.readline()
"""
BODY = {"id": "42", "table": "order", "company": "acme", "event": "e1"}


@pytest.fixture(scope="module")
def environment(installed):
    return installed("eds-plugin-webhook")


@contextmanager
def receiver(status=200, *, answers=True):
    """A real HTTP server: its URL, and what it was sent."""
    got, closing = Queue(), Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            got.put(self.rfile.read(int(self.headers["Content-Length"])))
            if not answers:
                closing.wait(60)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", got
    finally:
        closing.set()
        server.shutdown()
        server.server_close()


@contextmanager
def running(environment, url, count):
    """A process that quarantines *count* times; yields it when it has done so."""
    process = subprocess.Popen(
        [sys.executable, "-c", QUARANTINES, str(count)],
        env={**environment, "EDS_WEBHOOK_URL": url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "told\n", process.stderr.read()
        yield process
    finally:
        process.kill()
        process.communicate()


def log_of(process):
    return process.communicate("end\n", timeout=60)[1]


def test_the_webhook_is_told_without_the_row(environment):
    with receiver() as (url, got), running(environment, url, 1):
        body = got.get(timeout=60)

    assert json.loads(body) == {"quarantined": [BODY]}


def test_a_webhook_that_never_answers_does_not_hold_the_stream(environment):
    """100 calls wait, one is under way; the others are dropped, which is said once."""
    with (
        receiver(answers=False) as (url, got),
        running(environment, url, 500) as process,
    ):
        got.get(timeout=60)  # the one under way
        log = log_of(process)

    assert log.count("is too slow") == 1


def test_a_webhook_that_fails_is_said_once_and_tried_again(environment):
    with receiver(500) as (url, got), running(environment, url, 5) as process:
        for _ in range(5):
            got.get(timeout=60)
        log = log_of(process)

    assert log.count("fails") == 1
    assert "hook" not in log.replace("webhook", "")  # nor its address


def test_without_an_address_nothing_happens(environment):
    with running(environment, "", 1) as process:
        assert log_of(process) == ""
