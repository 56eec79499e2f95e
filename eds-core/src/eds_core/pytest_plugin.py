"""What pytest has to know of the conformance kit before it collects a test.

Loaded by every pytest where eds-core is installed, so it imports the kit, and what
the kit needs, only when a test class makes use of it.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .errors import ConfigError

if TYPE_CHECKING:
    from .testing.report import Record
    from .testing.shop import Shop, Traces
    from .testing.suite import Suite
    from .testing.sweeping import FirstLook

_OPTION = "--conformance-report"
_ONLY = "--conformance-layer"
_VARIABLE = "EDS_CONFORMANCE_REPORT"
_CACHE = "eds/conformance/speed"
_LAYERS = "eds_core.testing.layers."


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("eds", "EDS driver conformance").addoption(
        _OPTION,
        metavar="PATH",
        default=os.environ.get(_VARIABLE),
        help=f"write what the conformance kit finds as JSON (also {_VARIABLE})",
    )

    parser.getgroup("eds").addoption(
        _ONLY,
        metavar="LAYER",
        action="append",
        help="of conformance suites, run this layer only (may be given repeatedly)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "eds_needs(*what): what a driver needs for a test to apply"
    )
    config.pluginmanager.register(Reporter(config), "eds-conformance-reporter")


def suite_of(item: pytest.Item) -> type[Suite] | None:
    """The conformance suite that *item* is a test of."""
    cls = getattr(item, "cls", None)
    is_suite = isinstance(cls, type) and hasattr(cls, "driver_class")
    return cls if is_suite and hasattr(cls, "given_url") else None


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    if wanted := config.getoption(_ONLY):
        other = [item for item in items if suite_of(item) and _part(item) not in wanted]
        config.hook.pytest_deselected(items=other)
        items[:] = [item for item in items if item not in other]
    for item in items:
        if suite := suite_of(item):
            for reason in _opt_outs(suite, item):
                item.add_marker(pytest.mark.skip(reason=reason))


def _opt_outs(suite: type[Suite], item: pytest.Item) -> Iterator[str]:
    """Why *item* does not apply. Of a driver that cannot be found, its tests tell."""
    with suppress(ConfigError):
        yield from _reasons(suite, item)


def _reasons(suite: type[Suite], item: pytest.Item) -> Iterator[str]:
    for name in (_name(item), item.name):
        if name in suite.skips:
            yield suite.skips[name]
            break
    for marker in item.iter_markers("eds_needs"):
        for what in marker.args:
            if reason := suite.lacking(what):
                yield reason


def _name(item: pytest.Item) -> str:
    """The test's name without parameters."""
    return str(getattr(item, "originalname", item.name))


def _part(item: pytest.Item) -> str | None:
    """The layer that a test of a suite comes from; None: it is the author's own."""
    module = str(getattr(getattr(item, "function", None), "__module__", ""))
    return module.removeprefix(_LAYERS) if module.startswith(_LAYERS) else None


def _lacks_database(
    suite: type[Suite], item: pytest.Item, report: pytest.TestReport
) -> bool:
    """Whether *item* was skipped by the fixture that should have found a database."""
    asks = "destination_url" in getattr(item, "fixturenames", ())
    skipped = report.when == "setup" and report.skipped
    return asks and skipped and not any(_opt_outs(suite, item))


class Reporter:
    """Collects what the suites' tests find out, for the header, the end and JSON."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._records: dict[type[Suite], Record] = {}
        self._speeds: list[str] = []

    def record_of(self, suite: type[Suite]) -> Record:
        from .testing.report import Record

        return self._records.setdefault(suite, Record(suite))

    def pytest_report_collectionfinish(self, items: Sequence[pytest.Item]) -> list[str]:
        """The opt-outs, with how many tests each concerns."""
        told: dict[str, int] = {}
        for item in items:
            if suite := suite_of(item):
                for reason in list(_opt_outs(suite, item))[:1]:
                    line = f"conformance of {suite.title()}: not tested: {reason}"
                    told[line] = told.get(line, 0) + 1
        return [f"{line} ({count})" for line, count in told.items()]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        suite, part = suite_of(item), _part(item)
        if suite and part:
            self._take(self.record_of(suite), part, item, report)
        return report

    def _take(
        self, record: Record, part: str, item: pytest.Item, report: pytest.TestReport
    ) -> None:
        if report.when == "call" or not report.passed:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            reason = reason.removeprefix("Skipped: ")
            lacks = _lacks_database(record.suite, item, report)
            outcome = "not run" if lacks else report.outcome
            record.add(part, _name(item), outcome, reason)
        if report.when == "call":
            for name, told in report.user_properties:
                record.note(name, told)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for record in self._records.values():
            for line in self._compared(record.suite.title(), record.speed):
                terminalreporter.write_line(line)
            if failed := record.failed:
                from .testing.guide import advice

                line = advice(record.suite.title(), failed)
                terminalreporter.write_line(line, yellow=True)

    def _compared(self, title: str, speed: Mapping[str, int]) -> Iterator[str]:
        """Rows per second, beside those of the last run on this machine."""
        cache = getattr(self._config, "cache", None)
        last: dict[str, int] = cache.get(f"{_CACHE}/{title}", {}) if cache else {}
        for shape, rate in speed.items():
            line = f"conformance of {title}: {shape}: {rate:,} rows/s"
            if before := last.get(shape):
                line += f" (last run {before:,}: {100 * rate / before - 100:+.0f} %)"
            yield line
        if cache and speed:
            cache.set(f"{_CACHE}/{title}", {**last, **speed})

    def pytest_sessionfinish(self) -> None:
        path = self._config.getoption(_OPTION)
        if path and self._records:
            from .testing.report import save

            save(Path(path), list(self._records.values()))


@pytest.fixture(scope="class")
def destination_url(request: pytest.FixtureRequest) -> str:
    """The database that a suite's class is tested on. Override it, or set ``url``."""
    suite: type[Suite] = request.cls
    if url := suite.given_url():
        return url
    pytest.skip(f"no {suite.driver_class().title} here: set {suite.variable()}")


@pytest.fixture(scope="class")
def _conformance(
    request: pytest.FixtureRequest, destination_url: str
) -> Iterator[tuple[Traces, FirstLook]]:
    from .testing.sweeping import swept

    with swept(request.cls(), destination_url) as both:
        reporter = request.config.pluginmanager.getplugin("eds-conformance-reporter")
        reporter.record_of(request.cls).tested_on = both[1].tested_on
        yield both


@pytest.fixture(scope="class")
def conformance_traces(_conformance: tuple[Traces, FirstLook]) -> Traces:
    """What the suite's tests leave in the database, to be removed at the end."""
    return _conformance[0]


@pytest.fixture(scope="class")
def conformance_shop(
    request: pytest.FixtureRequest, destination_url: str, conformance_traces: Traces
) -> Iterator[Shop]:
    """One connection for many small tests: a login may take longer than they do."""
    suite: Suite = request.cls()
    with suite.opened(destination_url, conformance_traces) as shop:
        yield shop


@pytest.fixture(scope="class")
def first_look(_conformance: tuple[Traces, FirstLook]) -> FirstLook:
    """What the database looked like before anything was made in it."""
    return _conformance[1]
