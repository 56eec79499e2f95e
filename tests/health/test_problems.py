"""The log's warnings are kept, once each, and no row's values among them."""

import logging

import pytest

from eds_core.health.problems import Problems


@pytest.fixture
def problems():
    handler, logger = Problems(), logging.getLogger("eds")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def texts(problems):
    return [problem.text for problem in problems.latest()]


def test_warnings_and_errors_are_kept_the_newest_first(problems):
    log = logging.getLogger("eds.pipeline")
    log.warning("first %s", "one")
    log.info("not this")
    log.error("second")

    assert texts(problems) == ["second", "first one"]
    assert [problem.level for problem in problems.latest()] == ["error", "warning"]


def test_what_repeats_is_kept_once_and_comes_up_again(problems):
    log = logging.getLogger("eds")
    for text in ("a", "b", "a"):
        log.warning(text)

    assert texts(problems) == ["a", "b"]
    assert problems.latest()[0].count == 2


@pytest.mark.parametrize("name", ["eds.writer", "eds.quarantine"])
def test_what_quotes_rows_is_left_out(problems, name):
    logging.getLogger(name).warning("the value 'Jane Doe' does not fit")

    assert texts(problems) == []


def test_there_is_an_end_to_what_is_kept(problems):
    log = logging.getLogger("eds")
    for number in range(200):
        log.warning("%d %s", number, "x" * 10_000)

    assert len(problems.latest()) == 50
    assert problems.latest()[0].text.startswith("199 ")
    assert max(map(len, texts(problems))) <= 500
