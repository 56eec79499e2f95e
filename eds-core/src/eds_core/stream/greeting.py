"""What a NATS server says before anybody has said a word."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from errno import ECONNABORTED
from urllib.parse import urlsplit

import msgspec

_PORT = 4222
_LONGEST = 64 * 1024


@dataclass(frozen=True, slots=True)
class Greeting:
    """A server's own words; empty when what answers is no NATS server."""

    version: str = ""
    tls: bool = False


def host_and_port(server: str) -> tuple[str, int]:
    """Of an address that ``check_scheme`` has found good."""
    url = urlsplit(server if "://" in server else f"nats://{server}")
    return url.hostname or "", url.port or _PORT


async def greet(server: str, seconds: float) -> Greeting:
    """Connect to *server* and wait for its first line; log in to nothing.

    Raises OSError, TimeoutError too, as the network has it.
    """
    host, port = host_and_port(server)
    async with asyncio.timeout(seconds):
        reader, writer = await asyncio.open_connection(host, port, limit=_LONGEST)
        try:
            line = await reader.readline()
        except ValueError:  # an endless line
            line = b""
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
    if not line:
        raise ConnectionAbortedError(ECONNABORTED, "it is closed without a word")
    return _greeting(line)


def _greeting(line: bytes) -> Greeting:
    word, _, rest = line.partition(b" ")
    if word.upper() != b"INFO":
        return Greeting()
    try:
        told = msgspec.json.decode(rest, type=dict[str, object])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Greeting()
    tls = bool(told.get("tls_required") or told.get("tls_available"))
    return Greeting(str(told.get("version", "")), tls)
