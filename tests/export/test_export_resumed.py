"""Exports that were interrupted are gone on with; nothing is fetched twice."""

import pytest

from eds_core.errors import ConfigError, EdsError
from eds_core.sandbox.http_server import Reply
from export.harness import (
    Watch,
    downloads,
    expected,
    export_from,
    log_of,
    requests,
    rows,
    serving,
)

PRESIGN = "/v3/export/presigned_url"


@pytest.fixture
def api(tmp_path):
    with serving(tmp_path) as running:
        yield running


def test_waiting_has_an_end_and_the_next_call_goes_on(api, tmp_path):
    api.faults.not_yet = 3
    with pytest.raises(EdsError, match="given up after 1 s"):
        export_from(api, tmp_path / "out", "label", wait=1)

    (path,) = export_from(api, tmp_path / "out", "label").paths

    assert rows(path) == expected(api, "label")
    assert len(requests(api, "POST", "/v3/export")) == 1


def test_what_is_complete_is_not_fetched_again(api, tmp_path):
    api.faults.refused.extend([Reply(403)] * 4)
    with pytest.raises(EdsError):  # one of the two, whichever comes first
        export_from(api, tmp_path / "out", "label", "order", bulk=True, jobs=1)

    exported = export_from(api, tmp_path / "out", "label", "order", bulk=True)

    assert [rows(path) for path in exported.paths] == [
        expected(api, "label"),
        expected(api, "order"),
    ]
    assert len(requests(api, "POST", "/v3/export/bulk")) == 1
    assert len([a for a in downloads(api) if "-order-" in a.path]) == 1


def test_another_request_begins_anew_and_says_so(api, tmp_path, caplog):
    api.faults.not_yet = 5
    with pytest.raises(EdsError):
        export_from(api, tmp_path / "out", "label", wait=1)
    api.faults.not_yet = 0

    with log_of(caplog):
        (path,) = export_from(api, tmp_path / "out", "order").paths

    assert rows(path) == expected(api, "order")
    assert "an unfinished export of label is dropped" in caplog.text


def test_a_job_that_the_service_has_forgotten_is_told(api, tmp_path):
    api.faults.not_yet = 9
    with pytest.raises(EdsError):
        export_from(api, tmp_path / "out", "label", bulk=True, wait=1)
    api.faults.replies.append(Reply(404, {"success": False, "message": "gone"}))

    with pytest.raises(EdsError, match=r"job-1: 404, gone") as caught:
        export_from(api, tmp_path / "out", "label", bulk=True)

    assert "--fresh" in caught.value.advice


def test_fresh_begins_anew(api, tmp_path):
    api.faults.not_yet = 5
    with pytest.raises(EdsError):
        export_from(api, tmp_path / "out", "label", wait=1)
    api.faults.not_yet = 0

    export_from(api, tmp_path / "out", "label", fresh=True)

    assert len(requests(api, "POST", "/v3/export")) == 2


def test_a_part_is_continued_by_the_next_call(api, tmp_path):
    api.faults.cuts.append(500)
    _break_off(api, tmp_path / "out")

    (path,) = export_from(api, tmp_path / "out", "order").paths

    assert rows(path) == expected(api, "order")
    last = downloads(api)[-1].headers
    assert last["Range"] == "bytes=500-"
    assert last["If-Range"].startswith('"')


def _break_off(api, directory):
    """End an export after its first piece, as a crash would."""

    class Crash(Watch):
        def moved(self, *_):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_from(api, directory, "order", progress=Crash())


def test_a_part_of_another_file_is_not_continued(api, tmp_path):
    api.faults.cuts.append(500)
    _break_off(api, tmp_path / "out")
    (tag,) = (tmp_path / "out").glob(".eds-export-*.tag")
    tag.write_text('"of-another-file"')

    (path,) = export_from(api, tmp_path / "out", "order").paths

    assert rows(path) == expected(api, "order")


def test_two_exports_do_not_fill_one_folder(api, tmp_path):
    class Second(Watch):
        def moved(self, name, done, total):
            with pytest.raises(ConfigError, match="another export is filling"):
                export_from(api, tmp_path / "out", "label")
            super().moved(name, done, total)

    watch = Second()
    export_from(api, tmp_path / "out", "order", progress=watch)

    assert watch.complete
