"""A shop, its databases and a shell: where the commands of a page are run."""

from __future__ import annotations

import os
import re
import shutil
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from enum import Enum, auto
from pathlib import Path

from acceptance.harness import (
    SCRIPTS,
    environment,
    process,
    run,
    serving,
    shop_is_at,
    until,
)
from acceptance.tables import execute, value
from eds_core.sandbox import COMPANY, Sandbox
from eds_core.sandbox.export_api import KEY, export_api
from pages.blocks import TOP, eds, lasting, tracked

URL = re.compile(r"(['\"]?)\b(postgres|mysql|mariadb|cockroachdb)[a-z]*://[^\s'\"]+\1")
PLACES = re.compile(r"(?<!\w)/(opt/eds|etc/eds|etc/systemd|var/lib/eds)\b")
USUAL = "http://127.0.0.1:8080"
OWN_COLUMN = 'CREATE TABLE "order" (id VARCHAR(64) PRIMARY KEY, own INTEGER NOT NULL)'
LONG = 240  # seconds: an installation is the longest

PIP = """#!/bin/sh
# What is not installed into an environment of the page's own is only looked for.
exec "{uv}" pip "$@" --dry-run --reinstall -q --no-deps --no-index \\
    --find-links "{wheels}" --python "{python}"
"""


class Day(Enum):
    """What a page begins with."""

    FIRST = auto()  # an empty database
    STREAMING = auto()  # a server beside it, and all rows are there
    TROUBLED = auto()  # a parked table, a message in quarantine, no server


class Stage:
    """Runs command lines one after another, in one directory and environment.

    A server or demo that has no end of its own is left running until the next one
    is started, as by somebody with two terminals; it has to stop in good order.
    """

    def __init__(self, sandbox, directory, database, wheels, day):
        self.place = directory / "tree"
        self._sandbox = sandbox
        self._directory = directory
        self._database = database  # (kind, name) -> URL
        self._wheels = wheels
        self._day = day
        self._lasting = AsyncExitStack()
        self._environment = {}
        self._page = USUAL
        self._words = {"TABLE": "order", "PATH": "export"}

    async def open(self, api):
        """Lay out what a reader has: the source, credentials, an export."""
        copy_tree(self.place)
        for name in ("shop.creds", "group.creds"):
            shutil.copy2(self._sandbox.credentials, self.place / name)
        for name in ("etc/systemd/system", "var/lib/eds", "bin"):
            (self._directory / name).mkdir(parents=True)
        (self._directory / "key").write_text(f"{KEY}\n")
        pip = self._directory / "bin" / "pip"
        words = {"uv": program("uv"), "wheels": self._wheels, "python": sys.executable}
        pip.write_text(PIP.format(**words))
        pip.chmod(0o755)
        url = self._words["URL"] = self._database("postgres", "shop")
        index = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "UV_"))}
        path = (pip.parent, SCRIPTS, os.environ["PATH"])
        self._environment = {
            **environment(self._directory),
            **index,
            "PATH": os.pathsep.join(map(str, path)),
            "PWD": str(self.place),
            "PIP_FIND_LINKS": str(self._wheels),
            "EDS_SERVER": self._sandbox.url,
            "EDS_API_URL": api.url,
            "EDS_URL": url,
            "TMPDIR": str(self._directory),
            "SM_APIKEY": KEY,
        }
        await self.run("eds export --all --bulk -o export")

    async def spoil(self):
        """Have a table parked and a message in quarantine, and mend the cause."""
        urls = [self._words["URL"], f"sqlite:///{self._directory}/var/lib/eds/shop.db"]
        for url in urls:
            misfit(url)
        subject = f"dbchange.vendor.INSERT.{COMPANY}.NONE.PUBLIC.1"
        sandbox = self._sandbox
        async with serving(sandbox, *urls) as server:
            await sandbox.publish(sandbox.shop.insert("order"))
            await sandbox.publish_raw(subject, b"no JSON")
            for url in urls:
                await until(lambda url=url: caught(url), 30, server.tail)
        for url in urls:
            execute(url, 'ALTER TABLE "order" DROP COLUMN own')
        self._words["ID"] = str(value(urls[0], "SELECT id FROM _eds_quarantine"))

    async def run(self, command):
        """Run a command line; it has to succeed, or to last."""
        if name := lasting(command):
            await self._start(self.filled_in(command), name)
        else:
            await self._finish(command)

    def know(self, server):
        """Its status page is where a page has the usual address."""
        self._page = re.search(r"status page: (http://[\w.:]+)/", server.err)[1]

    async def is_equal(self):
        """Wait until the database has what the shop has."""
        await shop_is_at(self._words["URL"], self._sandbox)

    async def close(self):
        """Stop what still runs; it has to stop in good order."""
        await self._lasting.aclose()

    async def _finish(self, command):
        after = self._directory / "after"
        script = f"exec <'{self._directory}/key'\nset -o pipefail\n"
        script += (
            f"{self.filled_in(command)}\nstatus=$?\nenv -0 >'{after}'\nexit $status"
        )
        ended = await run(
            self._directory, *self._shell(script), env=self._environment, seconds=LONG
        )
        assert ended.code in self._expected(command), (
            f"{command}\n{ended.out}\n{ended.tail()}"
        )
        told = after.read_text().rstrip("\0").split("\0")
        self._environment = dict(line.split("=", 1) for line in told)

    async def _start(self, command, name):
        await self.close()
        running = self._lasting.enter_context(
            process(
                self._directory,
                *self._shell(f"exec {command}"),
                env=self._environment,
            )
        )
        if name == "server":
            await running.ready(60)
            self.know(running)
        else:
            await until(lambda: "streaming to" in running.out, 60, running.tail)

        async def stop():
            code = await running.stop()
            assert code == 0, f"{command}\n{running.tail()}"

        self._lasting.push_async_callback(stop)

    def _expected(self, command):
        """`status` and `doctor` end with 1 when something needs a person."""
        asks = {words[0] for words in eds(command)} & {"status", "doctor"}
        return {0, 1} if asks and self._day is Day.TROUBLED else {0}

    def _shell(self, script):
        return "env", "-C", self._environment["PWD"], "bash", "-c", script

    def filled_in(self, command):
        """Put the stage's places, databases and words where examples stand."""
        command = PLACES.sub(lambda m: f"{self._directory}{m[0]}", command)
        command = command.replace("-g eds ", f"-g {os.getgid()} ")
        command = command.replace("-o eds ", f"-o {os.getuid()} ")
        command = URL.sub(self._url, command.replace(USUAL, self._page))
        names = "|".join(self._words)
        return re.sub(
            rf"(?<![-\w$])({names})\b(?!=)", lambda m: self._words[m[1]], command
        )

    def _url(self, found):
        name = found[0].strip("'").partition("?")[0].rpartition("/")[2]
        return f"'{self._database(found[2], name)}'"


def misfit(url):
    """A table that EDS cannot fill."""
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).touch()
    execute(url, OWN_COLUMN)


def caught(url):
    parked = value(url, "SELECT count(*) FROM _eds_parked")
    return parked and value(url, "SELECT count(*) FROM _eds_quarantine")


def copy_tree(place):
    for path in tracked():
        copy = place / path.relative_to(TOP)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)


def program(name):
    return shutil.which(name) or str(Path(sys.executable).with_name(name))


@asynccontextmanager
async def staged(directory, database, wheels, companies, day):
    """A stage with a shop that has been at work."""
    async with AsyncExitStack() as resources:
        sandbox = Sandbox(directory / "sandbox", companies)
        await resources.enter_async_context(sandbox)
        await sandbox.run_shop(events=100)
        api = resources.enter_context(export_api(sandbox))
        stage = Stage(sandbox, directory, database, wheels, day)
        await stage.open(api)
        if day is Day.TROUBLED:
            await stage.spoil()
        elif day is Day.STREAMING:
            url = database("postgres", "shop")
            stage.know(await stream(resources, sandbox, url))
        resources.push_async_callback(stage.close)
        yield stage


async def stream(resources, sandbox, url):
    """A server that runs; it may be taken over by one of the page's."""
    directory = sandbox.directory
    command = (SCRIPTS / "eds-server", "--creds", sandbox.credentials, url)
    look_back = ("--consumer-start-time", "168h", "--server", sandbox.url)
    server = resources.enter_context(process(directory, *command, *look_back))
    await server.ready()
    await shop_is_at(url, sandbox, server=server)
    return server
