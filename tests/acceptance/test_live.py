"""`--live` on a real terminal, and what it does without one."""

import asyncio
import os
import pty
import re
import signal
import subprocess
from contextlib import contextmanager
from threading import Thread

import pytest

from acceptance.harness import (
    SCRIPTS,
    environment,
    run,
    server_command,
    starting,
    until,
)
from eds_core.sandbox import Sandbox

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A process with a terminal of its own, and what it has written there."""

    def __init__(self, directory, command):
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            list(map(str, command)),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment(directory) | {"TERM": "xterm", "LINES": "50"},
        )
        os.close(slave)
        self._said = b""
        self._reading = Thread(target=self._read)
        self._reading.start()

    def _read(self):
        try:
            while data := os.read(self._master, 65536):
                self._said += data
        except OSError:
            pass  # nobody writes to it any more

    @property
    def raw(self):
        return self._said.decode("utf-8", "replace")

    @property
    def text(self):
        return _ESCAPES.sub("", self.raw)

    async def says(self, pattern):
        await until(
            lambda: re.search(pattern, self.text), 30, lambda: self.text[-3000:]
        )

    async def stop(self):
        self._process.send_signal(signal.SIGINT)
        return await asyncio.to_thread(self._process.wait)

    def close(self):
        self._process.kill()
        self._process.wait()
        self._reading.join()
        os.close(self._master)


@contextmanager
def terminal(sandbox, *urls, args=()):
    found = Terminal(sandbox.directory, server_command(sandbox, urls, args))
    try:
        yield found
    finally:
        found.close()


def test_a_terminal_shows_how_fast_and_how_fresh(tmp_path, sqlite_url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            with terminal(sandbox, sqlite_url, args=("--live",)) as shown:
                await shown.says(r"INFO +ready")
                for _ in range(3):
                    await sandbox.publish(sandbox.shop.insert("brand"))
                await shown.says(r"3 brand")
                code = await shown.stop()
                return code, shown.text, shown.raw

    code, text, raw = asyncio.run(scenario())

    assert code == 0
    assert re.search(r"events +events/s +latency p50 +p99 +behind +quarantined", text)
    assert "SIGINT: finishing the batch" in text
    assert "Traceback" not in text
    assert "\x1b[?25h" in raw.partition("3 brand")[0]  # also for who is killed
    last = text.rpartition("events/s")[2]  # the last frame stays
    assert "3 brand" in last


def test_each_database_has_a_view_with_its_own_trouble(tmp_path, sqlite_url):
    away = "postgresql://eds:geheim@127.0.0.1:1/shop"

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            with terminal(sandbox, sqlite_url, away, args=("--live",)) as shown:
                await sandbox.publish(sandbox.shop.insert("brand"))
                await shown.says(r"postgresql://127.0.0.1:1/shop ─")
                await shown.says(r"PostgreSQL \(postgresql://127.0.0.1:1/shop\)")
                await shown.stop()
                return shown.text

    assert "geheim" not in asyncio.run(scenario())


def test_without_a_terminal_there_is_the_log(tmp_path, sqlite_url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            with starting(sandbox, sqlite_url, args=("--live",)) as server:
                await server.ready()
                assert await server.stop() == 0
                return server.out, server.err

    out, err = asyncio.run(scenario())

    assert out == ""
    assert "no terminal" in err


@pytest.mark.parametrize("args", [("--silent",), ("--log-format", "json")])
def test_it_goes_with_text_only(tmp_path, sqlite_url, args):
    command = ("server", "--live", *args, "--creds", "x", sqlite_url)

    ended = asyncio.run(run(tmp_path, SCRIPTS / "eds", *command))

    assert ended.code == 2
