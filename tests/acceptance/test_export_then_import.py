"""From an API key and credentials to a live copy, by one command and a server."""

import asyncio

import pytest

from acceptance.exports import forget
from acceptance.harness import eds, serving, shop_is_at
from eds_core.sandbox import Sandbox
from eds_core.sandbox.export_api import KEY, export_api


@pytest.mark.parametrize("form", [("--all", "--bulk"), ("--all",)])
def test_one_command_seeds_a_database_that_the_server_then_keeps_equal(
    tmp_path, sqlite_url, form
):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            await sandbox.run_shop(events=600)
            await forget(sandbox)
            env = {"SM_APIKEY": KEY, "EDS_SERVER": sandbox.url}
            with export_api(sandbox) as api:
                work = asyncio.create_task(sandbox.run_shop(rate=200))
                await asyncio.sleep(0.1)
                exported = await eds(
                    sandbox,
                    *("export", *form, "--api-url", api.url),
                    *("-o", tmp_path / "out", "--creds", sandbox.credentials),
                    *("--then-import", sqlite_url),
                    env=env,
                    seconds=120,
                )
            assert exported.code == 0, exported.tail()
            async with serving(sandbox, sqlite_url) as server:
                await asyncio.sleep(1)
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
                await shop_is_at(sqlite_url, sandbox, server=server)
            return exported

    exported = asyncio.run(scenario())

    assert exported.code == 0
