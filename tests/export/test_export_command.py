"""``eds export`` as a user runs it: its words, exit codes, files and secrets."""

import asyncio
import json
import os
import pty
import re
import select
import signal
import sys
from pathlib import Path

import click
import pytest

from acceptance.harness import SCRIPTS, environment, process, run, until
from eds_core.cli import export as export_cli
from eds_core.sandbox.export_api import KEY
from eds_core.sandbox.http_server import Reply
from export.harness import downloads, expected, requests, rows, serving

EXPORT = (SCRIPTS / "eds", "export")


@pytest.fixture
def api(tmp_path):
    with serving(tmp_path) as running:
        yield running


def exporting(api, tmp_path, *args, env=None):
    """Run ``eds export`` into ``out`` to its end."""
    settings = {"SM_APIKEY": KEY, "EDS_API_URL": api.url} | (env or {})
    command = (*EXPORT, "-o", tmp_path / "out", *args)
    return asyncio.run(run(tmp_path, *command, env=settings))


def test_it_prints_the_files_and_says_how_it_went(api, tmp_path):
    ended = exporting(api, tmp_path, "--table", "order")

    assert ended.code == 0
    path = Path(ended.out.removesuffix("\n"))
    assert rows(path) == expected(api, "order")
    assert f"{api.url} exports order" in ended.err
    assert re.search(r"ndjson\.gz: [\d.]+ kB, complete", ended.err)
    assert re.search(r"1 files, not older than 20\d\d-\d\d-\d\d .* UTC", ended.err)


def test_it_can_be_logged_as_objects_beside_the_files(api, tmp_path):
    api.faults.failed = {"order": "took too long"}
    args = ("--table", "order", "--table", "label", "--bulk", "--log-format", "json")

    ended = exporting(api, tmp_path, *args)

    said = [json.loads(line) for line in ended.err.splitlines()]
    (failed,) = [each["message"] for each in said if each["severity"] == "ERROR"]
    assert ended.code == 1
    assert rows(Path(ended.out.removesuffix("\n"))) == expected(api, "label")
    assert "order was not exported: took too long" in failed
    assert any("complete" in each["message"] for each in said)


def test_the_key_can_be_in_a_file_of_its_own(api, tmp_path):
    (tmp_path / "key").write_text(f"{KEY}\n")
    env = {"SM_APIKEY": "", "EDS_API_KEY_FILE": str(tmp_path / "key")}

    ended = exporting(api, tmp_path, "--table", "order", env=env)

    assert ended.code == 0, ended.err
    assert KEY not in ended.err


def test_all_of_it_can_come_from_the_environment(api, tmp_path):
    env = {"EDS_TABLES": "order,label", "EDS_BULK": "1", "EDS_SILENT": "1"}

    ended = exporting(api, tmp_path, env=env)

    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert len(list((tmp_path / "out").glob("*.gz"))) == 2


def test_all_tables_in_bulk(api, tmp_path):
    ended = exporting(api, tmp_path, "--all", "--bulk")

    assert ended.code == 0
    assert "71 of 71 tables are ready" in ended.err
    assert len(ended.out.splitlines()) == len(
        [table for table in api.shop.state().values() if table]
    )


def test_a_failed_table_is_told_and_is_exit_code_1(api, tmp_path):
    api.faults.failed = {"order": "took too long"}

    ended = exporting(api, tmp_path, "--table", "order", "--table", "label", "--bulk")

    assert ended.code == 1
    assert "error: order was not exported: took too long" in ended.err
    assert len(ended.out.splitlines()) == 1


@pytest.mark.parametrize(
    ("args", "env", "words"),
    [
        ([], {}, "name the tables to export"),
        (["--all", "--table", "order"], {}, "name the tables to export"),
        (["--table", "or der"], {}, "`eds tables` lists them"),
        (["--table", "orders"], {}, "orders: did you mean order"),
        (["--all"], {"SM_APIKEY": "wrong-key"}, "does not accept the key"),
        (["--all"], {"SM_APIKEY": "wrong key"}, "characters that no key has"),
        (["--all"], {"EDS_API_URL": "http://api.example"}, "in clear text"),
        (["--all"], {"EDS_API_URL": "https://me:pw@api.example"}, "not a plain one"),
        (["--all", "--wait", "soon"], {}, "not a duration"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_shows_no_secret(
    api, tmp_path, args, env, words
):
    ended = exporting(api, tmp_path, *args, env=env)

    assert ended.code == 2
    assert words in ended.err
    assert not any(secret in ended.err for secret in (KEY, "wrong", "pw@"))
    assert "Traceback" not in ended.err


def test_without_a_key_and_a_terminal_it_says_where_to_put_one(tmp_path):
    ended = asyncio.run(run(tmp_path, *EXPORT, "--all"))

    assert ended.code == 2
    assert "SM_APIKEY" in ended.err


def test_a_key_on_the_command_line_is_warned_of(api, tmp_path):
    ended = exporting(api, tmp_path, "--table", "label", "--api-key", KEY)

    assert ended.code == 0
    assert "--api-key is seen by all users" in ended.err


def test_even_verbose_and_failing_it_shows_neither_key_nor_signature(api, tmp_path):
    api.faults.cuts.append(100)
    api.faults.uses = 1
    api.faults.replies.append(Reply(503))
    api.faults.damaged = 4

    ended = exporting(api, tmp_path, "--table", "order", "--verbose")

    assert ended.code == 1
    assert "Traceback" in ended.err
    assert KEY not in ended.err
    assert "ignature" not in ended.err


def test_killed_in_the_middle_it_goes_on_with_the_same_export(api, tmp_path):
    api.faults.pause, api.faults.chunk = 0.1, 200
    env = {"SM_APIKEY": KEY, "EDS_API_URL": api.url}
    command = (*EXPORT, "--table", "order", "-o", tmp_path / "out")

    async def scenario():
        with process(tmp_path, *command, env=env) as first:
            parts = (tmp_path / "out").glob
            await until(
                lambda: any(p.stat().st_size > 1000 for p in parts("*.part")),
                20,
                first.tail,
            )
            first.kill()
            assert not list(parts("*.gz"))
        api.faults.pause = 0
        return await run(tmp_path, *command, env=env)

    second = asyncio.run(scenario())

    (path,) = (tmp_path / "out").glob("*.gz")
    assert second.code == 0
    assert "going on with the export of" in second.err
    assert rows(path) == expected(api, "order")
    assert len(requests(api, "POST", "/v3/export")) == 1
    assert int(downloads(api)[-1].headers["Range"][6:-1]) > 600


def test_a_disk_that_takes_no_more_is_told_and_the_part_kept(api, tmp_path):
    limited = 'ulimit -f 8; exec "$@"'  # of 1024 bytes each; the file has more
    command = (*EXPORT, "--table", "order", "-o", tmp_path / "out")
    env = {"SM_APIKEY": KEY, "EDS_API_URL": api.url}
    env["PYTHONDONTWRITEBYTECODE"] = "1"  # else Python's own files are cut as well

    ended = asyncio.run(run(tmp_path, "bash", "-c", limited, "-", *command, env=env))

    assert ended.code == 1
    assert f"error: cannot write {tmp_path / 'out'}: File too large" in ended.err
    assert "the same command goes on where it stopped" in ended.err
    assert exporting(api, tmp_path, "--table", "order").code == 0
    assert downloads(api)[-1].headers["Range"] == "bytes=8192-"


def test_interrupted_it_stops_at_once_and_can_go_on(api, tmp_path):
    api.faults.pause, api.faults.chunk = 0.2, 100
    command = (*EXPORT, "--all", "--bulk", "-o", tmp_path / "out")
    env = {"SM_APIKEY": KEY, "EDS_API_URL": api.url}

    async def scenario():
        with process(tmp_path, *command, env=env) as first:
            await until(lambda: downloads(api), 20, first.tail)
            first.send(signal.SIGINT)
            return await first.ended(5), first.err

    code, said = asyncio.run(scenario())
    api.faults.pause, api.faults.chunk = 0, 100_000

    assert code == 1
    assert "Traceback" not in said
    assert exporting(api, tmp_path, "--all", "--bulk").code == 0
    assert len(requests(api, "POST", "/v3/export/bulk")) == 1


def test_on_a_terminal_it_asks_for_the_key_unseen_and_shows_bars(api, tmp_path):
    api.faults.pause, api.faults.chunk = 0.1, 500
    command = [*EXPORT, "--table", "order", "-o", tmp_path / "out"]
    env = {"TERM": "xterm", "EDS_API_URL": api.url}

    shown, code = on_a_terminal(command, environment(tmp_path) | env, f"{KEY}\n")

    assert code == 0, shown
    assert "API key: " in shown
    assert KEY not in shown
    assert "━" in shown
    assert shown.count("order-2.ndjson.gz") > 2


def on_a_terminal(command, env, typed):
    """Run *command* in a terminal of its own; what it showed, and its exit code."""
    pid, master = pty.fork()
    if pid == 0:  # pragma: no cover - the other process
        os.execve(command[0], [str(part) for part in command], env)
    shown = b""
    while True:
        ready, _, _ = select.select([master], [], [], 20)
        assert ready, shown
        try:
            data = os.read(master, 4096)
        except OSError:  # Linux's way to say that the terminal is gone
            break
        if not data:
            break
        shown += data
        if typed and b"API key: " in shown:
            os.write(master, typed.encode())
            typed = ""
    os.close(master)
    return shown.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_then_import_is_given_the_files_and_the_url(api, tmp_path, monkeypatch):
    given = []

    @click.command("import")
    @click.argument("args", nargs=-1)
    @click.option("--creds")
    @click.option("--consumer-start-time")
    @click.option("--verbose", is_flag=True)
    @click.pass_context
    def import_(ctx, args, creds, consumer_start_time, verbose):
        given.append((*args, creds, consumer_start_time, verbose))
        ctx.exit(3)

    group = click.Group(commands=[export_cli.command, import_])
    args = ["export", "--table", "label", "-o", str(tmp_path / "out"), "--verbose"]
    then = ["--then-import", "sqlite:///x.db", "--creds", "shop.creds"]
    monkeypatch.setenv("SM_APIKEY", KEY)
    monkeypatch.setenv("EDS_API_URL", api.url)

    code = group.main([*args, *then], standalone_mode=False)

    ((path, url, creds, ago, verbose),) = given
    assert code == 3
    assert rows(path) == expected(api, "label")
    assert (url, creds, verbose) == ("sqlite:///x.db", "shop.creds", True)
    assert 600 <= int(ago.removesuffix("s")) < 660


def test_the_command_line_starts_without_the_http_library():
    code = "import sys, eds_core.cli.export; sys.exit('urllib3' in sys.modules)"

    assert os.spawnl(os.P_WAIT, sys.executable, sys.executable, "-c", code) == 0
