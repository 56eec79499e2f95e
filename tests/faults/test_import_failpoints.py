"""An import that dies at any of its failpoints is started again, and ends equal."""

import asyncio
import gzip
import random

import pytest

from acceptance.exports import export
from acceptance.tables import differences, rows
from eds_core.failpoints import POINTS
from eds_core.sandbox import Sandbox
from faults.children import CHUNK, CRASHED, Crash, child
from faults.crashing import KILLS, PATIENCE
from faults.destinations import OnMariadb, OnPostgres, OnSqlite
from faults.story import AT_FAULT, TABLES, Story

OF_AN_IMPORT = [
    point for point in POINTS if point.startswith(("import.", "position.", "claim."))
]
ROWS = 2 * CHUNK + CHUNK // 2  # of one table: three chunks
SOME_QUARANTINED = 3  # the exit code

#: By a failpoint: the n-th passing at which it dies, at most. Others: the first.
MOST = {
    "import.file.before": 4,
    "import.file.after": 4,
    "import.done": 4,
    "import.read": 6,
    "import.begin": 6,
    "import.hold": 6,
    "import.write.before": 6,
    "import.write.after": 6,
    "import.progress": 6,
    "import.commit.before": 6,
    "import.commit.after": 6,
}


class Rounds:
    """Exports of one shop, each imported by processes that die, until one is through.

    Some of them have lost rows since the export before, which ``--prune`` deletes;
    the others have a broken line.
    """

    def __init__(self, sandbox, new_url, point):
        self.seed = random.randrange(2**32)
        self._dice = random.Random(self.seed)
        self._sandbox = sandbox
        self._new_url = new_url
        self._point = point
        self._said = sandbox.directory / "said.txt"
        self._story = Story(sandbox, new_url(), self._dice)
        self._number = 0
        self._broken = 0
        self.kills = 0
        for _ in range(ROWS):
            sandbox.shop.insert(AT_FAULT)

    def __str__(self):
        return f"seed {self.seed}, round {self._number}, kill {self.kills + 1}"

    async def run(self, kills):
        while self.kills < kills:
            self._number += 1
            assert self._number < 5 * kills, f"{self}: it does not come by"
            await self._round(kills)

    async def _round(self, kills):
        if self._point.startswith("position."):
            self._story.elsewhere(self._new_url())
            self._broken = 0
        prunes = "prune" in self._point or self._number % 2 == 0
        command = self._command(self._export(prunes), prunes)
        most = min(kills, self.kills + self._dice.randint(1, 7))
        code = CRASHED
        while code == CRASHED:
            crash = self._crash() if self.kills < most else None
            code = await self._imported(command, crash)
            self.kills += code == CRASHED
        assert code == (0 if prunes else SOME_QUARANTINED), self._told()
        assert not (found := [*self._wrong()]), f"{self._told()}: {found[:8]}"

    def _export(self, prunes):
        """The shop has changed meanwhile, and nobody has read of it."""
        for _ in range(4):
            [*self._story.deeds(deletes=prunes)]
        directory = self._sandbox.directory / f"export-{self._number}"
        files = export(self._sandbox, directory, (*TABLES, AT_FAULT))
        if not prunes:
            with gzip.open(files[0], "ab") as file:
                file.write(b"no JSON\n")
            self._broken += 1
        return directory

    def _command(self, directory, prunes):
        login = ("--creds", self._sandbox.credentials, "--server", self._sandbox.url)
        options = ("--prune",) if prunes else ()
        return ("import", *login, *options, directory, self._story.url)

    def _crash(self):
        return Crash(self._point, self._dice.randint(1, MOST.get(self._point, 1)))

    async def _imported(self, command, crash):
        self._said.write_text("")
        with child(command, self._said, crash) as running:
            return await asyncio.to_thread(running.ended, PATIENCE)

    def _told(self):
        return f"{self}; it said:\n{self._said.read_text()[-3000:]}"

    def _wrong(self):
        yield from differences(
            self._story.url, self._sandbox.shop.state(), self._sandbox.models
        )
        for table, count in (("_eds_quarantine", self._broken), ("_eds_import", 0)):
            found = len(rows(self._story.url, f"SELECT * FROM {table}"))
            if found != count:
                yield f"{table} has {found} rows, not {count}"


class Crashes:
    @pytest.mark.timeout(60 + 30 * KILLS)
    @pytest.mark.parametrize("point", OF_AN_IMPORT)
    @pytest.mark.survives(
        "An import dies at any of its failpoints",
        f"os._exit at the n-th time it passes there, {KILLS} times for each",
        "the same command goes on where it stood",
    )
    def test_an_import_that_dies_at_any_failpoint_ends_equal(
        self, tmp_path, new_url, point
    ):
        async def scenario():
            async with Sandbox(tmp_path) as sandbox:
                await Rounds(sandbox, new_url, point).run(KILLS)

        asyncio.run(scenario())


class TestSqlite(OnSqlite, Crashes):
    pass


class TestPostgres(OnPostgres, Crashes):
    pass


class TestMariadb(OnMariadb, Crashes):
    pass
