"""Every error has a code, every code has a meaning, and the page tells all of them."""

from __future__ import annotations

import os
import pkgutil
import re
import tomllib
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner

import eds_core
import eds_driver_cockroach
import eds_driver_mysql
import eds_driver_postgres
import eds_driver_snowflake
import eds_driver_sqlserver
from eds_core.cli import main
from eds_core.codes import explanations, page
from eds_core.console import show_error
from eds_core.errors import ConfigError, EdsError, RejectedError, TableError, told
from eds_core.event import Message
from eds_core.sql.errors import ANSWERS, Fault, decide, while_opening
from eds_core.work import quarantined

TOP = Path(__file__).parents[2]
PAGE = TOP / "docs" / "troubleshooting.md"
SOURCES = sorted(TOP.glob("eds-*/src/**/*.py"))
PACKAGES = (
    *(eds_core, eds_driver_cockroach, eds_driver_mysql),
    *(eds_driver_postgres, eds_driver_snowflake, eds_driver_sqlserver),
)
#: SQLSTATEs that have the code of their class: there is no more to say.
GENERAL = {"21", "40", "40001", "40P01", "42", "58", "54000"}


def kinds():
    """Every class of error in all packages."""
    for package in PACKAGES:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not re.search("testing|sandbox|__main__|pytest_plugin", module.name):
                import_module(module.name)
    found, waiting = [], [EdsError]
    while waiting:
        kind = waiting.pop()
        if kind.__module__.startswith(("eds_core", "eds_driver")):
            found.append(kind)
            waiting += kind.__subclasses__()
    return found


def literals():
    """Every code in the sources, once for each place that gives it to something."""
    pattern = re.compile(r'"(E\d{4})"')
    return [code for file in SOURCES for code in pattern.findall(file.read_text())]


def test_every_kind_of_error_has_a_code_of_its_own_that_is_explained():
    codes = Counter(kind.code for kind in kinds() if "code" in vars(kind))
    without = [kind for kind in kinds() if "code" not in vars(kind)]

    assert len(codes) > 15
    assert without == []
    assert [code for code, count in codes.items() if count > 1] == []
    assert codes.keys() <= explanations().keys()


def test_every_code_is_explained_and_every_explanation_is_used():
    assert set(literals()) == set(explanations())


def test_a_code_is_used_for_one_thing_only():
    """But the SQLSTATEs of one meaning, which share one in a table."""
    table = (TOP / "eds-core/src/eds_core/sql/errors.py").read_text()
    elsewhere = literals()
    shared = set(re.findall(r'": "(E\d{4})",', table))

    twice = {code for code, count in Counter(elsewhere).items() if count > 1}

    assert twice <= shared
    assert shared & {kind.code for kind in kinds()} == set()


def test_a_code_is_a_heading_of_the_page_which_is_up_to_date():
    if os.environ.get("EDS_TEST_GOLDEN") == "write":
        PAGE.write_text(page())

    assert PAGE.read_text() == page(), "EDS_TEST_GOLDEN=write writes it anew"
    headings = re.findall(r"^### (E\d{4}): ", page(), re.MULTILINE)
    assert headings == list(explanations()) == sorted(headings)


def test_every_entry_says_what_happened_why_and_what_to_do():
    for code, each in explanations().items():
        for text in (each.title, each.what, each.why, each.do):
            assert text, code
            assert text == text.strip(), code
        assert not each.title.endswith("."), code
        assert each.do.endswith((".", "`")), code


def test_a_code_that_is_there_twice_is_noticed():
    with pytest.raises(tomllib.TOMLDecodeError):
        tomllib.loads("[E1001]\n[E1001]\n")


@pytest.mark.parametrize("given", ["E2105", "e2105", "2105", "[E2105]"])
def test_a_code_is_explained_however_it_is_written(given):
    found = CliRunner().invoke(main, ["explain", given])

    assert found.exit_code == 0
    assert found.output.startswith("E2105: A privilege is missing\n")
    assert "GRANT" in found.output


def test_all_are_listed_and_an_unknown_one_is_told():
    listed = CliRunner().invoke(main, ["explain"])
    unknown = CliRunner().invoke(main, ["explain", "E0000"])

    assert [line[:5] for line in listed.output.splitlines()] == list(explanations())
    assert unknown.exit_code == 2
    assert "no error has the code E0000" in unknown.output
    assert unknown.output.splitlines()[0].endswith("[E1001]")


def test_a_code_stands_at_the_end_of_what_is_shown_kept_and_logged(capsys):
    error = ConfigError("it is wrong", advice="do it right", code="E1103")
    show_error(error)
    kept = quarantined(Message("dbchange.a", b"", 1, 0), RejectedError("no"))

    assert "error: it is wrong [E1103]\n" in capsys.readouterr().err
    assert told(error) == "it is wrong. do it right [E1103]"
    assert told(TableError("no table")) == "no table [E2004]"
    assert kept.reason == "no [E2003]"


@pytest.mark.parametrize("state", [s for s in ANSWERS if s not in GENERAL])
def test_what_a_database_says_has_a_code_which_survives_the_opening(state):
    fault = Fault(state.ljust(5, "0"), "words")
    error = decide(fault, ANSWERS)
    opening = while_opening(fault, ANSWERS, "place")

    assert error.code != type(error).code
    assert error.code in explanations()
    assert opening.code == error.code
