"""What an author sees of the conformance kit: skips, header, report, layers."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing

import pytest

from eds_core.ledger import Checkpoint
from eds_core.sqlite import SqliteDriver
from eds_core.testing.__main__ import keep
from eds_core.testing.report import load
from eds_core.testing.tables import support_matrix, type_mapping

SUITE = """
from eds_core.testing import DriverConformance, MemoryDriver, replaced

class TestMine(DriverConformance):
    driver = MemoryDriver
    url = {url!r}
    embedded = True
    max_examples = 2
    skips = {skips!r}
    values = {values}

    def fetch(self, driver, table):
        return driver.rows(table.name)

    def drop(self, driver, table):
        driver.drop(table.name)
"""

SQLITE = """
from eds_core.testing import DriverConformance

class TestMine(DriverConformance):
    scheme = "sqlite"
    url = {url!r}
    max_examples = 2
"""
LAYERS = [
    f"--conformance-layer={name}"
    for name in ("contract", "migrating", "ledger", "quarantine", "adopting", "model")
]


@pytest.fixture
def run(pytester):
    """Run the kit for the driver in memory; return pytest's result."""

    def runs(*arguments, url="memory://mine", skips=None, values="{}"):
        text = SUITE.format(url=url, skips=skips or {}, values=values)
        pytester.makepyfile(test_mine=text)
        return pytester.runpytest("-p", "no:cacheprovider", *arguments)

    return runs


def test_one_layer_may_be_run_alone(run):
    result = run("--conformance-layer=golden", "--conformance-layer=model")

    assert result.ret == 0
    found = result.parseoutcomes()
    assert (found["passed"], found["skipped"]) == (2, 1)


def test_the_opt_outs_are_told_before_the_tests(run):
    result = run("--collect-only", skips={"test_a_composite_key": "no keys, ticket 7"})

    result.stdout.fnmatch_lines(
        [
            "conformance of mine: not tested: memory is not a SQL database (*",
            "conformance of mine: not tested: no keys, ticket 7 (1)",
        ],
        consecutive=False,
    )


def test_a_skip_of_a_test_that_does_not_exist_fails(run):
    result = run(
        "--conformance-layer=static", skips={"test_a_thing_that_was_renamed": "why"}
    )

    result.stdout.fnmatch_lines(["FAILED *test_skips_name_tests_and_give_reasons*"])


def test_one_case_of_a_test_may_be_left_out_and_is_told(run, pytester):
    skips = {
        "test_a_wider_type_keeps_every_value[number to decimal]": "it cannot, ticket 9",
        "widen_a_column": "it cannot, ticket 9",
    }
    layers = [f"--conformance-layer={name}" for name in ("static", "migrating")]
    result = run(*layers, "--conformance-report=found.json", skips=skips)

    assert result.ret == 0
    result.stdout.fnmatch_lines(["*not tested: it cannot, ticket 9 (1)"])
    page = support_matrix(load(pytester.path / "found.json"))
    assert "it cannot, ticket 9 (2 tests)" in page


@pytest.mark.parametrize("layers", [["static"], ["static", "migrating"]])
def test_a_skip_of_a_case_that_does_not_exist_fails_where_the_cases_are_known(
    run, layers
):
    skips = {"test_a_wider_type_keeps_every_value[text to x]": "why"}
    result = run(*(f"--conformance-layer={name}" for name in layers), skips=skips)

    assert (result.ret == 0) == (layers == ["static"])


def test_a_rule_of_the_model_may_be_left_out(run):
    result = run(
        "--conformance-layer=static",
        "--conformance-layer=model",
        skips={"widen_a_column": "it cannot, ticket 8"},
    )

    assert result.ret == 0


def test_a_deviation_that_is_not_done_fails(run):
    result = run(
        "--conformance-layer=values",
        values='{"text: NUL": replaced("NUL is taken out", "bc")}',
    )

    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(
        ["FAILED *test_a_value_is_kept_as_documented?text: NUL*"]
    )


def test_without_a_database_the_reason_names_the_variable(run, monkeypatch):
    monkeypatch.delenv("EDS_TEST_MINE_URL", raising=False)
    result = run("-rs", "--conformance-layer=contract", url=None)

    result.stdout.fnmatch_lines(["*no memory here: set EDS_TEST_MINE_URL"])


def test_the_variable_names_a_database(run, monkeypatch):
    monkeypatch.setenv("EDS_TEST_MINE_URL", "memory://given")
    result = run("--conformance-layer=contract", url=None)

    assert result.ret == 0
    assert "skipped" not in result.parseoutcomes()


def test_the_report_says_what_became_of_every_test(run, pytester):
    layers = [f"--conformance-layer={name}" for name in ("contract", "values", "speed")]
    run(*layers, "--conformance-report=found.json")

    (report,) = json.loads((pytester.path / "found.json").read_text(encoding="utf-8"))
    contract = report["parts"]["contract"]
    assert contract["test_a_stale_row_does_nothing"] == ["passed", ""]
    assert report["values"]["text: NUL"] == "exact"
    assert report["values"]["integer: 2^63"] == "rejected"
    assert report["measured"]["rows per second"].keys() == {
        "narrow",
        "101 columns",
        "one hot key",
    }


def test_what_was_never_run_is_not_told_as_if_it_was(run, pytester, monkeypatch):
    monkeypatch.delenv("EDS_TEST_MINE_URL", raising=False)
    run("--conformance-report=found.json", url=None)

    (report,) = load(pytester.path / "found.json")
    page = support_matrix([report])
    held = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|$", page, re.MULTILINE))
    assert report["parts"]["contract"]["test_a_stale_row_does_nothing"][0] == "not run"
    assert held["tested on"] == "nothing yet"
    assert held["contract: rows"] == held["model: made-up histories"] == "not run"
    assert held["contract: tables of others"] == "does not apply"
    assert held["values"] == "1 of 6"
    assert "**memory was not run on a database here.**" in page
    assert "set EDS_TEST_MINE_URL" not in page


def test_a_table_of_types_has_no_comments_and_says_what_is_rejected():
    declared = ["TEXT COMMENT 'x'", "CHAR(9) /*!8 COLLATE a */ /*M! COLLATE b */"]
    report = {
        "sql": True,
        "types": {"text": declared},
        "deviations": {
            "text: NUL": ["rejected", "no such thing"],
            "text: NUL, as text": ["rejected", "no such thing"],
            "text: 1 MB": ["replaced", "cut"],
            "text: emoji": ["exact", "also here"],
        },
    }

    (line,) = [line for line in type_mapping(report).splitlines() if "CHAR" in line]

    told = "NUL: rejected, no such thing; 1 MB: cut"
    assert line == f"| text | `TEXT`, in a key `CHAR(9)` | {told} |"


def test_a_report_without_a_database_never_replaces_one_with(run, pytester):
    place, new = pytester.path / "kept", pytester.path / "new.json"

    def kept_of(*arguments, url):
        run(f"--conformance-report={new}", *arguments, url=url)
        left_out = keep(place, [new])
        return left_out, [r["tested_on"] for p in place.iterdir() for r in load(p)]

    assert kept_of("--conformance-layer=static", url=None) == (["mine"], [])
    assert kept_of(url=None) == ([], [""])
    assert kept_of(url=None) == ([], [""])
    assert kept_of(url="memory://kept") == ([], ["memory"])
    assert kept_of(url=None) == (["mine"], ["memory"])


def test_speed_is_told_beside_the_last_run(pytester):
    text = SUITE.format(url="memory://speed", skips={}, values="{}")
    pytester.makepyfile(test_mine=text)
    pytester.runpytest("--conformance-layer=speed")

    again = pytester.runpytest("--conformance-layer=speed")

    again.stdout.re_match_lines(
        [r"conformance of mine: narrow: [\d,]+ rows/s \(last run [\d,]+: [+-]\d+ %\)"]
    )


def test_nothing_is_left_behind_and_nothing_of_others_is_touched(pytester, sqlite_url):
    path = sqlite_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute('CREATE TABLE "order" (mine TEXT)')
        theirs.execute("INSERT INTO \"order\" VALUES ('kept')")
        theirs.commit()
    pytester.makepyfile(test_mine=SQLITE.format(url=sqlite_url))

    result = pytester.runpytest("-p", "no:cacheprovider", "-rs", *LAYERS)

    assert result.ret == 0
    result.stdout.fnmatch_lines(["*this database has a table order of its own"])
    with closing(sqlite3.connect(path)) as theirs:
        tables = theirs.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        assert tables.fetchall() == [("order",)]
        assert theirs.execute('SELECT * FROM "order"').fetchall() == [("kept",)]


def test_what_eds_keeps_of_other_companies_stays(pytester, sqlite_url):
    other = Checkpoint("theirs", 7, 1, "a", "s", "p")
    driver = SqliteDriver(sqlite_url)
    driver.open()
    driver.ledger.create()
    driver.ledger.establish(other)
    pytester.makepyfile(test_mine=SQLITE.format(url=sqlite_url))

    result = pytester.runpytest("-p", "no:cacheprovider", *LAYERS)

    assert result.ret == 0
    assert driver.ledger.checkpoints() == {"theirs": other}
    assert driver.ledger.quarantined() == []
    assert driver.count("_eds_tombstone") == 0
    driver.close()
