"""What the pages print to be typed is typed, beside a real NATS and real databases."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from itertools import chain

import pytest

from eds_core.sandbox import COMPANY
from pages.blocks import PAGES, TOP, commands, is_run, lasting, programs
from pages.stage import Day, program, staged

LONG = 900  # seconds: some pages install EDS
START = TOP / "docs" / "start.md"
TROUBLE = re.compile(r"\beds (?:quarantine|resume)\b")

TOOLS = {name for name in ("curl", "openssl", "sqlite3") if not shutil.which(name)}

pytestmark = pytest.mark.skipif(
    shutil.which("bash") is None, reason="the pages' commands are for bash"
)


def runnable(page):
    return [command for block, command in commands(page) if is_run(block, command)]


@pytest.fixture(scope="session")
def wheels(tmp_path_factory):
    """What would be published."""
    out = tmp_path_factory.mktemp("wheels")
    command = [program("uv"), "build", "-q", "--all-packages", "--wheel", "-o", out]
    subprocess.run(command, cwd=TOP, check=True, timeout=LONG)
    return out


@pytest.fixture
def database(request):
    """Empty databases by kind and name; the same name is the same database."""
    made = {}

    def find(kind, name):
        if (kind, name) not in made:
            if kind == "postgres":
                server = request.getfixturevalue("postgres")
                made[kind, name] = server.new_database()
            else:
                fixture = {"mysql": "mariadb", "cockroachdb": "cockroach"}.get(
                    kind, kind
                )
                made[kind, name] = request.getfixturevalue(f"{fixture}_url")
        return made[kind, name]

    return find


@pytest.fixture
def stage(tmp_path, database, wheels):
    """The stage for commands, with what they need."""

    def make(lines):
        if missing := TOOLS & {words[0] for words in chain(*map(programs, lines))}:
            pytest.skip(f"not in the PATH: {', '.join(sorted(missing))}")
        companies = {COMPANY, *re.findall(r"\b[0-9a-f]{24}\b", "\n".join(lines))}
        return staged(tmp_path, database, wheels, sorted(companies), day_of(lines))

    return make


def day_of(lines):
    if any(map(TROUBLE.search, lines)):
        return Day.TROUBLED
    starts = any(lasting(line) == "server" for line in lines)
    return Day.FIRST if starts else Day.STREAMING


@pytest.mark.timeout(LONG)
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=str(page.relative_to(TOP)))
        for page in PAGES
        if runnable(page) and page != START
    ],
)
def test_the_commands_of_a_page_do_what_they_should(page, stage):
    async def scenario():
        async with stage(runnable(page)) as shell:
            for line in runnable(page):
                await shell.run(line)

    asyncio.run(scenario())


@pytest.mark.timeout(LONG)
def test_the_first_five_minutes_end_with_all_of_the_shop_in_the_database(stage):
    async def scenario():
        async with stage(runnable(START)) as shell:
            for line in runnable(START):
                await shell.run(line)
            await shell.is_equal()

    asyncio.run(scenario())
