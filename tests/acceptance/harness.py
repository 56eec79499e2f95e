"""EDS as a process of its own, beside a real NATS, judged by the oracle."""

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from acceptance.tables import differences
from eds_core.sandbox import COMPANY, Sandbox

SCRIPTS = Path(sys.executable).parent
SERVER = (str(SCRIPTS / "eds-server"),)
MODULE = (sys.executable, "-m", "eds_core")
#: A machine that others use, too, gets so many times more than its own would need.
PATIENCE = 4
STRANGER = "c0ffee00c0ffee00c0ffee01"  # a second company

_numbers = itertools.count()


def _heed_control_c():
    """A shell that runs the tests in the background lets nobody hear SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Process:
    """A command line that runs; its output is kept in files."""

    def __init__(self, directory, command, env=None):
        stem = directory / f"process-{next(_numbers)}"
        self._out, self._err = stem.with_suffix(".out"), stem.with_suffix(".err")
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                list(map(str, command)),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=environment(directory) | (env or {}),
                preexec_fn=_heed_control_c,  # noqa: PLW1509 - it calls nothing that locks
            )

    @property
    def code(self):
        """The exit code; None while it runs."""
        return self._process.poll()

    @property
    def pid(self):
        return self._process.pid

    @property
    def out(self):
        return self._out.read_text("utf-8", "replace")

    @property
    def err(self):
        return self._err.read_text("utf-8", "replace")

    def send(self, number):
        self._process.send_signal(number)

    def kill(self):
        """As a crash: SIGKILL, and gone when this returns."""
        self._process.kill()
        self._process.wait()

    async def ended(self, seconds=15):
        """The exit code, once it has ended by itself."""
        await until(lambda: self.code is not None, seconds, self.tail)
        return self.code

    async def says(self, words, seconds=20):
        """Wait until *words* are on stderr; fail when it ends without them."""
        gone = lambda: self.code is not None  # noqa: E731 - one question, asked twice
        await until(lambda: words in self.err or gone(), seconds, self.tail)
        assert words in self.err, self.tail()

    async def ready(self, seconds=20):
        await self.says("ready\n", seconds)

    async def stop(self):
        """SIGTERM; the exit code."""
        self.send(signal.SIGTERM)
        return await self.ended()

    def tail(self):
        return f"exit code {self.code}; stderr ends:\n{self.err[-3000:]}"


def environment(home):
    """None of our own EDS_ variables and no proxy reaches the process."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": "200",
        "EDS_CONFIG": os.devnull,  # and not what this machine has in /etc/eds
        "EDS_HEALTH_PORT": "0",  # many run side by side
    }


@contextmanager
def process(directory, *command, env=None):
    """Run *command*; whatever happens, nothing is left behind."""
    running = Process(directory, command, env)
    try:
        yield running
    finally:
        running.kill()


def server_command(sandbox, urls, args=(), credentials=None, nats=None):
    creds = credentials or sandbox.credentials
    return (*SERVER, "--creds", creds, "--server", nats or sandbox.url, *args, *urls)


def trust(sandbox):
    """The variables with which a process trusts the sandbox's certificate."""
    tls = sandbox.server.tls
    return {"SSL_CERT_FILE": str(tls.ca)} if tls else {}


@contextmanager
def starting(sandbox, *urls, args=(), credentials=None, nats=None, env=None):
    """A server that has been started, ready or not; it may be killed any time."""
    command = server_command(sandbox, urls, args, credentials, nats)
    env = trust(sandbox) | (env or {})
    with process(sandbox.directory, *command, env=env) as running:
        yield running


@asynccontextmanager
async def serving(sandbox, *urls, **options):
    """A server that is ready; at the end it has to stop in good order."""
    with starting(sandbox, *urls, **options) as running:
        await running.ready()
        yield running
        if running.code is None:
            await running.stop()
        assert running.code == 0, running.tail()
        assert "Traceback" not in running.err, running.tail()


@asynccontextmanager
async def streaming(directory, *urls, companies=(COMPANY,), tls=None, **options):
    """A sandbox and a server that streams from it."""
    async with (
        Sandbox(directory, companies, tls=tls) as sandbox,
        serving(sandbox, *urls, **options) as server,
    ):
        yield sandbox, server


async def run(directory, *command, env=None, seconds=30):
    """Run *command* to its end; what it left: code, out and err."""
    with process(directory, *command, env=env) as running:
        await running.ended(seconds)
        return running


async def eds(sandbox, *arguments, **options):
    """Run an ``eds`` command to its end."""
    return await run(sandbox.directory, SCRIPTS / "eds", *arguments, **options)


async def until(condition, seconds=20, why=lambda: ""):
    """Poll until *condition* holds; it may touch a database."""
    deadline = time.monotonic() + PATIENCE * seconds
    while not (found := await asyncio.to_thread(condition)):
        assert time.monotonic() < deadline, (
            f"not within {PATIENCE} x {seconds} s: {why()}"
        )
        await asyncio.sleep(0.02)
    return found


async def equal(url, expected, models, seconds=40, server=None):
    """Wait until the tables at *url* are *expected*; else say what differs."""
    emulated = url.startswith("snowflake")  # each look there is work for its server
    deadline = time.monotonic() + PATIENCE * seconds * (3 if emulated else 1)
    while found := await asyncio.to_thread(differences, url, expected, models):
        gone = server is not None and server.code is not None
        if gone or time.monotonic() > deadline:
            told = "\n".join(found[:8])
            tail = server.tail() if server is not None else ""
            raise AssertionError(f"{len(found)} differences:\n{told}\n{tail}")
        await asyncio.sleep(3 if emulated else 0.05)


async def shop_is_at(url, sandbox, seconds=40, server=None):
    """Wait until the destination holds what the shop has."""
    await equal(url, sandbox.shop.state(), sandbox.shop.models, seconds, server)
