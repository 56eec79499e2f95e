"""The command line before anything is started."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from eds_core.cli import main
from eds_core.cli.main import _COMMANDS, with_command
from eds_core.console import printable


def run(*args: str):
    """What a command prints; the logging it sets up is no other test's."""
    logger = logging.getLogger("eds")
    try:
        return CliRunner().invoke(main, args)
    finally:
        logger.handlers.clear()
        logger.setLevel(logging.NOTSET)
        logger.propagate = True


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["--creds", "c", "url"], ["server", "--creds", "c", "url"]),
        (["server", "--creds", "c"], ["server", "--creds", "c"]),
        (["--verbose", "server", "url"], ["server", "--verbose", "url"]),
        (["--creds", "server", "url"], ["server", "--creds", "server", "url"]),
        (["sqlite:///x"], ["server", "sqlite:///x"]),
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


def test_a_command_that_is_misspelt_is_not_taken_for_a_url():
    result = run("dirvers")

    assert result.exit_code == 2
    assert "No such command 'dirvers'" in result.output


def test_help_names_every_command():
    result = run("--help")

    assert result.exit_code == 0
    assert "\n  eds demo\n" in result.output
    assert "...\n" not in result.output.partition("Commands:")[2]
    for command in _COMMANDS:
        assert command in result.output


def test_the_guides_program_alone_is_the_server():
    result = CliRunner().invoke(main, [], prog_name="eds-server")

    assert result.exit_code == 2
    assert "no credentials: --creds is missing" in result.output


def test_the_guides_program_lists_the_servers_options():
    result = CliRunner().invoke(main, ["--help"], prog_name="eds-server")

    assert result.exit_code == 0
    assert "--creds" in result.output
    assert "eds --help" in result.output


def test_who_reads_no_further_is_no_fault_of_eds():
    program = Path(sys.executable).with_name("eds")
    with subprocess.Popen(
        [program, "tables"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        running.stdout.close()  # before anything is written
        told = running.stderr.read()

    assert told == b""
    assert running.returncode == 1


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
        (
            [
                "--company",
                "c",
                "--importer",
                ".",
                "--creds",
                "c",
                "sqlite:////tmp/x.db",
            ],
            "--company does not go with --importer",
        ),
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
        (["server", "--health-port", "70000", "x"], "neither a port such as 8080 nor"),
        (["server", "--health-port", "on", "x"], "neither a port such as 8080 nor off"),
        (["resume", "order", "nothing://x"], "no driver for nothing://"),
        (["quarantine", "list", "postgres"], "a destination is a URL"),
    ],
)
def test_wrong_usage_is_one_short_message_and_exit_code_2(args, words):
    result = run(*args)

    assert result.exit_code == 2
    assert words in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "args",
    [
        ("quarantine", "list"),
        ("quarantine", "retry", "--all"),
        ("quarantine", "drop", "--all"),
        ("resume", "order"),
    ],
)
def test_a_path_that_is_misspelt_makes_no_file(tmp_path, args):
    run(*args, f"sqlite:///{tmp_path / 'shp.db'}")

    assert not list(tmp_path.iterdir())


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
