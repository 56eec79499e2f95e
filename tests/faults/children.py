"""A server as a process that is quick to start, and dies at a failpoint if asked to.

Python's fork server has EDS imported already, so that a start takes milliseconds.
"""

import multiprocessing
import os
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CRASHED = 86
PRELOADED = (
    "eds_core.cli.server",
    "eds_core.server",
    "eds_core.plugins",
    "eds_core.sqlite",
    "eds_driver_postgres",
    "faults.children",
)


@dataclass(frozen=True)
class Crash:
    """Die when *point* is reached for the *count*-th time."""

    point: str
    count: int


def fork_server():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    return context


@contextmanager
def child(command, said, crash=None):
    """Run ``eds`` with the arguments *command*; what it says goes to *said*."""
    process = fork_server().Process(target=_run, args=(command, str(said), crash))
    process.start()
    try:
        yield Child(process, Path(said))
    finally:
        process.kill()
        process.join()


class Child:
    def __init__(self, process, said):
        self._process, self._said = process, said

    @property
    def code(self):
        """The exit code; None while it runs."""
        return self._process.exitcode

    def tail(self):
        return f"exit code {self.code}; it said:\n{self._said.read_text()[-3000:]}"

    def ended(self, seconds):
        self._process.join(seconds)
        return self.code

    def stop(self):
        os.kill(self._process.pid, signal.SIGTERM)
        return self.ended(15)


def _run(command, said, crash):
    with Path(said).open("ab") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    if crash is not None:
        sys.addaudithook(_crasher(crash))
    from eds_core.cli.main import main

    main(list(map(str, command)), prog_name="eds")


def _crasher(crash):
    event, left = "eds." + crash.point, [crash.count]

    def hook(name, _arguments):
        if name == event:
            left[0] -= 1
            if left[0] == 0:
                os._exit(CRASHED)

    return hook
