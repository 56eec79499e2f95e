"""Where the health server listens."""

from __future__ import annotations

from dataclasses import dataclass

LOOPBACK = "127.0.0.1"
PORT = 8080


@dataclass(frozen=True, slots=True)
class HealthOptions:
    """The command line of the health server."""

    host: str = LOOPBACK
    port: int = PORT  # 0: any that is free
    asked: bool = False  # somebody relies on this address: without it, do not start
