"""What hostile events, servers and files can do to a terminal or a log: nothing."""

import io
import logging

import pytest
from click.testing import CliRunner
from rich.console import Console

from eds_core.cli.main import main
from eds_core.console import printable, set_up_logging
from eds_core.destination import open_destination
from eds_core.errors import EdsError
from eds_core.event import Message
from eds_core.ledger import Quarantined
from eds_core.live import view
from eds_core.pulse import Pulse

HOSTILE = {
    "newline": "x\nERROR forged",
    "carriage return": "x\rERROR forged",
    "escape": "\x1b[2J\x1b]0;title\x07",
    "c1 escape": "\x9b31m",
    "line separator": "x\u2028ERROR forged",
    "right to left": "\u202etxt.exe",
    "zero width": "a\u200bb",
    "backspace": "secret\x08\x08\x08",
    "markup": "[bold red]x[/] [link=https://example.org]y[/link]",
    "percent": "%s %d %(message)s",
}


@pytest.fixture
def logged():
    """What the log lines of *messages* look like on stderr."""
    logger = logging.getLogger("eds")
    before = logger.handlers[:], logger.propagate, logger.level

    def write(message, *arguments, error=None):
        stream = io.StringIO()
        set_up_logging(verbose=False, silent=False, timestamp=False)
        logger.handlers[0].setStream(stream)
        logger.warning(message, *arguments, exc_info=error)
        return stream.getvalue()

    yield write
    logger.handlers, logger.propagate, logger.level = before


def is_tame(text):
    return all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_a_log_record_is_one_line_and_does_nothing(logged, hostile):
    shown = logged("quarantined %s", hostile)

    assert shown == f"WARNING quarantined {printable(hostile)}\n"
    assert is_tame(shown)
    assert shown.count("\n") == 1


def fail(told):
    raise EdsError(told)


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_a_traceback_forges_no_record(logged, hostile):
    with pytest.raises(EdsError) as caught:
        fail(hostile)
    shown = logged("it failed", error=caught.value)

    assert is_tame(shown)
    assert not [line for line in shown.split("\n")[1:] if line.startswith("ERROR")]


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_quarantine_shows_hostile_entries_and_does_not_obey_them(tmp_path, hostile):
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    destination = open_destination(url)
    destination.ledger.create()
    subject = "dbchange.order.INSERT.shop.N.PUBLIC.1.e"
    headers = {"Nats-Msg-Id": hostile}
    message = Message(subject, hostile.encode(), 1, 1, headers)
    words = (hostile, "shop", "order", hostile, message, hostile, hostile)
    with destination.transaction():
        destination.ledger.quarantine([Quarantined(*words)])
    destination.close()

    listed = CliRunner().invoke(main, ["quarantine", "list", url])
    shown = CliRunner().invoke(main, ["quarantine", "show", url, hostile])

    assert (listed.exit_code, shown.exit_code) == (0, 0), listed.output + shown.output
    assert is_tame(listed.stdout)
    assert is_tame(shown.stdout)
    assert len(listed.stdout.splitlines()) == 1
    assert printable(hostile) in listed.stdout


def test_the_live_view_takes_no_markup_from_a_name():
    pulse = Pulse()
    pulse.rows.update({HOSTILE["markup"]: 3})
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=200)
    console.print(view(pulse, "sqlite:///[bold]x.db"))

    assert "[link=https://example.org]" in stream.getvalue()
    assert "\x1b]8;" not in stream.getvalue()  # a link of the terminal's
    assert "[bold]x.db" in stream.getvalue()
