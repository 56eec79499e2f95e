"""The proxy of the conformance kit does the harm that it is told to."""

from __future__ import annotations

import errno
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


def test_what_is_cut_off_may_be_reset(between, client, echo):
    between.harm, between.resets = Harm.CUT_ANSWER, True

    with pytest.raises(ConnectionResetError):
        asked(client, b"only")
    assert echo.heard == [b"only"]


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


def test_it_may_be_as_slow_as_so_many_bytes_a_second(between, client):
    between.rate = 1_000
    began = time.monotonic()

    client.sendall(b"x" * 300)
    answer = b""
    while len(answer) < 300:
        answer += client.recv(1000)

    assert answer == b"X" * 300
    assert time.monotonic() - began >= 0.3


def test_what_is_held_arrives_when_it_is_healed(between, client, echo):
    asked(client, b"first")
    between.harm = Harm.HOLD
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):
        asked(client, b"second")
    heard = [*echo.heard]

    between.heal()
    client.settimeout(2)

    assert client.recv(10) == b"SECOND"
    assert heard == [b"first"]


def test_answers_alone_may_be_held(between, client, echo):
    between.harm = Harm.HOLD_ANSWER
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):
        asked(client, b"only")

    assert echo.heard == [b"only"]


@pytest.mark.parametrize(
    ("harm", "heard"), [(Harm.CUT_REQUEST, []), (Harm.CUT_ANSWER, [b"do COMMIT now"])]
)
def test_harm_may_wait_for_words_and_is_done_once(between, client, echo, harm, heard):
    between.harm_at(harm, b"begin", b"COMMIT")
    with connected(between) as another:
        assert asked(another, b"COMMIT") == b"COMMIT"
        echo.heard.clear()
        asked(client, b"begin")
        assert asked(client, b"do COMMIT now") == b""
        assert echo.heard == [b"begin", *heard]
        assert asked(another, b"COMMIT") == b"COMMIT"
    assert between.triggers_left == 0


def test_a_connection_that_is_held_at_words_is_healed_too(between, client):
    between.harm_at(Harm.HOLD, b"COMMIT")
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):
        asked(client, b"COMMIT")

    between.heal()
    client.settimeout(2)

    assert client.recv(10) == b"COMMIT"


def test_what_vanishes_is_not_even_acknowledged(between, client, echo):
    asked(client, b"first")
    between.vanish()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 300)
    client.sendall(b"second")
    client.settimeout(10)

    with pytest.raises(TimeoutError) as caught:  # the kernel's, not the socket's own
        client.recv(10)
    assert caught.value.errno == errno.ETIMEDOUT
    assert echo.heard == [b"first"]
    with connected(between) as another:
        assert asked(another) == b"HELLO"
