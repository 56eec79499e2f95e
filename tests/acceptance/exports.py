"""Exports of the sandbox's shop, and imports of them as processes."""

import asyncio
import gzip
import time
from contextlib import asynccontextmanager

from acceptance.harness import SCRIPTS, process, run
from eds_core.sandbox import disconnect
from eds_core.sandbox.exports import write_export
from eds_core.stream import STREAM


@asynccontextmanager
async def shop_at_work(sandbox, rate=200):
    """Meanwhile the shop goes on."""
    work = asyncio.create_task(sandbox.run_shop(rate, remember=False))
    try:
        yield
    finally:
        work.cancel()
        await asyncio.wait([work])


async def forget(sandbox):
    """Empty the stream, as its 7 days do."""
    client = await sandbox.connect(sandbox.directory / "service.creds")
    await client.jetstream().purge_stream(STREAM)
    await disconnect(client)


def export(sandbox, directory, tables=None):
    """The shop's rows now, as the service would export them."""
    state = sandbox.shop.state()
    return write_export(state, directory, tables or sorted(state), time.time_ns())


def guide_command(sandbox, url, directory="."):
    """Step 4 as the guide prints it."""
    return (
        *(SCRIPTS / "eds-server", "server", "--creds", sandbox.credentials),
        *("--server", sandbox.url),
        *("--consumer-prefix", "MyEDSConsumer", "--importer", directory, url),
    )


def import_command(sandbox, *paths, url, args=(), creds=True):
    login = ("--creds", sandbox.credentials, "--server", sandbox.url) if creds else ()
    return (SCRIPTS / "eds", "import", *login, *args, *paths, url)


async def imported(
    sandbox, *paths, url, args=(), creds=True, code=0, seconds=60, env=None
):
    """Run an import to its end; it has to end with *code*."""
    command = import_command(sandbox, *paths, url=url, args=args, creds=creds)
    ended = await run(sandbox.directory, *command, seconds=seconds, env=env)
    assert ended.code == code, ended.tail() + ended.out
    assert "Traceback" not in ended.err, ended.tail()
    return ended


def importing(sandbox, *paths, url, args=(), creds=True):
    """An import that has been started; it may be killed any time."""
    command = import_command(sandbox, *paths, url=url, args=args, creds=creds)
    return process(sandbox.directory, *command)


def jsonl(*lines):
    return b"".join(line + b"\n" for line in lines)


def packed(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data, 1))
    return path
