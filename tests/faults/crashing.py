"""A server that dies at one failpoint again and again, beside a shop at work."""

import asyncio
import os
import random

from faults.children import CRASHED, Child, Crash
from faults.story import Story

#: Kills at each failpoint, on each database.
KILLS = int(os.environ.get("EDS_TEST_KILLS") or 20)
PATIENCE = 60  # seconds, on a machine that has other things to do
STREAMS = 30  # parts of the story within which a failpoint is passed for sure

#: By a failpoint's first word: it dies when it passes there for the n-th time, at
#: most. All others: the first.
MOST = {
    "begin": 2,
    "checkpoint": 2,
    "commit": 2,
    "decode": 10,
    "migrate": 2,
    "quarantine": 2,
    "write": 4,
}


class Series:
    """One destination, and servers that follow each other.

    Each server first goes on where the one before it has died. Only when the
    destination is equal again it is armed, so that a start is as often a
    recovery as it is the way to the next crash.
    """

    def __init__(self, sandbox, new_url, point):
        self.seed = random.randrange(2**32)
        self._dice = random.Random(self.seed)
        self._sandbox = sandbox
        self._new_url = new_url
        self._point = point
        self._word = point.partition(".")[0]
        self._said = sandbox.directory / "said.txt"
        self._server = None
        self._crash = None
        self.kills = 0
        self.story = Story(sandbox, new_url(), self._dice)

    def __str__(self):
        return f"seed {self.seed}, kill {self.kills + 1}, {self._crash}"

    async def run(self, kills):
        way = WAYS.get(self._word, live)
        try:
            self.start()
            await self.recovered()
            while self.kills < kills:
                await way(self)
                self.kills += 1
            await self.ends()
        finally:
            self._server.kill()
            self.story.close()

    def start(self, *, armed=False):
        count = self._dice.randint(1, MOST.get(self._word, 1))
        self._crash = Crash(self._point, count, armed=armed)
        self._said.write_text("")
        login = ("--creds", self._sandbox.credentials, "--server", self._sandbox.url)
        command = ("server", *login, "--consumer-start-time", "1h", self.story.url)
        self._server = Child(command, self._said, self._crash)

    def arm(self):
        self._crash.arm()

    def kill(self):
        self._server.kill()

    def elsewhere(self):
        """From now on there is another, empty destination."""
        self.kill()
        self.story.elsewhere(self._new_url())

    async def dies(self):
        """The shop goes on until the server is dead."""
        for _ in range(STREAMS):
            await self.story.goes_on()
            if not await self.equal():
                break
        assert self._server.code == CRASHED, f"{self}: {self._server.tail()}"

    async def recovered(self):
        """What the shop has done meanwhile is there, too, and equal."""
        await self.story.goes_on()
        assert await self.equal(), f"{self}: {self._server.tail()}"

    async def equal(self):
        """Wait until the destination is equal; False when the server has ended."""
        clock, pause = asyncio.get_running_loop().time, 0.02
        deadline = clock() + PATIENCE
        while self._server.code is None:
            found = ["not all has been looked at"]
            if self.story.moved():
                if not (found := self.story.wrong()):
                    return True
                pause = min(0.5, 2 * pause)  # to compare costs more than to wait
            if clock() > deadline:
                raise AssertionError(f"{self}: {found[:8]}\n{self._server.tail()}")
            await asyncio.sleep(pause)
        return False

    async def refused(self):
        async with asyncio.timeout(PATIENCE):
            while not self.story.refused():
                assert self._server.code is None, f"{self}: {self._server.tail()}"
                await asyncio.sleep(0.02)

    async def ends(self):
        """A table that was parked all the time has lost nothing, either."""
        if self.story.harmed:
            self.kill()
            self.story.mend()
            self.start()
            await self.recovered()
        code = await asyncio.to_thread(self._server.stop)
        assert code == 0, f"{self}: {self._server.tail()}"


async def live(series):
    """It dies while it streams; beside a parked table, and now and then early."""
    if not series.story.harmed:
        series.story.harm()
        await series.recovered()
    if series.kills % 4 == 3:
        await at_start(series)
        return
    series.arm()
    await series.dies()
    series.start()
    await series.recovered()


async def at_start(series):
    series.kill()
    await series.story.goes_on()
    series.start(armed=True)
    await series.dies()
    series.start()
    await series.recovered()


async def at_the_first_start(series):
    series.elsewhere()
    await at_start(series)


async def parks(series):
    """It dies when a table is parked; then the table is mended and read again."""
    series.story.harm()
    series.arm()
    await series.dies()
    series.start()
    await series.recovered()
    series.kill()
    series.story.mend()
    series.start()
    await series.recovered()


async def resumes(series):
    """It dies when a parked table is read again."""
    series.story.harm()
    await series.recovered()
    series.kill()
    series.story.mend()
    series.start(armed=True)
    await series.dies()
    series.start()
    await series.recovered()


async def retries(series):
    """It dies when a message of the quarantine is tried again."""
    refused = await series.story.two_of_a_kind()
    await series.refused()
    series.kill()
    series.story.retry()
    series.start(armed=True)
    await series.dies()
    series.start()
    await series.recovered()
    await series.story.delete(refused)  # so that there may be an index again
    await series.recovered()


#: By a failpoint's first word: how it is come by. All others: ``live``.
WAYS = {
    "position": at_the_first_start,
    "claim": at_start,
    "consumer": at_start,
    "pull": at_start,
    "park": parks,
    "resume": resumes,
    "unpark": resumes,
    "retry": retries,
}
