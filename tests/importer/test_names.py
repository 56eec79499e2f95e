"""What a file's name says."""

import pytest

from eds_core.errors import ConfigError
from eds_core.event import Version
from eds_core.importer.names import Told, read_moment, read_name
from eds_core.sandbox.exports import export_name

TIME = 1_720_890_652_808_024_600


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("order.json.gz", "order"),
        ("./x/workflow_status.json.gz", "workflow_status"),
        ("customer.jsonl", "customer"),
        ("customer.JSONL.GZ", "customer"),
        ("customer (1).json.gz", "customer"),
        ("label", "label"),
        ("downloaded_file.gz", "downloaded_file"),
        ("a\\b\\tire.ndjson", "tire"),
        ("2025-export.json", ""),
    ],
)
def test_the_table_is_the_name_without_endings(name, table):
    assert read_name(name).table == table


@pytest.mark.parametrize(
    ("name", "is_export"),
    [
        ("order.json.gz", True),
        ("order.ndjson", True),
        ("downloaded_file.gz", False),
        ("readme.md", False),
        ("label", False),
    ],
)
def test_endings_of_json_lines_are_told_from_others(name, is_export):
    assert read_name(name).is_export is is_export


def test_a_changefeeds_name_tells_the_version_of_its_rows():
    told = read_name(export_name("labor_rate", TIME))

    assert told == Told("labor_rate", Version(TIME), is_export=True)


def test_the_counter_in_a_changefeeds_name_counts():
    name = "202407131650522808024600000000007-c72-1-651-00000000-labor_rate-2.ndjson.gz"

    assert read_name(name).snapshot == Version(1_720_889_452_280_802_460, 7)


def test_a_changefeeds_name_with_an_impossible_date_is_refused():
    name = "202413131650522808024600000000007-c72-1-651-00000000-labor_rate-2.ndjson.gz"

    with pytest.raises(ConfigError, match="is no date and time"):
        read_name(name)


@pytest.mark.parametrize(
    ("text", "wall"),
    [
        ("2024-07-13T16:50:52.280Z", 1_720_889_452_280_000_000),
        ("2024-07-13T16:50:52.280802469Z\n", 1_720_889_452_280_802_000),
        ("2024-07-13T18:50:52+02:00", 1_720_889_452_000_000_000),
        ("2024-07-13 16:50:52", 1_720_889_452_000_000_000),
        ("Sat, 13 Jul 2024 16:50:52 GMT", 1_720_889_452_000_000_000),
    ],
)
def test_a_moment_is_iso_8601_or_as_http_has_it(text, wall):
    assert read_moment(text, "here") == Version(wall)


def test_what_is_no_moment_is_refused_with_its_place():
    with pytest.raises(ConfigError, match="--snapshot-time: 'soon' is no date"):
        read_moment("soon", "--snapshot-time")
