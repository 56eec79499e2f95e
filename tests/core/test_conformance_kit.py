"""What an author sees of the conformance kit: skips, header, report, layers."""

from __future__ import annotations

import json

import pytest

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

    result.assert_outcomes(
        passed=2, skipped=1, deselected=result.parseoutcomes()["deselected"]
    )


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

    result.assert_outcomes(
        failed=1,
        passed=result.parseoutcomes()["passed"],
        deselected=result.parseoutcomes()["deselected"],
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
    assert report["parts"]["contract"]["test_a_stale_row_does_nothing"] == [
        "passed",
        "",
    ]
    assert report["values"]["text: NUL"] == "exact"
    assert report["values"]["integer: 2^63"] == "rejected"
    assert report["measured"]["rows per second"].keys() == {
        "narrow",
        "101 columns",
        "one hot key",
    }


def test_speed_is_told_beside_the_last_run(pytester):
    text = SUITE.format(url="memory://speed", skips={}, values="{}")
    pytester.makepyfile(test_mine=text)
    pytester.runpytest("--conformance-layer=speed")

    again = pytester.runpytest("--conformance-layer=speed")

    again.stdout.re_match_lines(
        [r"conformance of mine: narrow: [\d,]+ rows/s \(last run [\d,]+: [+-]\d+ %\)"]
    )


def test_nothing_is_left_behind(run):
    from eds_core.testing import MemoryDriver

    layers = [f"--conformance-layer={name}" for name in ("contract", "migrating")]
    run(*layers, url="memory://tidy")

    assert MemoryDriver.stores["tidy"].committed.tables == {}
    assert MemoryDriver.stores["tidy"].committed.tombstones == {}
