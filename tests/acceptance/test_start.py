"""What a command imports: `--help` next to nothing, and a server one driver."""

import asyncio
import sys

import pytest

from acceptance.harness import process, run, server_command
from eds_core.sandbox import Sandbox

#: `eds`, which at its end prints what it has imported.
PROGRAM = """
import atexit, sys
from eds_core.cli import main
atexit.register(lambda: print("modules", *sys.modules))
main(prog_name="eds")
"""
TRACED = (sys.executable, "-c", PROGRAM)
SLOW = {"asyncio", "ssl", "sqlite3"}
DRIVERS = {"psycopg", "pymysql", "pyodbc", "snowflake"}
NOT_FOR_A_SERVER = {
    "eds_core.cli.export",
    "eds_core.cli.import_",
    "eds_core.demo",
    "eds_core.export",
    "eds_core.importer",
    "eds_core.sandbox",
    "eds_core.testing",
}


def imported(out):
    first, *found = out.splitlines()[-1].split()
    assert first == "modules", out
    return set(found)


def packages(modules):
    """Those that are not Python's own."""
    top = {name.partition(".")[0] for name in modules}
    return top - sys.stdlib_module_names


@pytest.mark.parametrize("command", [["--help"], ["--version"], ["tables"]])
def test_help_imports_click_and_little_else(tmp_path, command):
    ended = asyncio.run(run(tmp_path, *TRACED, *command))
    found = imported(ended.out)

    assert ended.code == 0
    assert "click" in found
    assert {"msgspec", "nats", "pluggy", "rich", "sqlalchemy"}.isdisjoint(found)
    assert SLOW.isdisjoint(found)
    assert {name for name in found if name.startswith("eds_driver")} == set()


@pytest.mark.parametrize("content", ["", "timestamp = true"])
def test_a_server_imports_its_driver_and_no_other(tmp_path, content):
    config = tmp_path / "eds.toml"
    config.write_text(content)

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            url = f"sqlite:///{tmp_path / 'shop.db'}"
            arguments = server_command(sandbox, [url], ("--config", config))[1:]
            with process(tmp_path, *TRACED, *arguments) as server:
                await server.ready()
                await server.stop()
                return imported(server.out)

    found = asyncio.run(scenario())

    assert "eds_core.sqlite" in found
    assert {name for name in found if name.startswith("eds_driver")} == set()
    assert DRIVERS.isdisjoint(packages(found))
    assert NOT_FOR_A_SERVER.isdisjoint(found)
    assert {"click", "rich", "urllib3"} & packages(found) == {"click"}
