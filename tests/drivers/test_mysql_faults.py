"""What MySQL's and MariaDB's error numbers make the pipeline do."""

from __future__ import annotations

import pymysql
import pytest

from eds_core.errors import (
    ConflictError,
    FatalError,
    RejectedError,
    TableError,
    TransientError,
)
from eds_core.sql.errors import ANSWERS, decide
from eds_driver_mysql.faults import read_fault


def decided(number, text="Something at row 3", **more):
    return decide(
        read_fault(pymysql.err.OperationalError(number, text, **more)), ANSWERS
    )


@pytest.mark.parametrize(
    ("numbers", "answer"),
    [
        ((1205, 1317, 1969, 3024), TransientError),  # locks, limits, cancelled
        ((1213,), ConflictError),  # a deadlock
        ((2003, 2006, 2013, 1927, 4031, 1053), TransientError),  # the connection
        ((1114, 1021, 1040, 1290, 1792), TransientError),  # full, read-only
        ((1062, 1264, 1292, 1366, 1406, 3140, 4025, 1644), RejectedError),
        ((1142, 1044, 1146, 1054, 1048, 1364, 1452, 3819, 1118), TableError),
        ((1045, 1049, 1130, 1153, 1665, 2026), FatalError),
    ],
)
def test_each_number_has_its_answer(numbers, answer):
    for number in numbers:
        assert type(decided(number)) is answer, number


def test_a_number_that_is_not_known_goes_by_its_sqlstate():
    assert isinstance(decided(9999, sqlstate="40001"), TransientError)
    assert isinstance(decided(9999, sqlstate="22012"), RejectedError)
    assert isinstance(decided(9999), FatalError)


@pytest.mark.parametrize(
    ("number", "said", "name"),
    [
        (1062, "Duplicate entry 'it's Jane' for key 'thing.mine'", "mine"),
        (1062, "Duplicate entry 'Jane' for key 'mine'", "mine"),
        (1366, "Incorrect integer value: 'Jane' for column `d`.`t`.`n` at row 1", "n"),
        (1366, "Incorrect string value: '\\xF0Jane' for column 'n' at row 12", "n"),
        (1264, "Out of range value for column 'n' at row 1", "n"),
        (1292, "Incorrect date value: 'Jane' for column 'n' at row 2", "n"),
        (9998, 'Something "Jane" and \'Jane', ""),
    ],
)
def test_names_are_told_and_values_are_not(number, said, name):
    fault = read_fault(pymysql.err.DataError(number, said))

    assert fault.names == name
    assert "Jane" not in f"{fault.text} {fault.signature}"
    assert "at row" not in fault.text


def test_a_limit_of_connections_is_told_by_its_name():
    said = "User 'eds' has exceeded the 'max_user_connections' resource (current: 1)"

    assert (
        "exceeded the 'max_user_connections'"
        in read_fault(pymysql.err.OperationalError(1226, said)).text
    )


def test_what_is_no_answer_of_a_server_is_a_lost_connection():
    for error in (
        pymysql.err.InterfaceError(0, ""),
        pymysql.err.InternalError("Packet sequence number wrong - got 1 expected 2"),
    ):
        assert isinstance(decide(read_fault(error), ANSWERS), TransientError)
