"""The page with the figures says what the files say."""

import importlib
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
EMPTY = (
    "before\n<!-- bench: goals -->\nold\n<!-- bench: end -->\n"
    "between\n<!-- bench: figures -->\n<!-- bench: end -->\nafter\n"
)


@pytest.fixture
def page(monkeypatch):
    monkeypatch.syspath_prepend(TOP)
    yield importlib.import_module("bench.page")
    for name in [n for n in sys.modules if n.partition(".")[0] == "bench"]:
        del sys.modules[name]


@pytest.fixture
def suite(page):
    return importlib.import_module("bench.suite")


def file(**ratios):
    run = {"per second": 50_000, "CPU s/100k": {"EDS": 1.5}, "each": [50_000]}
    return {
        "benchmark": "stream",
        "at": "2026-11-25T10:00:00Z",
        "machine": {"cores": 2, "load": 0.4, "python": "3.11.7", "system": "Linux"},
        "options": {"runs": 3},
        "figures": {
            "runs": {"EDS": run, "gzip -dc | wc -l": run},
            "ratios": {name: {"median": found} for name, found in ratios.items()},
        },
    }


def test_the_page_is_what_the_files_say(page, suite):
    text = suite.PAGE.read_text()

    assert page.filled(text, page.read_files(suite.FILES)) == text, (
        "python -m bench page"
    )


def test_every_file_belongs_to_a_command_that_writes_it(page, suite):
    assert page.read_files(suite.FILES).keys() <= suite.SUITE.keys()
    assert {goal.file for goal in page.GOALS} <= suite.SUITE.keys()


def test_only_what_stands_between_the_marks_is_made_anew(page):
    files = {"stream-postgresql": file(**{"EDS / one at a time": 61.0})}
    once = page.filled(EMPTY, files)

    assert once.startswith("before\n<!-- bench: goals -->\n\n| ratio |")
    assert "old" not in once
    assert "| 55 | 100 | 61 | yes |" in once
    assert "gzip -dc \\| wc -l" in once
    assert "`python -m bench stream`, 2026-11-25; 3 rounds; 2 cores" in once
    assert once.endswith("<!-- bench: end -->\nafter\n")
    assert page.filled(once, files) == once


@pytest.mark.parametrize(
    ("must", "aim", "found", "verdict"),
    [
        (55, 100, 54.9, "**missed**"),
        (55, 100, 55, "yes"),
        (55, 100, 100, "aim reached"),
        (0.4, 0.25, 0.41, "**missed**"),
        (0.4, 0.25, 0.4, "yes"),
        (0.4, 0.25, 0.25, "aim reached"),
    ],
)
def test_a_goal_is_reached_from_its_own_side(page, must, aim, found, verdict):
    assert page.Goal("it", "file", "ratio", must, aim).verdict(found) == verdict


def test_what_was_not_measured_is_not_called_reached(page):
    assert page.goals({}).count("| not measured | - |") == len(page.GOALS)
