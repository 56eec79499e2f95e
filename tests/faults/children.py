"""EDS as a process that is quick to start, and dies at a failpoint if asked to.

Python's fork server has EDS imported already, so that a start takes milliseconds.
"""

import multiprocessing
import os
import signal
import sys
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import forkserver, spawn
from pathlib import Path

import pytest

CRASHED = 86
PRELOADED = (
    "pytest",  # the parent's own program, which a child imports else
    "_strptime",
    "encodings.idna",
    "rich.console",
    "rich.table",
    "eds_core.catalogue",
    "eds_core.cli.import_",
    "eds_core.cli.quarantine",
    "eds_core.cli.server",
    "eds_core.importer.run",
    "eds_core.importing",
    "eds_core.plugins",
    "eds_core.server",
    "eds_core.sqlite",
    "eds_driver_mysql",
    "eds_driver_postgres",
    "sqlalchemy.dialects.mysql",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "faults.children",
    "faults.looked_up",
)
CHUNK = 20  # rows that an import writes at once: files of several chunks stay small


def fork_server():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    with pytest.MonkeyPatch.context() as changed:
        # It finds what is preloaded there only; `faults.looked_up` takes it back.
        path = spawn.get_preparation_data("child")["sys_path"]
        changed.setenv("PYTHONPATH", os.pathsep.join(path))
        forkserver.ensure_running()
    return context


class Crash:
    """Die when *point* is passed for the *count*-th time since it was armed."""

    def __init__(self, point, count, *, armed=True):
        self.point, self.count = point, count
        self._armed = fork_server().Event()
        if armed:
            self.arm()

    def __repr__(self):
        return f"{self.point}, time {self.count}"

    def arm(self):
        self._armed.set()

    def hook(self):
        event, left, armed = "eds." + self.point, [self.count], self._armed.is_set

        def die(name, _arguments):
            if name == event and armed():
                left[0] -= 1
                if left[0] == 0:
                    os._exit(CRASHED)

        return die


class Child:
    """``eds`` with the arguments *command*, run; what it says goes to *said*."""

    def __init__(self, command, said, crash=None):
        words = [*map(str, command)]
        self._said = Path(said)
        self._process = fork_server().Process(
            target=_run, args=(words, str(said), crash)
        )
        self._process.start()

    @property
    def code(self):
        """The exit code; None while it runs."""
        return self._process.exitcode

    def tail(self):
        return f"exit code {self.code}; it said:\n{self._said.read_text()[-3000:]}"

    def ended(self, seconds):
        """The exit code; None when it still runs after so long."""
        self._process.join(seconds)
        return self.code

    def stop(self):
        """SIGTERM; the exit code."""
        os.kill(self._process.pid, signal.SIGTERM)
        return self.ended(15)

    def kill(self):
        """As a crash: SIGKILL, and gone when this returns."""
        self._process.kill()
        self._process.join()


@contextmanager
def child(command, said, crash=None):
    """A child that is gone at the end, whatever happens."""
    running = Child(command, said, crash)
    try:
        yield running
    finally:
        running.kill()


def _run(command, said, crash):
    with Path(said).open("ab") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    if command[0] == "import":
        _write_small_chunks(command[-1])
    if crash is not None:
        sys.addaudithook(crash.hook())
    from eds_core.cli.main import main

    main(command, prog_name="eds")


def _write_small_chunks(url):
    from eds_core.destination import find_driver

    driver = find_driver(url)
    driver.capabilities = replace(driver.capabilities, bulk_rows=CHUNK)
