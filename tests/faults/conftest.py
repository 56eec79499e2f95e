"""Destinations for the fault suite, and its results as a page of the documentation.

A test says with ``@pytest.mark.survives(fault, how, then)`` what it does to a server
and what happens. With EDS_TEST_SURVIVES=FILE the page is written, from those that
passed.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from faults.victims import Mariadb, Postgres

HEADING = """\
---
orphan: true
---

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
RESULTS = pytest.StashKey[dict]()
FAILED = pytest.StashKey[set]()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request):
    """The URL of an empty destination, of each kind in turn."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture(params=[Postgres, Mariadb], ids=["postgres", "mariadb"])
def victim(request):
    """A database of each kind in turn, on a server that may be ill-treated."""
    kind = request.param
    server = request.getfixturevalue(kind.fixture)
    yield kind(server, server.new_database())
    server.start()
    server.drop_databases()


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "survives(fault, how, then): a line of 'What EDS survives'"
    )
    config.stash[RESULTS] = {}
    config.stash[FAILED] = set()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    marker = item.get_closest_marker("survives")
    if marker is not None and report.when == "call":
        if report.passed:
            results = item.config.stash[RESULTS]
            results.setdefault(marker.args, Counter())[_runs_on(item)] += 1
        else:
            item.config.stash[FAILED].add(marker.args)
    return report


def _runs_on(item):
    """The database of the test, as its parameter or fixtures have it."""
    chosen = item.callspec.params.values() if hasattr(item, "callspec") else ()
    names = " ".join(map(str, [*chosen, *item.fixturenames]))
    return next((title for name, title in DATABASES.items() if name in names), "")


def pytest_sessionfinish(session):
    place = os.environ.get("EDS_TEST_SURVIVES")
    if not place:
        return
    failed = session.config.stash[FAILED]
    lines = [
        f"| {fault} | {how} | {then} | {_told(counts)} |"
        for (fault, how, then), counts in session.config.stash[RESULTS].items()
        if (fault, how, then) not in failed
    ]
    Path(place).write_text(HEADING + "\n".join(lines) + "\n")


def _told(counts):
    return ", ".join(f"{name} {count}".strip() for name, count in counts.items())
