"""An EDS server as a process of its own, as users run it, for tests to kill."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from eds_core.sandbox.sandbox import Sandbox

READY = "ready\n"  # the end of the line with which it says that it consumes
_LOOK_SECONDS = 0.05
_TAIL_CHARACTERS = 3000


class EdsServer:
    """``python -m eds_core`` from *sandbox* to *urls*, or the Python *program* given.

    It runs from ``async with EdsServer(...) as server`` until it is stopped, and no
    longer than the block. Its log goes into a file: a pipe that nobody reads would
    bring it to a halt.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        *urls: str,
        program: Sequence[str] = ("-m", "eds_core"),
        patience: float = 150.0,
    ) -> None:
        login = ("--creds", str(sandbox.credentials), "--server", sandbox.url)
        self._command = (sys.executable, *program, *login, *urls)
        self._path = sandbox.directory / f"eds-{id(self):x}.log"
        self._patience = patience
        self._process: Process | None = None

    @property
    def log(self) -> str:
        """What it has said up to now."""
        return self._path.read_text("utf-8", "replace")

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._running.returncode

    async def __aenter__(self) -> Self:
        """Start, and wait until it consumes; TimeoutError when it does not."""
        # Many run side by side, and a port is nobody's default then.
        environment = {**os.environ, "EDS_HEALTH_PORT": "0"}
        with self._path.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=DEVNULL, stdout=log, stderr=log, env=environment
            )
        try:
            await self._ready()
        except BaseException:
            await self.end(signal.SIGKILL)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.end(signal.SIGKILL)

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; the exit code. One that has ended already is fine."""
        with suppress(ProcessLookupError):
            self._running.send_signal(number)
        return await self.ended()

    async def ended(self) -> int:
        """Its exit code, when it has ended by itself."""
        async with asyncio.timeout(self._patience):
            return await self._running.wait()

    @property
    def _running(self) -> Process:
        if self._process is None:
            raise RuntimeError("it was never started")
        return self._process

    async def _ready(self) -> None:
        async with asyncio.timeout(self._patience):
            while READY not in self.log:
                if self.code is not None:
                    tail = self.log[-_TAIL_CHARACTERS:]
                    raise RuntimeError(f"it has ended with {self.code}:\n{tail}")
                await asyncio.sleep(_LOOK_SECONDS)
