"""Options come from the command line, variables and ``eds.toml``, in this order."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from eds_core.cli import main
from eds_core.cli.config_file import options_of
from eds_core.private import exposed

SECRET = "geh3im"
URL = f"postgresql://eds:{SECRET}@127.0.0.1:1/shop"
COMMANDS = ("server", "import", "export", "doctor", "status", "resume")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A directory to work in, without variables and other files."""
    for name in [name for name in os.environ if name.startswith("EDS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path


def run(*args):
    """What a command prints; the logging it sets up is no other test's."""
    logger = logging.getLogger("eds")
    try:
        return CliRunner().invoke(main, args)
    finally:
        logger.handlers.clear()
        logger.setLevel(logging.NOTSET)
        logger.propagate = True


def write(path, text, mode=0o600):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def show(*args):
    result = run("config", "show", "--json", *args)
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def options(*args):
    """By name: the words of its value, and where they come from."""
    every = show(*args)["options"]
    return {each["name"]: (each["values"], each["source"]) for each in every}


def test_what_is_typed_wins_over_variable_over_file_over_default(here, monkeypatch):
    prefix = "consumer-prefix"
    assert options()[prefix] == ([""], "default")
    write(here / "eds.toml", f'{prefix} = "file"')
    assert options()[prefix] == (["file"], "file")
    monkeypatch.setenv("EDS_CONSUMER_PREFIX", "variable")
    assert options()[prefix] == (["variable"], "variable")
    assert options(f"--{prefix}", "typed")[prefix] == (["typed"], "flag")


def test_every_option_that_has_a_variable_can_stand_in_the_file(here):
    """And has the same name in all three places."""
    strange = []
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        for found, param in options_of(command).items():
            flags = param.opts if isinstance(param, click.Option) else [f"--{found}"]
            strange += [] if f"--{found}" in flags else [(name, found, flags)]
    assert strange == []


def test_all_options_of_the_server_have_a_variable():
    server = main.get_command(click.Context(main), "server")
    without = {p.name for p in server.params if not p.envvar}
    assert without == set()


def test_a_file_has_options_of_several_commands(here):
    write(here / "eds.toml", 'creds = "shop.creds"\njobs = 3\nmax-age = "15m"')
    assert options("import", ".")["jobs"] == (["3"], "file")
    assert options("status")["max-age"] == (["15m"], "file")
    assert "jobs" not in options("server")


def test_lists_switches_and_numbers_are_what_they_look_like(here):
    text = 'only = ["order", "customer"]\ndry-run = true\nhealth-port = 9000'
    write(here / "eds.toml", text)
    found = options()
    assert found["only"] == (["order", "customer"], "file")
    assert found["dry-run"] == (["true"], "file")
    assert found["health-port"] == (["9000"], "file")


def test_one_text_is_enough_for_an_option_that_takes_several(here):
    write(here / "eds.toml", f'url = "{URL}"\nonly = "order"')
    found = options()
    assert found["only"] == (["order"], "file")
    assert found["url"] == ([URL.replace(SECRET, "***")], "file")


def test_a_path_is_relative_to_the_file(here):
    file = write(here / "etc" / "own.toml", 'creds = "shop.creds"')
    found = options("--config", str(file))
    assert found["creds"] == ([str(here / "etc" / "shop.creds")], "file")


@pytest.mark.parametrize("place", ["eds.toml", "home/.config/eds/eds.toml"])
def test_a_file_in_a_usual_place_is_found(here, place):
    file = write(here / place, 'consumer-prefix = "found"')
    assert Path(show()["file"]) == file
    assert options()["consumer-prefix"] == (["found"], "file")


def test_the_variable_names_a_file_and_the_option_another(here, monkeypatch):
    write(here / "eds.toml", 'consumer-prefix = "usual"')
    monkeypatch.setenv("EDS_CONFIG", str(write(here / "a", 'consumer-prefix = "a"')))
    assert options()["consumer-prefix"] == (["a"], "file")
    other = write(here / "b", 'consumer-prefix = "b"')
    assert options("--config", str(other))["consumer-prefix"] == (["b"], "file")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('credz = "x"', ("no option credz", "is it creds?")),
        ('consumer_prefix = "x"', ("consumer_prefix", "is it consumer-prefix?")),
        ('config = "x"', ("no option config",)),
        ('nothing-like-it = "x"', ("nothing-like-it", "eds config show")),
        ("[server]\nurl = 1", ("server is wrong", "no section")),
        ('silent = "yes"', ("silent takes true or false",)),
        ("creds = true", ("creds takes a text",)),
        ('creds = ["a", "b"]', ("one value, and not a list",)),
        ("url = [{}]", ("url takes a text",)),
        ("yes = true", ("yes does not stand in a file", "--yes", "EDS_YES")),
        ("creds = x", ("eds.toml is not TOML", "line 1")),
        ('health-port = "on"', ("'on' is neither a port", "(eds.toml)")),
        ('server = "http://x"', ("--server", "(eds.toml)")),
    ],
)
def test_what_is_wrong_in_the_file_is_told(here, text, words):
    write(here / "eds.toml", text)
    result = run("server", "--creds", "x", URL)
    assert result.exit_code == 2
    assert [each for each in words if each not in result.output] == []


def test_a_file_that_is_named_has_to_be_there(here):
    result = run("status", "--config", "no.toml", "sqlite:///x.db")
    assert result.exit_code == 2
    assert "cannot read the configuration no.toml: No such file" in result.output


def test_a_wrong_variable_is_named(here, monkeypatch):
    monkeypatch.setenv("EDS_HEALTH_PORT", "on")
    result = run("server", "--creds", "x", URL)
    assert "neither a port such as 8080 nor off (EDS_HEALTH_PORT)" in result.output


def test_a_file_of_somebody_else_is_not_taken_unasked(here, monkeypatch):
    file = write(here / "eds.toml", 'consumer-prefix = "x"')
    monkeypatch.setattr(os, "geteuid", lambda: file.stat().st_uid + 1)
    os.chown(file, 12345, -1) if not file.stat().st_uid else None
    result = run("config", "show")
    assert result.exit_code == 2
    assert "belongs to another user" in result.output
    assert options("--config", "eds.toml")["consumer-prefix"] == (["x"], "file")


@pytest.mark.parametrize(
    ("text", "mode", "warned"),
    [
        (f'url = "{URL}"', 0o644, True),
        (f'url = "{URL}"', 0o600, False),
        ('api-key = "x"', 0o640, True),
        ('url = "sqlite:////tmp/x.db"', 0o644, False),
    ],
)
def test_others_who_can_read_a_secret_are_warned_of(here, text, mode, warned):
    write(here / "eds.toml", text, mode)
    result = run("server", "--creds", "no.creds")
    assert "chmod 600" in result.output if warned else "chmod" not in result.output
    assert SECRET not in result.output


@pytest.mark.parametrize(
    "args",
    [
        *(["status"], ["doctor"], ["resume", "order"], ["plan"], ["config", "show"]),
        *(["quarantine", "list"], ["quarantine", "show", "a1"], ["apply"]),
        *(["quarantine", "retry", "a1"], ["quarantine", "drop", "--all"]),
    ],
    ids=" ".join,
)
def test_each_command_warns_of_it_and_once(here, args):
    write(here / "eds.toml", f'url = "nowhere://u:{SECRET}@h/db"', 0o644)
    result = run(*args)
    assert result.output.count("others can read eds.toml, which holds a secret") == 1
    assert SECRET not in result.output


@pytest.mark.parametrize("masked", ["x://u:***@h/db", "x://h/db?sslpassword=***"])
def test_a_url_that_was_copied_from_what_is_shown_is_told(here, masked):
    for args in (["status"], ["doctor"], ["plan"], ["resume", "order"]):
        result = run(*args, masked)
        assert result.exit_code == 2
        assert "with *** in place of what is secret" in result.output


def test_a_url_can_be_in_a_file_of_its_own(here, monkeypatch):
    place = write(here / "url", "sqlite:////tmp/my shop.db\nsqlite:////tmp/b.db\n")
    monkeypatch.setenv("EDS_URL_FILE", str(place))
    result = run("status")
    assert "sqlite:////tmp/my shop.db\n" in result.output
    assert "sqlite:////tmp/b.db\n" in result.output


def test_a_nearer_url_wins_over_the_file_and_two_equally_near_are_too_many(
    here, monkeypatch
):
    place = write(here / "url", "sqlite:////tmp/file.db")
    write(here / "eds.toml", 'url-file = "url"')
    monkeypatch.setenv("EDS_URL", "sqlite:////tmp/variable.db")
    assert "variable.db" in run("status").output
    assert "typed.db" in run("status", "sqlite:////tmp/typed.db").output
    monkeypatch.setenv("EDS_URL_FILE", str(place))
    result = run("status")
    assert result.exit_code == 2
    assert "EDS_URL and EDS_URL_FILE" in result.output
    assert "typed.db" in run("status", "sqlite:////tmp/typed.db").output


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "cannot read"), ("", "is empty"), (b"\xff\xfe", "it is no text")],
)
def test_a_file_that_holds_no_secret_is_told(here, content, words):
    if content is not None:
        (here / "url").write_bytes(content or b"")
    result = run("status", "--url-file", "url")
    assert result.exit_code == 2
    assert words in result.output


def test_a_variable_that_is_misspelt_is_told(here, monkeypatch):
    monkeypatch.setenv("EDS_HASH_COLUMNS", "customer.note")
    monkeypatch.setenv("EDS_HASH_SALT", "x" * 20)
    said = run("server", "--creds", "no.creds", "sqlite:////tmp/x.db").output
    assert "EDS_HASH_COLUMNS means nothing; is it EDS_HASH_COLUMN?" in said
    assert "EDS_HASH_SALT " not in said
    unknown = show()["unknown"]
    assert unknown == [{"variable": "EDS_HASH_COLUMNS", "nearest": "EDS_HASH_COLUMN"}]


def test_no_secret_is_shown(here, monkeypatch):
    monkeypatch.setenv("EDS_API_KEY", SECRET)
    monkeypatch.setenv("EDS_THEN_IMPORT", URL)
    write(here / "eds.toml", f'url = "{URL}"\nserver = "nats://u:{SECRET}@h:4222"')
    for args in [(), ("--json",), ("export",), ("export", "--json"), ("import", ".")]:
        result = run("config", "show", *args)
        assert result.exit_code == 0, result.output
        assert SECRET not in result.output
        assert "***" in result.output


def test_it_shows_a_command_below_a_group(here):
    write(here / "eds.toml", 'url = "sqlite:////tmp/x.db"')
    assert options("quarantine", "list")["url"] == (["sqlite:////tmp/x.db"], "file")
    assert run("config", "show", "quarantine").exit_code == 2
    assert run("config", "show", "nothing").exit_code == 2


def test_what_would_be_refused_is_refused_when_shown(here):
    result = run("config", "show", "--health-port", "on")
    assert result.exit_code == 2
    assert "neither a port" in result.output


def test_commands_for_one_database_take_the_url_from_the_file(here):
    write(here / "eds.toml", f'url = "sqlite:///{here}/shop.db"')
    assert "0 quarantined" in run("quarantine", "list").output
    assert "no quarantine entry a1" in run("quarantine", "show", "a1").output
    assert "no quarantine entry a1" in run("quarantine", "retry", "a1").output
    assert "0 dropped" in run("quarantine", "drop", "--all").output
    assert "order is not parked" in run("resume", "order").output
    write(here / "eds.toml", f'url = ["sqlite:///{here}/a.db", "sqlite:///b.db"]')
    assert "there are 2 URLs" in run("quarantine", "list").output


@pytest.mark.parametrize(
    ("given", "command"),
    [(["--config", "f", "status"], "status"), (["--config", "server", "u"], "server")],
)
def test_options_may_stand_before_the_command(given, command):
    from eds_core.cli.main import with_command

    assert with_command(given)[0] == command


@pytest.mark.parametrize(
    ("owner", "mode", "told"),
    [
        (1000, 0o600, 0),
        (1000, 0o640, 0o640),
        (1000, 0o604, 0o604),
        (0, 0o640, 0),  # root's, and meant for the group that a service is in
        (0, 0o644, 0o644),
    ],
)
def test_a_group_may_read_what_is_not_this_users_own(owner, mode, told, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    found = os.stat_result((0o100000 | mode, 0, 0, 1, owner, 0, 0, 0, 0, 0))
    assert exposed(found) == told
