"""What pytest has to know of the conformance kit before it collects a test.

Loaded by every pytest where eds-core is installed, so it imports the kit, and what
the kit needs, only when a test class makes use of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .testing.shop import Traces
    from .testing.suite import Suite
    from .testing.sweeping import FirstLook


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "eds_needs(*what): what a driver needs for a test to apply"
    )


def suite_of(item: pytest.Item) -> type[Suite] | None:
    """The conformance suite that *item* is a test of."""
    cls = getattr(item, "cls", None)
    is_suite = isinstance(cls, type) and hasattr(cls, "driver_class")
    return cls if is_suite and hasattr(cls, "given_url") else None


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    for item in items:
        if suite := suite_of(item):
            for reason in _opt_outs(suite, item):
                item.add_marker(pytest.mark.skip(reason=reason))


def _opt_outs(suite: type[Suite], item: pytest.Item) -> Iterator[str]:
    name = getattr(item, "originalname", item.name)
    if name in suite.skips:
        yield suite.skips[name]
    for marker in item.iter_markers("eds_needs"):
        for what in marker.args:
            if reason := suite.lacking(what):
                yield reason


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
        yield both


@pytest.fixture(scope="class")
def conformance_traces(_conformance: tuple[Traces, FirstLook]) -> Traces:
    """What the suite's tests leave in the database, to be removed at the end."""
    return _conformance[0]


@pytest.fixture(scope="class")
def first_look(_conformance: tuple[Traces, FirstLook]) -> FirstLook:
    """What the database looked like before anything was made in it."""
    return _conformance[1]
