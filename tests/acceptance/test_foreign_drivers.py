"""A driver with a mistake in it stops its own destination, and no other."""

import asyncio
from textwrap import dedent

from acceptance.harness import serving, shop_is_at, starting
from eds_core.sandbox import Sandbox

SHAKY = """
    from eds_core import hookimpl
    from eds_core.sqlite import SqliteDriver

    class Shaky(SqliteDriver):
        title = "Shaky"
        example_url = "shaky:///shop.db"

        def __init__(self, url):
            super().__init__(url.replace("shaky:", "sqlite:", 1).partition("?")[0])
            self.given = url

        @hookimpl
        def upsert(self, table, rows):
            raise KeyError(f"{self.given} {rows[0].after}")
"""


def install(directory, source):
    """As pip would; return the environment in which it is found."""
    info = directory / "eds_driver_shaky-2.5.dist-info"
    info.mkdir()
    metadata = "Metadata-Version: 2.1\nName: eds-driver-shaky\nVersion: 2.5\n"
    (info / "METADATA").write_text(metadata)
    (info / "entry_points.txt").write_text(
        "[eds.drivers]\nshaky = eds_driver_shaky:Shaky\n"
    )
    (directory / "eds_driver_shaky.py").write_text(dedent(source))
    return {"PYTHONPATH": str(directory)}


def test_a_driver_with_a_mistake_stops_alone_and_tells_no_secret(tmp_path):
    (place := tmp_path / "site").mkdir()
    env = install(place, SHAKY)
    shaky = f"shaky:///{tmp_path}/shaky.db?password=correct-horse"
    sound = f"sqlite:///{tmp_path}/sound.db"

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            with starting(sandbox, shaky, sound, env=env) as server:
                await server.ready()
                await sandbox.run_shop(500, 200)
                await shop_is_at(sound, sandbox, server=server)
                await server.stop()
            return server

    server = asyncio.run(scenario())

    assert server.code == 1
    assert "eds-driver-shaky 2.5 has failed (KeyError)" in server.err
    assert "[E9002]" in server.err
    assert "Traceback" not in server.err
    assert "correct-horse" not in server.err


def test_what_a_driver_with_a_mistake_has_not_written_comes_when_it_is_mended(tmp_path):
    (place := tmp_path / "site").mkdir()
    env = install(place, SHAKY)
    url = f"shaky:///{tmp_path}/shaky.db"

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            with starting(sandbox, url, env=env) as server:
                await server.ready()
                await sandbox.run_shop(500, 100)
                assert await server.ended() == 1
            async with serving(sandbox, url.replace("shaky:", "sqlite:", 1)) as server:
                await shop_is_at(f"sqlite:///{tmp_path}/shaky.db", sandbox)

    asyncio.run(scenario())
