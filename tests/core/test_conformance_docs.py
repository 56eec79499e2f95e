"""The support matrix is what the kit found, as far as this is known without servers."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from eds_core.testing import DriverConformance
from eds_core.testing.__main__ import kept, with_types
from eds_core.testing.matrix import CASES
from eds_core.testing.report import deviations_of, types_of
from eds_core.testing.tables import support_matrix, type_mapping

TOP = Path(__file__).parents[2]
REPORTS = kept(TOP / "docs" / "conformance")
AGAIN = "run `nox -s conformance`"

each_report = pytest.mark.parametrize("report", REPORTS, ids=lambda r: r["name"])


def suite_of(report):
    """The suite of a test file of this repository that a report came from."""
    for path in sorted(TOP.glob("tests/drivers/test_*_conformance.py")):
        for suite in suites_in(path):
            if suite.title() == report["name"]:
                return suite
    pytest.fail(f"docs/conformance/{report['name']}.json is of no suite")


def suites_in(path):
    spec = spec_from_file_location(f"kits_{path.stem}", path)
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    named = [each for name, each in vars(module).items() if name.startswith("Test")]
    return [each for each in named if issubclass(each, DriverConformance)]


def test_the_matrix_is_made_from_the_reports():
    page = (TOP / "docs" / "support-matrix.md").read_text(encoding="utf-8")

    assert support_matrix(REPORTS) == page, AGAIN


def test_all_documented_drivers_of_this_repository_are_in_it():
    there = {report["name"] for report in REPORTS}
    files = sorted(TOP.glob("tests/drivers/test_*_conformance.py"))
    ours = {s.title() for path in files for s in suites_in(path) if s.documented}

    assert {"postgres", "sqlite"} <= there
    assert there <= ours


@each_report
def test_a_report_has_no_failures(report):
    failed = [
        test
        for tests in report["parts"].values()
        for test, (outcome, _) in tests.items()
        if outcome == "failed"
    ]

    assert failed == []


@each_report
def test_a_report_is_of_the_kit_as_it_is(report):
    tested = {test for tests in report["parts"].values() for test in tests}
    labels = {case.label for case in CASES}

    assert tested == {n for n in dir(DriverConformance) if n.startswith("test_")}, AGAIN
    assert report["values"].keys() == (labels if report["tested_on"] else set()), AGAIN


@each_report
def test_a_report_is_of_the_driver_as_it_is(report):
    suite = suite_of(report)

    assert report["types"] == types_of(suite), AGAIN
    assert report["deviations"] == deviations_of(suite), AGAIN
    assert report["skips"] == dict(suite.skips), AGAIN


@each_report
def test_a_readmes_table_of_types_is_the_reports(report):
    place = {"sqlite": "eds-core"}.get(report["name"], f"eds-driver-{report['name']}")
    readme = TOP / place / "README.md"
    if not readme.exists():
        pytest.skip("MariaDB's driver is MySQL's, whose README has MySQL's report")
    text = readme.read_text(encoding="utf-8")

    assert with_types(text, type_mapping(report)) == text, AGAIN
