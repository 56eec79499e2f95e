"""What servers for tests need to know of this host."""

from __future__ import annotations

import os
import pwd
import random
import socket
from contextlib import suppress

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
