"""A bare socket that reads the stream: nothing is parsed, and nothing kept.

It is what the server and the kernel give at most to one reader. Messages are counted
by the reply subject that each of them has; that is all that is looked at.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import nkeys

from bench.machine import usage
from bench.rounds import Run
from eds_core.sandbox import Sandbox, disconnect

PULL = 2000
PULLS = 3  # on the way
SEEN = b" $JS.ACK."
BUFFER = 1 << 20
STREAM = "dbchange"


async def read_bare(sandbox: Sandbox, subject: str, count: int) -> Run:
    """Read the first *count* messages of the stream."""
    credentials = sandbox.directory / "service.creds"
    client = await sandbox.connect(credentials)
    name = f"bare-{secrets.token_hex(4)}"
    config = {
        "name": name,
        "filter_subject": subject,
        "ack_policy": "none",
        "deliver_policy": "all",
        "inactive_threshold": 300_000_000_000,
        "mem_storage": True,
    }
    request = json.dumps({"stream_name": STREAM, "config": config}).encode()
    answer = await client.request(
        f"$JS.API.CONSUMER.CREATE.{STREAM}.{name}.{subject}", request, timeout=10
    )
    assert b'"error"' not in answer.data, answer.data
    try:
        return _read(sandbox, credentials, name, count)
    finally:
        await client.jetstream().delete_consumer(STREAM, name)
        await disconnect(client)


def _read(sandbox: Sandbox, credentials: Path, consumer: str, count: int) -> Run:
    nats = sandbox.server.pid or 0
    before, own, began = usage(nats).cpu, time.process_time(), time.perf_counter()
    with _connect(sandbox.url, credentials) as connection:
        _count(connection, consumer, count)
    return Run(
        count,
        time.perf_counter() - began,
        {"reader": time.process_time() - own, "nats": usage(nats).cpu - before},
    )


def _connect(url: str, credentials: Path) -> socket.socket:
    place = urlsplit(url)
    connection = socket.create_connection((place.hostname, place.port), timeout=60)
    info = json.loads(connection.recv(1 << 16).partition(b" ")[2].split(b"\r\n")[0])
    text = credentials.read_text()
    token, seed = re.findall(r"-{5}BEGIN[^\n]*-{5}\n(\S+)\n-+END", text)
    signed = nkeys.from_seed(seed.encode()).sign(info["nonce"].encode())
    login = {
        "jwt": token,
        "sig": base64.urlsafe_b64encode(signed).rstrip(b"=").decode(),
        "verbose": False,
        "pedantic": False,
        "headers": True,
        "no_responders": True,
        "protocol": 1,
    }
    connection.sendall(b"CONNECT " + json.dumps(login).encode() + b"\r\nPING\r\n")
    answer = connection.recv(1 << 16)
    assert answer.startswith(b"PONG"), answer
    return connection


def _count(connection: socket.socket, consumer: str, count: int) -> None:
    inbox = f"_INBOX.{secrets.token_hex(8)}"
    ask = f'{{"batch":{PULL},"expires":60000000000}}'
    subject = f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{consumer}"
    pull = f"PUB {subject} {inbox} {len(ask)}\r\n{ask}\r\n".encode()
    connection.sendall(f"SUB {inbox} 1\r\n".encode() + pull * PULLS)
    seen, pulled, buffer = 0, PULL * PULLS, bytearray(BUFFER)
    kept = len(SEEN) - 1  # the mark may lie across two reads
    held = 0
    while seen < count:
        length = held + connection.recv_into(memoryview(buffer)[held:])
        assert length > held, "nats-server has closed the connection"
        seen += buffer.count(SEEN, 0, length)
        held = min(kept, length)
        buffer[:held] = buffer[length - held : length]
        if seen > pulled - PULL * (PULLS - 1):
            connection.sendall(pull)
            pulled += PULL
