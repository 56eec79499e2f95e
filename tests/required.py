"""With EDS_TEST_REQUIRE=postgres,nats a skip for want of these is a failure.

A test that needs a server or a program skips with a reason that names its variable,
such as EDS_TEST_POSTGRES_URL. That name is what is looked for here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator

import pytest

VARIABLE = "EDS_TEST_REQUIRE"


def required() -> frozenset[str]:
    names = os.environ.get(VARIABLE, "").split(",")
    return frozenset(name.strip().lower() for name in names if name.strip())


def wanting(reason: str) -> set[str]:
    """Name the servers for want of which a test was skipped."""
    return {
        name.lower() for name in re.findall(r"\bEDS_TEST_([A-Z]+)(?:_URL)?\b", reason)
    }


def insist(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not report.skipped or not isinstance(report.longrepr, tuple):
        return
    path, line, reason = report.longrepr
    if missing := sorted(wanting(reason) & required()):
        report.outcome = "failed"
        why = f"{VARIABLE} asks for {', '.join(missing)}"
        report.longrepr = f"{path}:{line}: {reason} ({why})"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[
    None, pytest.TestReport, pytest.TestReport
]:
    report = yield
    insist(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[
    None, pytest.CollectReport, pytest.CollectReport
]:
    report = yield
    insist(report)
    return report
