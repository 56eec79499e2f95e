"""The proxy of the conformance kit does the harm that it is told to."""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager
from threading import Thread

import pytest

from eds_core.testing.proxy import Harm, proxy


class Echo:
    """A server that answers what it is told, and remembers it."""

    def __init__(self):
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.heard = []
        Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            Thread(target=self._answer, args=[client], daemon=True).start()

    def _answer(self, client):
        with client:
            try:
                while data := client.recv(1000):
                    self.heard.append(data)
                    client.sendall(data.upper())
            except OSError:
                return


@pytest.fixture
def echo():
    server = Echo()
    yield server
    server.listening.shutdown(socket.SHUT_RDWR)
    server.listening.close()


@pytest.fixture
def between(echo):
    with proxy(*echo.listening.getsockname()) as made:
        yield made


@pytest.fixture
def client(between):
    with connected(between) as made:
        yield made


@contextmanager
def connected(between):
    with socket.create_connection((between.host, between.port), timeout=2) as made:
        yield made


def asked(client, words=b"hello"):
    client.sendall(words)
    return client.recv(1000)


def test_it_passes_on_what_comes(client):
    assert asked(client) == b"HELLO"
    assert asked(client, b"again") == b"AGAIN"


def test_a_cut_is_an_end(between, client):
    asked(client)
    between.cut()

    assert client.recv(10) == b""
    with connected(between) as another:
        assert asked(another) == b"HELLO"


def test_a_reset_is_no_farewell(between, client):
    asked(client)
    between.cut(reset=True)

    with pytest.raises(ConnectionResetError):
        client.recv(10)


def test_a_request_may_be_cut_off_before_it_arrives(between, client, echo):
    asked(client, b"first")
    between.harm = Harm.CUT_REQUEST

    assert asked(client, b"second") == b""
    assert echo.heard == [b"first"]


def test_an_answer_may_be_cut_off_after_the_request_arrived(between, client, echo):
    between.harm = Harm.CUT_ANSWER

    assert asked(client, b"only") == b""
    assert echo.heard == [b"only"]


def test_silence_keeps_the_connection_and_passes_nothing(between, client, echo):
    asked(client, b"first")
    between.harm = Harm.SILENCE
    client.settimeout(0.2)

    with pytest.raises(TimeoutError):
        asked(client, b"second")
    assert echo.heard == [b"first"]


def test_half_open_the_server_hears_and_is_not_heard(between, client, echo):
    between.harm = Harm.SILENT_SERVER
    client.settimeout(0.2)

    with pytest.raises(TimeoutError):
        asked(client, b"only")
    assert echo.heard == [b"only"]


def test_it_may_be_slow(between, client):
    between.delay = 0.1
    began = time.monotonic()

    assert asked(client) == b"HELLO"
    assert time.monotonic() - began >= 0.2


def test_it_may_hang_up_at_once_until_it_is_healed(between):
    between.refuses = True
    with connected(between) as refused:
        assert refused.recv(10) == b""

    between.heal()
    with connected(between) as taken:
        assert asked(taken) == b"HELLO"
