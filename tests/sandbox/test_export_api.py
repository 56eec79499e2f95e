"""The sandbox's export API serves the shop as it is between two events."""

import asyncio
import gzip
from datetime import UTC, datetime

from eds_core.export import ApiKey, ExportOptions, export
from eds_core.export.names import CHANGEFEED
from eds_core.sandbox import Sandbox, decode_exactly, fold
from eds_core.sandbox.export_api import KEY, export_api
from eds_core.sandbox.exports import SECOND
from export.harness import Watch


def test_an_export_is_what_had_happened_by_its_time(tmp_path):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            await sandbox.run_shop(events=500)
            with export_api(sandbox) as api:
                work = asyncio.create_task(sandbox.run_shop(rate=2000))
                await asyncio.sleep(0.1)
                options = ExportOptions(api.url, tmp_path / "out", bulk=True)
                exported = await asyncio.to_thread(
                    export, options, ApiKey(KEY), Watch()
                )
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
            return exported, sandbox.published

    exported, published = asyncio.run(scenario())

    tables = {CHANGEFEED.fullmatch(path.name)[1]: path for path in exported.paths}
    (moment,) = {time_of(path.name) for path in exported.paths}
    earlier = [event for event in published if wall(event) <= moment]
    state = {table: rows for table, rows in fold(earlier).items() if rows}
    assert 500 < len(earlier) < len(published)
    assert {table: read(path) for table, path in tables.items()} == {
        table: list(rows.values()) for table, rows in state.items()
    }


def time_of(name):
    moment = datetime.strptime(name[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return int(moment.timestamp()) * SECOND + int(name[14:23])


def wall(event):
    return int(decode_exactly(event.payload)["mvccTimestamp"].partition(".")[0])


def read(path):
    with gzip.open(path) as file:
        return [decode_exactly(line) for line in file]
