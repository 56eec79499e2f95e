"""The command line before anything is started."""

from __future__ import annotations

import logging

import pytest
from click.testing import CliRunner

from eds_core.cli import main
from eds_core.cli.main import with_command
from eds_core.console import printable


def run(*args: str):
    result = CliRunner().invoke(main, args)
    logging.getLogger("eds").handlers.clear()
    return result


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["--creds", "c", "url"], ["server", "--creds", "c", "url"]),
        (["server", "--creds", "c"], ["server", "--creds", "c"]),
        (["--verbose", "server", "url"], ["server", "--verbose", "url"]),
        (["--creds", "server", "url"], ["server", "--creds", "server", "url"]),
        (["url"], ["server", "url"]),
        (["drivers"], ["drivers"]),
        (["--help"], ["--help"]),
        ([], []),
    ],
)
def test_without_a_command_the_server_is_meant(given, meant):
    assert meant == with_command(given)


def test_with_everything_in_the_environment_the_server_is_meant(monkeypatch):
    monkeypatch.setenv("EDS_URL", "sqlite:////tmp/x.db")

    assert with_command([]) == ["server"]


def test_help_names_every_command():
    result = run("--help")

    assert result.exit_code == 0
    for command in ("server", "import", "demo", "drivers", "quarantine", "resume"):
        assert command in result.output


def test_drivers_lists_scheme_title_and_example():
    result = run("drivers")

    assert result.exit_code == 0
    assert "sqlite://" in result.output
    assert "postgresql://" in result.output
    assert "eds-core" in result.output


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["server"], "--creds is missing"),
        (["server", "--creds", "no.creds"], "no database URL"),
        (["server", "--creds", "no.creds", "sqlite:////tmp/x.db"], "no.creds"),
        (["server", "--importer", ".", "sqlite:////tmp/x.db"], "--creds is missing"),
        (["import", "."], "no database URL"),
        (["import", "sqlite:////tmp/x.db"], "no files to import"),
        (["import", "--repair", ".", "sqlite:////tmp/x.db"], "goes with --verify"),
        (["import", "/no/such", "sqlite:////tmp/no.db"], "no file or folder /no/such"),
        (["import", "--max-unpacked", "9X", ".", "u://"], "such as 50G"),
        (["import", "--snapshot-time", "soon", ".", "u://"], "no date and time"),
        (["server", "--verbose", "--silent", "x"], "exclude each other"),
        (["server", "--consumer-start-time", "soon", "x"], "not a duration"),
        (["server", "--consumer-start-time", "200h", "x"], "between 0 and 168h"),
        (["server", "--consumer-prefix", "a.b", "x"], "letters, digits"),
        (["resume", "order", "nothing://x"], "no driver for nothing://"),
        (["quarantine", "list", "postgres"], "a destination is a URL"),
    ],
)
def test_wrong_usage_is_one_short_message_and_exit_code_2(args, words):
    result = run(*args)

    assert result.exit_code == 2
    assert words in result.output
    assert "Traceback" not in result.output


def test_silent_says_nothing_even_of_errors():
    result = run("server", "--silent", "--creds", "no.creds", "sqlite:////tmp/x.db")

    assert result.exit_code == 2
    assert result.output == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines", r"two\nlines"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("Ünïcode 🙂", "Ünïcode 🙂"),
        ("\u202eevil", r"\u202eevil"),
    ],
)
def test_control_characters_cannot_forge_lines(text, shown):
    assert shown == printable(text)
