"""The guide's four steps as printed: two requests, curl, and the importer."""

import asyncio
import json
import random
import shutil
import urllib.request

import pytest

from acceptance.exports import forget, guide_command, shop_at_work
from acceptance.harness import process, run, serving, shop_is_at
from eds_core.sandbox import Sandbox
from eds_core.sandbox.export_api import KEY, export_api


def post(url, body):
    """What the API answers, as its data."""
    request = urllib.request.Request(
        url,
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=30) as answer:
        return json.load(answer)["data"]


def steps_1_to_3(api, tables, folder):
    name = post(f"{api.url}/v3/export", {"tables": tables})["fileName"]
    address = post(f"{api.url}/v3/export/presigned_url", {"fileName": name})["url"]
    return ("env", "-C", folder, "curl", "-sf", "-o", "./downloaded_file.gz", address)


def step_4(sandbox, url, folder):
    return ("env", "-C", folder, *guide_command(sandbox, url, "."))


@pytest.mark.skipif(shutil.which("curl") is None, reason="the guide uses curl")
@pytest.mark.parametrize("kills", [0, 3])
def test_the_four_steps_as_printed_end_equal_while_the_shop_changes(
    tmp_path, url, kills
):
    dice = random.Random()
    moments = [dice.uniform(0.3, 2.5) for _ in range(kills)]

    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            await sandbox.run_shop(events=1500)
            await forget(sandbox)  # nothing of it but the export is left
            folder = tmp_path / "download"
            folder.mkdir()
            async with shop_at_work(sandbox):
                with export_api(sandbox) as api:
                    tables = sorted(sandbox.shop.state())
                    fetch = await asyncio.to_thread(steps_1_to_3, api, tables, folder)
                    assert (await run(sandbox.directory, *fetch)).code == 0
                command = step_4(sandbox, url, folder)
                for moment in moments:
                    with process(sandbox.directory, *command) as importer:
                        await asyncio.sleep(moment)  # a random one: not awaited for
                        importer.kill()
                ended = await run(sandbox.directory, *command, seconds=120)
                assert ended.code == 0, ended.tail()
            async with serving(sandbox, url) as server:
                await shop_is_at(url, sandbox, server=server)

    try:
        asyncio.run(scenario())
    except AssertionError as error:
        raise AssertionError(f"killed after {moments}: {error}") from error
