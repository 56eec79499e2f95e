"""Exports over real HTTP: what is asked for, and what comes of it."""

import re
import stat
import time
from datetime import UTC, datetime, timedelta

import pytest

from eds_core.catalogue import all_tables
from eds_core.errors import ConfigError, EdsError
from eds_core.export.api import MARGIN
from eds_core.sandbox import COMPANY, Shop
from eds_core.sandbox.export_api import KEY
from eds_core.sandbox.http_server import Reply
from export.harness import (
    downloads,
    expected,
    export_from,
    log_of,
    requests,
    rows,
    serving,
    zipped_rows,
)

PRESIGN = "/v3/export/presigned_url"


@pytest.fixture
def api(tmp_path):
    with serving(tmp_path) as running:
        yield running


def test_one_table_is_one_file_with_the_shops_rows(api, tmp_path):
    exported = export_from(api, tmp_path / "out", "order")

    (path,) = exported.paths
    assert path.parent == tmp_path / "out"
    assert path.name.endswith("-order-2.ndjson.gz")
    assert rows(path) == expected(api, "order")
    assert len(rows(path)) > 3


def test_several_tables_are_one_zip_as_the_service_makes_it(api, tmp_path):
    (path,) = export_from(api, tmp_path / "out", "order", "label").paths

    order, label = zipped_rows(path).values()
    assert (order, label) == (expected(api, "order"), expected(api, "label"))


def test_no_table_means_all(api, tmp_path):
    (path,) = export_from(api, tmp_path / "out").paths

    assert len(zipped_rows(path)) == len(all_tables())


def test_a_bulk_export_has_a_file_for_each_table_with_rows(api, tmp_path):
    exported = export_from(api, tmp_path / "out", "order", "customer", bulk=True)

    customer, order = exported.paths
    assert rows(customer) == expected(api, "customer")
    assert rows(order) == expected(api, "order")


def test_a_bulk_export_of_all_names_the_tables_without_rows(tmp_path):
    shop = Shop(1, [COMPANY])
    shop.insert("label")
    with serving(tmp_path, shop) as api:
        exported = export_from(api, tmp_path / "out", bulk=True)

    assert len(exported.paths) == 1
    assert sorted([*exported.empty, "label"]) == sorted(all_tables())


def test_a_table_that_the_service_fails_at_does_not_stop_the_others(api, tmp_path):
    api.faults.failed = {"order": "took too long"}

    exported = export_from(api, tmp_path / "out", "order", "label", bulk=True)

    assert exported.failed == {"order": "took too long"}
    assert [rows(path) for path in exported.paths] == [expected(api, "label")]


@pytest.mark.parametrize(
    ("tables", "reason"),
    [
        ({}, "the service does not mention it"),
        ({"label": {"status": "Pending"}}, "its status is Pending"),
        ({"label": {"status": "Failed", "error": ""}}, "its status is Failed"),
    ],
)
def test_a_table_that_a_job_ends_without_has_failed(api, tmp_path, tables, reason):
    api.faults.replies.append(Reply(200, {"data": {"jobId": "1"}}))
    api.faults.replies.append(
        Reply(200, {"data": {"completed": True, "tables": tables}})
    )

    exported = export_from(api, tmp_path / "out", "label", bulk=True)

    assert exported.failed == {"label": reason}


def test_files_are_for_their_owner_only(api, tmp_path):
    (path,) = export_from(api, tmp_path / "new" / "out", "label").paths

    modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_nothing_is_left_but_the_files_and_their_snapshots(api, tmp_path):
    (path,) = export_from(api, tmp_path / "out", "label").paths

    left = sorted(file.name for file in path.parent.iterdir())
    assert left == [".eds-export.lock", path.name, f"{path.name}.snapshot"]


def test_the_body_is_made_anew_for_each_try(api, tmp_path):
    api.faults.replies.extend([Reply(503), Reply(502)])

    export_from(api, tmp_path / "out", "label")

    bodies = [asked.body for asked in requests(api, "POST", "/v3/export")]
    assert bodies == [b'{"tables":["label"]}'] * 3


def test_the_file_is_awaited(api, tmp_path):
    api.faults.not_yet = 2

    (path,) = export_from(api, tmp_path / "out", "label").paths

    assert rows(path) == expected(api, "label")
    assert len(downloads(api)) == 3
    assert len(requests(api, "POST", PRESIGN)) == 1


def test_a_file_that_cannot_be_signed_for_yet_is_awaited(api, tmp_path):
    started = {"success": True, "data": {"fileName": "label.json.gz"}}
    api.faults.replies.append(Reply(200, started))
    api.faults.replies.append(Reply(404, {"success": False}))

    with pytest.raises(EdsError, match="not there yet"):
        export_from(api, tmp_path / "out", "label", wait=1.5)

    assert len(requests(api, "POST", PRESIGN)) >= 2


def test_a_bulk_job_is_awaited(api, tmp_path):
    api.faults.not_yet = 2

    (path,) = export_from(api, tmp_path / "out", "label", bulk=True).paths

    assert rows(path) == expected(api, "label")


def test_a_rate_limit_is_kept(api, tmp_path):
    api.faults.replies.append(Reply(429, headers={"Retry-After": "2"}))
    began = time.monotonic()

    export_from(api, tmp_path / "out", "label")

    assert time.monotonic() - began >= 2


def test_a_rate_limit_beyond_patience_is_told(api, tmp_path):
    api.faults.replies.append(Reply(429, headers={"Retry-After": "3600"}))

    with pytest.raises(EdsError, match="not before 3600 s from now"):
        export_from(api, tmp_path / "out", "label")


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key_is_told_and_not_shown(api, tmp_path, status):
    api.faults.replies.append(
        Reply(status, {"message": "bad key s3cret-key", "success": False})
    )

    with pytest.raises(ConfigError) as caught:
        export_from(api, tmp_path / "out", "label", key="s3cret-key")

    told = f"{caught.value} {caught.value.advice}"
    assert f"does not accept the key: /v3/export: {status}, bad key ***" in told
    assert "request-1" in told
    assert "s3cret" not in told


def test_an_unknown_table_is_told_with_what_may_be_meant(api, tmp_path):
    with pytest.raises(ConfigError) as caught:
        export_from(api, tmp_path / "out", "order", "lables")

    assert "Invalid tables: lables" in str(caught.value)
    assert "lables: did you mean label?" in caught.value.advice
    assert "order:" not in caught.value.advice


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(200, b"<html>"), "not what the export API says"),
        (Reply(200, {"success": True, "data": {}}), "not what the export API says"),
        (Reply(200, {"success": False, "message": "no"}), "could not do it"),
        (Reply(404, b"<html>Not Found</html>"), "does not answer as it should"),
        (Reply(302, headers={"Location": "https://evil.example/"}), "302"),
    ],
)
def test_an_answer_that_is_none_is_told(api, tmp_path, reply, words):
    api.faults.replies.append(reply)

    with pytest.raises(EdsError, match=words):
        export_from(api, tmp_path / "out", "label")


def test_neither_key_nor_signature_is_logged(api, tmp_path, caplog):
    api.faults.cuts.append(500)
    api.faults.uses = 1
    api.faults.replies.append(Reply(500, b"no"))

    with log_of(caplog):
        export_from(api, tmp_path / "out", "order")

    assert "again in" in caplog.text
    assert KEY not in caplog.text
    assert "Signature" not in caplog.text


def test_the_snapshot_is_earlier_than_the_request_by_the_services_clock(api, tmp_path):
    day = timedelta(days=1)
    before = datetime.now(UTC) - day
    api.faults.date = lambda: time.time() - day.total_seconds()
    api.faults.late = 1.5  # the rows are read at once, the answer is dated later

    (path,) = export_from(api, tmp_path / "out", "label").paths

    text = path.with_name(f"{path.name}.snapshot").read_text()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n", text)
    found = datetime.fromisoformat(text.strip())
    assert before - timedelta(seconds=30) < found <= before - MARGIN


def test_the_snapshot_is_earlier_than_the_first_of_several_tries(api, tmp_path):
    before = datetime.now(UTC)
    api.faults.replies.append(Reply(503, headers={"Retry-After": "2"}))

    exported = export_from(api, tmp_path / "out", "label")

    assert exported.snapshot <= before - MARGIN


def test_without_a_date_there_is_no_snapshot(api, tmp_path):
    api.faults.date = None

    exported = export_from(api, tmp_path / "out", "label")

    assert exported.snapshot is None
    assert not list((tmp_path / "out").glob("*.snapshot"))
