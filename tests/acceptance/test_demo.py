"""``eds demo``: everything at once, on this machine, in plain lines when piped."""

import asyncio
import re
import sqlite3
import urllib.request
from contextlib import closing
from textwrap import dedent

from acceptance.harness import SCRIPTS, process, run, until
from acceptance.tables import rows, table_names, value


def demo(tmp_path, *args):
    env = {"TMPDIR": str(tmp_path)}
    return asyncio.run(run(tmp_path, SCRIPTS / "eds", "demo", *args, env=env))


def fetch(page):
    with urllib.request.urlopen(page, timeout=20) as answer:
        return answer.read().decode()


def count(url):
    names = [name for name in table_names(url) if not name.startswith("_eds_")]
    return sum(value(url, f'SELECT count(*) FROM "{name}"') for name in names)


def test_500_events_end_in_a_database_that_equals_the_shop(tmp_path):
    ended = demo(tmp_path, "--events", "500", "--rate", "500")

    assert ended.code == 0, ended.tail()
    (url,) = re.findall(r"^database: (sqlite:///\S+)$", ended.out, re.MULTILINE)
    (told,) = re.findall(
        r"^(\d+) rows in (\d+) tables, as many as", ended.out, re.MULTILINE
    )
    assert "500 of 500 events written" in ended.out
    assert "0 quarantined" in ended.out
    assert "\x1b" not in ended.out + ended.err
    assert int(told[0]) == count(url)
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_demo_fills_a_database_that_is_given(tmp_path, postgres_url):
    ended = demo(tmp_path, "--events", "200", "--rate", "400", "--url", postgres_url)

    assert ended.code == 0, ended.tail()
    assert count(postgres_url) > 0
    assert "secret" not in ended.out + ended.err
    assert rows(postgres_url, "SELECT * FROM _eds_checkpoint")


def test_the_demo_tells_where_its_status_page_is(tmp_path):
    async def scenario():
        command = (SCRIPTS / "eds", "demo", "--rate", "50")
        with process(tmp_path, *command, env={"TMPDIR": str(tmp_path)}) as demo:
            said = lambda: re.search(r"status page (http://\S+)", demo.out)  # noqa: E731 - asked again and again
            found = await until(said, 30, demo.tail)
            return await asyncio.to_thread(fetch, found[1]), await demo.stop()

    page, code = asyncio.run(scenario())

    assert "<title>EDS" in page
    assert code == 0


LINES = """
    from eds_core.append import AppendDriver

    class Lines(AppendDriver):
        title = "Lines"
        example_url = "lines:///shop.txt?state=/shop.db"

        def write(self, changes):
            with open(self.url.removeprefix("lines://").partition("?")[0], "a") as file:
                file.writelines(f"{change.table.name}\\n" for change in changes)
"""


def test_the_demo_fills_what_is_only_appended_to(tmp_path):
    (place := tmp_path / "site").mkdir()
    info = place / "eds_driver_lines-2.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: eds-driver-lines\nVersion: 2.5\n"
    )
    (info / "entry_points.txt").write_text(
        "[eds.drivers]\nlines = eds_driver_lines:Lines\n"
    )
    (place / "eds_driver_lines.py").write_text(dedent(LINES))
    url = f"lines://{tmp_path}/shop.txt?state={tmp_path}/state.db"

    args = ("--events", "200", "--rate", "400", "--url", url)
    env = {"PYTHONPATH": str(place), "TMPDIR": str(tmp_path)}
    ended = asyncio.run(run(tmp_path, SCRIPTS / "eds", "demo", *args, env=env))

    assert ended.code == 0, ended.tail()
    assert "rows cannot be counted there" in ended.out
    assert (tmp_path / "shop.txt").read_text().splitlines()
