"""What servers for tests need to know of this host."""

from __future__ import annotations

import os
import pwd
import random
import shutil
import socket
from contextlib import suppress
from pathlib import Path

import trustme

#: Below the ports that the kernel gives to clients: a client which retries a
#: stopped server could else be given that very port, and connect to itself.
PORTS = range(20_000, 32_000)


def free_port() -> int:
    """Find a port of this host that nobody listens on."""
    return next(port for port in random.sample(PORTS, 200) if _is_free(port))


def _is_free(port: int) -> bool:
    with socket.socket() as probe, suppress(OSError):
        probe.bind(("127.0.0.1", port))
        return True
    return False


def unprivileged_user() -> str | None:
    """Say who shall run servers, when we are root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


def certify(home: Path, ca_file: Path) -> None:
    """Write a certificate for this host into *home*, and its authority's."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(ca_file)
    certificate.cert_chain_pems[0].write_to_path(home / "server.pem")
    key = home / "server.key"
    key.touch(mode=0o600)
    certificate.private_key_pem.write_to_path(key)


def give_away(home: Path, user: str | None) -> None:
    """Let the server's *user* own its files: servers refuse to run as root."""
    home.chmod(0o755)
    if user is not None:
        group = pwd.getpwnam(user).pw_gid
        for path in (home, *home.iterdir()):
            shutil.chown(path, user, group)
