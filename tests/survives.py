"""What EDS survives, as a page of the documentation, written by the tests.

A test says with ``@pytest.mark.survives(fault, how, then)`` what it does to a server
and what happens. With EDS_TEST_SURVIVES=FILE the page is written, from those that
passed, in whatever process they ran.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

HEADING = """\
# What EDS survives

Each line is a fault that a test makes happen to a real server, a real nats-server and
a real database; afterwards every table is compared with what the shop has. This page
is written by the tests themselves, from those that passed:

```console
$ .venv/bin/nox -s faults
```

| fault | how it is made | what happens | runs |
|---|---|---|---|
"""


DATABASES = {"sqlite": "SQLite", "postgres": "PostgreSQL", "mariadb": "MariaDB"}


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "survives(fault, how, then): a line of 'What EDS survives'"
    )
    place = os.environ.get("EDS_TEST_SURVIVES")
    if place and not hasattr(config, "workerinput"):  # one of them writes it: the first
        config.pluginmanager.register(Page(Path(place)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    marker = item.get_closest_marker("survives")
    if marker is not None and report.when == "call":
        told = {"line": marker.args, "on": _runs_on(item)}
        report.user_properties.append(("survives", told))
    return report


def _runs_on(item):
    """The database of the test, as its name, its class or its fixtures have it."""
    names = " ".join([item.nodeid.lower(), *item.fixturenames])
    return next((title for name, title in DATABASES.items() if name in names), "")


class Page:
    """Gathers results, from wherever the tests have run."""

    def __init__(self, place):
        self._place = place
        self._results = {}
        self._failed = set()

    def pytest_runtest_logreport(self, report):
        for name, told in report.user_properties:
            if name == "survives" and report.when == "call":
                line = tuple(told["line"])
                counts = self._results.setdefault(line, Counter())
                counts[told["on"]] += report.passed
                if report.failed:
                    self._failed.add(line)

    def pytest_sessionfinish(self):
        lines = [
            f"| {' | '.join(line)} | {_told(counts)} |"
            for line, counts in sorted(self._results.items())
            if line not in self._failed and counts.total()
        ]
        self._place.write_text(HEADING + "\n".join(lines) + "\n")


def _told(counts):
    return ", ".join(
        f"{name} {count}".strip() for name, count in sorted(counts.items())
    )
