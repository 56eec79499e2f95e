"""How far the way to a server leads: name, connection."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress

from eds_core.findings import Finding, Verdict

_PATIENCE = 5.0  # seconds, for each step


async def reach(host: str, port: int, seconds: float = _PATIENCE) -> Finding:
    """Look *host* up and connect to its *port*; say which step fails."""
    place = f"{host} port {port}"
    begun = time.monotonic()
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(host, port)
    except socket.gaierror as error:
        return _wrong(
            f"the name {host} cannot be looked up: {error.strerror}",
            "check the name for slips; else see to this machine's DNS",
            f"getent hosts {host}",
        )
    except ConnectionRefusedError:
        return _wrong(
            f"{place} refuses connections: nothing listens there",
            "check host and port, and that the server runs; or a firewall rejects it",
            f"nc -vz {host} {port}",
        )
    except TimeoutError:
        return _wrong(
            f"{place} does not answer within {seconds:g} s",
            f"a firewall on the way drops what is sent: let outgoing TCP to {place} "
            "through; or the machine is off",
            f"nc -vz -w 5 {host} {port}",
        )
    except OSError as error:
        return _wrong(
            f"{place} cannot be reached: {error.strerror or error}",
            "see to this machine's network: address, route, VPN",
            f"ip route get {host}",
        )
    took = time.monotonic() - begun
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return Finding("network", f"{place} answers, after {took * 1000:.0f} ms")


def _wrong(told: str, advice: str, paste: str) -> Finding:
    why = "nothing can be sent there, whatever else is right"
    return Finding("network", told, Verdict.WRONG, why, advice, paste)
