"""A server that dies at any of its failpoints loses nothing and garbles nothing."""

import asyncio
import re
from pathlib import Path

import pytest

import eds_core
from eds_core.failpoints import POINTS
from eds_core.sandbox import Sandbox
from faults.crashing import KILLS, Series
from faults.destinations import OnMariadb, OnPostgres, OnSqlite

OF_A_SERVER = [point for point in POINTS if not point.startswith(("import.", "apply."))]


def test_every_failpoint_is_known_and_every_known_one_is_there():
    source = Path(eds_core.__file__).parent
    text = "".join(path.read_text() for path in source.rglob("*.py"))

    assert set(re.findall(r'reached\("([\w.]+)"\)', text)) == set(POINTS)


class Crashes:
    @pytest.mark.timeout(60 + 30 * KILLS)
    @pytest.mark.parametrize("point", OF_A_SERVER)
    @pytest.mark.survives(
        "The server dies at any of its failpoints",
        f"os._exit at the n-th time it passes there, {KILLS} times for each",
        "the next one goes on where it stood",
    )
    def test_a_crash_at_any_failpoint_ends_equal(self, tmp_path, new_url, point):
        async def scenario():
            async with Sandbox(tmp_path) as sandbox:
                await Series(sandbox, new_url, point).run(KILLS)

        asyncio.run(scenario())


class TestSqlite(OnSqlite, Crashes):
    pass


class TestPostgres(OnPostgres, Crashes):
    pass


class TestMariadb(OnMariadb, Crashes):
    pass
