"""A Snowflake for tests: fakesnow in a process of its own, or an account given."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

from eds_driver_snowflake import SnowflakeDriver

from .host import free_port

GIVEN_SNOWFLAKE = "EDS_TEST_SNOWFLAKE_URL"
FAKESNOW = "EDS_TEST_FAKESNOW"  # the Python of an environment with fakesnow
NO_SNOWFLAKE = (
    f"no Snowflake here: set {GIVEN_SNOWFLAKE}, or run the tests with nox, "
    "which makes an environment for fakesnow"
)

_HERE = Path(__file__).parent
_MADE_BY_NOX = _HERE.parents[1] / ".nox" / "fakesnow" / "bin" / "python"
_PARAMETERS = "account=emulated&protocol=http&warehouse=W&freshness=0"


class SnowflakeServer(ABC):
    """Where tests find schemas of their own."""

    @abstractmethod
    def new_schema(self) -> str:
        """Return the URL of an empty schema."""


class GivenSnowflake(SnowflakeServer):
    """The account, database and user of EDS_TEST_SNOWFLAKE_URL."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._made: list[str] = []

    def new_schema(self) -> str:
        name = f"EDS_TEST_{uuid4().hex.upper()}"
        self._run(f'CREATE SCHEMA "{name}"')
        self._made.append(name)
        parts = urlsplit(self._url)
        database = parts.path.split("/")[1]
        query = "&".join(filter(None, [parts.query, "freshness=0"]))
        return urlunsplit(parts._replace(path=f"/{database}/{name}", query=query))

    def drop_schemas(self) -> None:
        while self._made:
            self._run(f'DROP SCHEMA IF EXISTS "{self._made.pop()}"')

    def _run(self, statement: str) -> None:
        driver = SnowflakeDriver(self._url)
        driver.open()
        try:
            driver.session.run(statement)
        finally:
            driver.close()


class OwnSnowflake(SnowflakeServer):
    """fakesnow on a free port: another database, which speaks the protocol."""

    def __init__(self, python: Path, home: Path) -> None:
        self.port = free_port()
        self._python = python
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None

    def new_schema(self) -> str:
        self.start()
        name = f"EDS_TEST_{uuid4().hex.upper()}"
        return (
            f"snowflake://eds:secret%40word@127.0.0.1:{self.port}/{name}/PUBLIC"
            f"?{_PARAMETERS}"
        )

    def start(self) -> None:
        """See that it runs, on the port that it always had; it forgets everything."""
        if self._process is not None and self._process.poll() is None:
            return
        program = _HERE / "fakesnow_server.py"
        # -P: else its own directory has a module called snowflake.
        command = [self._python, "-P", program, str(self.port)]
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"], "TMPDIR": str(self._home)},
            )
        self._await()

    def _await(self) -> None:
        deadline = time.monotonic() + 60
        while not self._answers():
            gone = self._process is None or self._process.poll() is not None
            if gone or time.monotonic() > deadline:
                told = (self._home / "log").read_text()[-2000:]
                raise RuntimeError(f"fakesnow did not start: {told}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def stop(self) -> None:
        """As a crash."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def discard(self) -> None:
        self.stop()
        shutil.rmtree(self._home)


@contextmanager
def snowflake() -> Iterator[SnowflakeServer | None]:
    """Lend the account that is given, else fakesnow; None: neither."""
    python = fakesnow_python()
    if url := os.environ.get(GIVEN_SNOWFLAKE):
        given = GivenSnowflake(url)
        try:
            yield given
        finally:
            given.drop_schemas()
    elif python is None:
        yield None
    else:
        own = OwnSnowflake(python, Path(tempfile.mkdtemp(prefix="eds-snowflake-")))
        try:
            own.start()
            yield own
        finally:
            own.discard()


def fakesnow_version() -> str:
    """The version that fakesnow's environment is made with."""
    wanted = (_HERE / "fakesnow.txt").read_text()
    found = re.search(r"^fakesnow(?:\[\w+\])?==(\S+)", wanted, re.MULTILINE)
    return found[1] if found else "of some version"


def fakesnow_python() -> Path | None:
    python = Path(os.environ.get(FAKESNOW) or _MADE_BY_NOX)
    return python if python.is_file() else None
