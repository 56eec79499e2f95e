"""Passwords, seeds, keys and rows: nowhere where one only looks by chance."""

import logging
from pathlib import Path

import pytest
from click.testing import CliRunner

from eds_core.cli.main import main
from eds_core.destination import Destination, find_driver
from eds_core.event import ChangeEvent, Message, Operation, Row, Version
from eds_core.export.key import ApiKey
from eds_core.importer.options import ImportOptions
from eds_core.ledger import Quarantined
from eds_core.server import ServerOptions
from eds_core.stream import Settings
from eds_core.stream.reader import Delivery

SECRET = "hunter2-0x5ec2e7"
URLS = [
    f"postgresql://eds:{SECRET}@db.example.org/shop",
    f"cockroachdb://eds:{SECRET}@db.example.org/shop",
    f"mysql://eds:{SECRET}@db.example.org/shop",
    f"mariadb://eds:{SECRET}@db.example.org/shop",
    f"sqlserver://eds:{SECRET}@db.example.org/shop",
    f"snowflake://eds:{SECRET}@account/shop/public?warehouse=w",
]
NATS = f"nats://eds:{SECRET}@nats.example.org"


@pytest.mark.parametrize("url", URLS)
def test_no_driver_shows_its_password(url):
    driver = find_driver(url)(url)
    destination = Destination(driver)

    assert SECRET not in f"{driver!r} {driver} {destination!r} {destination.title}"


MESSAGE = Message("dbchange.order.INSERT.c.N.PUBLIC.1.e", SECRET.encode(), 1, 1)


@pytest.mark.parametrize(
    "thing",
    [
        Settings((NATS,), Path("x.creds")),
        ServerOptions(Path("x.creds"), tuple(URLS), (NATS,)),
        ImportOptions((Path("x"),), URLS[0], servers=(NATS,)),
        ApiKey(SECRET),
        MESSAGE,
        Delivery("a", "b", SECRET.encode()),
        Row(("k",), Version(1), SECRET.encode()),
        Quarantined("1", "c", "order", "e", MESSAGE, "why"),
        ChangeEvent(
            "e", "order", Operation.INSERT, ("k",), Version(1), "", b"x", MESSAGE
        ),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_no_secret_and_no_row_is_in_what_an_object_shows_of_itself(thing):
    assert SECRET not in f"{thing!r} {thing}"


def test_no_code_of_ours_shows_the_values_of_variables_in_tracebacks():
    """As rich does, and the standard library when it is asked to."""
    root = Path(__file__).parents[2]
    sources = [p for p in root.glob("*/src/**/*.py") if "sandbox" not in p.parts]
    asked_for = ("rich.traceback", "capture_locals", "show_locals")
    told = [p.name for p in sources if any(word in p.read_text() for word in asked_for)]

    assert len(sources) > 100
    assert told == []


@pytest.mark.parametrize(
    "line",
    [
        ["tables", URLS[0]],
        ["resume", URLS[0]],
        ["resume", "order", "more", URLS[0]],
        ["quarantine", "show", URLS[0]],
        ["quarantine", URLS[0]],
        ["drivers", URLS[0]],
        ["server", "--creds", "x", f"--server={URLS[0]}", "sqlite:///x"],
        ["server", "--consumer-start-time", URLS[0]],
        ["import", URLS[0], URLS[1]],
        [f"postgresql:/eds:{SECRET}@db.example.org/shop"],
        [f"--postgresql://eds:{SECRET}@db.example.org/shop"],
    ],
    ids=lambda line: line[0].partition(":")[0],
)
def test_a_url_in_the_wrong_place_is_not_quoted_with_its_password(line, quiet):
    result = CliRunner().invoke(main, line)

    assert result.exit_code != 0
    assert SECRET not in result.output


def test_a_password_that_was_typed_is_told_of_and_one_in_the_environment_is_not(quiet):
    arguments = ["server", "--creds", "no.creds"]
    typed = CliRunner().invoke(main, [*arguments, URLS[0]])
    kept = CliRunner().invoke(main, arguments, env={"EDS_URL": URLS[0]})

    assert "`ps` shows the password" in typed.output
    assert "`ps`" not in kept.output


@pytest.fixture
def quiet():
    """The logging that a command sets up is no other test's."""
    logger = logging.getLogger("eds")
    before = logger.handlers[:], logger.propagate, logger.level
    yield
    logger.handlers, logger.propagate, logger.level = before
