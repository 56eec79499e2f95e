"""Errors that nobody has thought of: whose they are, and that no secret is shown."""

from __future__ import annotations

import sys
from textwrap import dedent

import pytest
from click.testing import CliRunner

from eds_core.cli import main
from eds_core.console import printable_traceback
from eds_core.errors import TransientError
from eds_core.unexpected import unexpected

PASSWORD = "correct-horse"
URL = f"shop://eds:{PASSWORD}@host/db"

#: One that lets through what it should have answered, at each place.
DRIVER = """
    import json
    from eds_core.testing import MemoryDriver

    class Shop(MemoryDriver):
        title = "Shop"
        example_url = "shop://host/db"

        def __init__(self, url):
            {init}

        def open(self):
            {open}

        def close(self):
            {close}
"""
HERE = {"init": "self.url = url", "open": "pass", "close": "pass"}
FAILS = {
    "init": "int(url.split(':')[2])",
    "open": "raise OSError(f'cannot reach {self.url}')",
    "close": "json.loads(self.url)",
}


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a distribution with one driver where Python finds it, as pip would."""
    monkeypatch.syspath_prepend(str(tmp_path))
    modules = set(sys.modules)

    def install(source):
        info = tmp_path / "eds_driver_shop-2.5.dist-info"
        info.mkdir()
        metadata = "Metadata-Version: 2.1\nName: eds-driver-shop\nVersion: 2.5\n"
        (info / "METADATA").write_text(metadata)
        (info / "entry_points.txt").write_text(
            "[eds.drivers]\nshop = eds_driver_shop:Shop\n"
        )
        (tmp_path / "eds_driver_shop.py").write_text(dedent(source))

    yield install
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.mark.parametrize("place", FAILS)
@pytest.mark.parametrize(
    "command", [["doctor"], ["status"], ["quarantine", "list"]], ids=" ".join
)
def test_a_drivers_own_exception_names_it_and_shows_no_password(
    install, place, command
):
    install(DRIVER.format(**{**HERE, place: FAILS[place]}))

    result = CliRunner().invoke(main, [*command, URL])

    assert result.exit_code == 1
    assert "eds-driver-shop 2.5 has failed (" in result.output
    assert "[E9002]" in result.output
    assert PASSWORD not in result.output


@pytest.mark.parametrize(
    "text",
    [
        f"cannot reach {URL}",
        f"invalid literal for int() with base 10: '{PASSWORD}@host/db'",
        f"no host in eds:{PASSWORD}@host",
    ],
)
def test_a_traceback_quotes_no_url_with_its_password(text):
    shown = printable_traceback(ValueError(text))

    assert "ValueError" in shown
    assert PASSWORD not in shown


def test_what_eds_itself_does_not_answer_is_its_own_fault():
    with pytest.raises(ZeroDivisionError) as caught:
        divmod(1, 0)

    told = unexpected(caught.value)

    assert str(told) == "EDS itself has failed (ZeroDivisionError)"
    assert told.code == "E9001"


def test_what_eds_can_answer_is_told_as_it_is():
    error = TransientError("not now")

    assert unexpected(error) is error
