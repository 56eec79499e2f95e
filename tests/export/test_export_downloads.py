"""Downloads over real HTTP that break off, expire, are damaged or not ours."""

import gzip
from threading import Event

import pytest

from eds_core.errors import EdsError
from eds_core.export.download import Download
from eds_core.export.http import Http
from eds_core.export.patience import Patience
from eds_core.sandbox.http_server import Reply
from export.harness import (
    Watch,
    downloads,
    expected,
    export_from,
    requests,
    rows,
    serving,
)

PRESIGN = "/v3/export/presigned_url"


@pytest.fixture
def api(tmp_path):
    with serving(tmp_path) as running:
        yield running


def test_a_download_that_breaks_off_is_continued_in_the_middle(api, tmp_path):
    api.faults.cuts.extend([500, 300])

    (path,) = export_from(api, tmp_path / "out", "order").paths

    begun = [asked.headers.get("Range") for asked in downloads(api)]
    assert rows(path) == expected(api, "order")
    assert begun == [None, "bytes=500-", "bytes=800-"]


def test_storage_that_cannot_continue_begins_anew(api, tmp_path):
    api.faults.cuts.extend([500])
    api.faults.ranges = False

    (path,) = export_from(api, tmp_path / "out", "order").paths

    assert rows(path) == expected(api, "order")


def test_a_download_without_a_length_is_checked_by_its_content(api, tmp_path):
    api.faults.announced = False
    api.faults.cuts.append(500)

    (path,) = export_from(api, tmp_path / "out", "order").paths

    assert rows(path) == expected(api, "order")
    assert len(downloads(api)) == 2


def test_an_address_that_expires_is_replaced_and_the_file_continued(api, tmp_path):
    api.faults.uses = 1
    api.faults.cuts.append(500)

    (path,) = export_from(api, tmp_path / "out", "order").paths

    assert rows(path) == expected(api, "order")
    assert len(requests(api, "POST", PRESIGN)) == 2
    assert downloads(api)[-1].headers["Range"] == "bytes=500-"


def test_a_bulk_address_that_expires_is_asked_for_again(api, tmp_path):
    api.faults.uses = 1
    api.faults.cuts.append(500)

    (path,) = export_from(api, tmp_path / "out", "order", bulk=True).paths

    assert rows(path) == expected(api, "order")
    assert len(requests(api, "GET", "/v3/export/bulk/job-1")) == 2


def test_storage_that_refuses_every_address_is_told(api, tmp_path):
    api.faults.refused.extend([Reply(403)] * 4)

    with pytest.raises(EdsError, match="the storage answers 403"):
        export_from(api, tmp_path / "out", "label")


def test_a_damaged_file_is_fetched_again(api, tmp_path):
    api.faults.damaged = 1

    (path,) = export_from(api, tmp_path / "out", "order").paths

    assert rows(path) == expected(api, "order")


def test_a_file_that_stays_damaged_is_never_delivered(api, tmp_path):
    api.faults.damaged = 3

    with pytest.raises(EdsError, match=r"gzip file .*, 3 times"):
        export_from(api, tmp_path / "out", "order")

    assert not list((tmp_path / "out").glob("*order*"))


def test_a_redirect_of_the_storage_is_followed_without_the_key(api, tmp_path):
    target = {"Location": "/elsewhere"}
    api.faults.refused.append(Reply(307, headers=target))
    api.faults.replies.append(Reply(200, {"data": {"fileName": "label"}}))
    api.faults.replies.append(Reply(200, {"data": {"url": f"{api.url}/files/x?s=1"}}))
    api.faults.replies.append(Reply(200, b'{"id":"1"}\n'))

    (path,) = export_from(api, tmp_path / "out", "label").paths

    (followed,) = requests(api, "GET", "/elsewhere")
    assert path.read_bytes() == b'{"id":"1"}\n'
    assert path.name == "label.json"
    assert "Authorization" not in followed.headers


def test_a_redirect_into_clear_text_is_not_followed(api, tmp_path):
    api.faults.refused.append(
        Reply(302, headers={"Location": "http://storage.example/f?X-Signature=abc"})
    )

    with pytest.raises(EdsError, match=r"sent on to http://storage.example/f, ") as no:
        export_from(api, tmp_path / "out", "label")

    assert "abc" not in str(no.value)


def test_a_file_is_not_fetched_in_clear_text_from_elsewhere(api, tmp_path):
    url = "http://storage.example/file?X-Signature=abc"
    api.faults.replies.append(Reply(200, {"data": {"fileName": "label"}}))
    api.faults.replies.append(Reply(200, {"data": {"url": url}}))

    with pytest.raises(EdsError, match="in clear text") as caught:
        export_from(api, tmp_path / "out", "label")

    assert "abc" not in str(caught.value)


def test_the_storage_never_sees_the_key(api, tmp_path):
    export_from(api, tmp_path / "out", "label")

    assert not any("Authorization" in asked.headers for asked in downloads(api))


def test_progress_is_told_with_the_total(api, tmp_path):
    api.faults.chunk = 1000
    watch = Watch()

    (path,) = export_from(api, tmp_path / "out", "order", progress=watch).paths

    size = path.stat().st_size
    assert watch.done[-1] == (path.name, size, size)
    assert watch.complete == [path.name]


@pytest.mark.parametrize(
    ("remote", "local"),
    [
        ("EXAMPLE_FILE_NAME", "label.EXAMPLE_FILE_NAME.json.gz"),
        ("../../etc/passwd", "label.passwd.json.gz"),
        ("exports/label.json.gz", "label.json.gz"),
        ("exports/2026.01/0001", "label.0001.json.gz"),
        (".hidden file\n", "label.hidden_file_.json.gz"),
    ],
)
def test_the_file_here_is_named_for_its_table_and_stays_in_its_folder(
    tmp_path, remote, local
):
    with serving(tmp_path, file_name=lambda _: remote) as api:
        url = f"{api.url}/file"
        export = Reply(200, {"data": {"fileName": remote}})
        address = Reply(200, {"data": {"url": url}})
        content = Reply(200, gzip.compress(b'{"id":"1"}\n'))
        api.faults.replies.extend([export, address, content])

        (path,) = export_from(api, tmp_path / "out", "label").paths

    assert path.parent == tmp_path / "out"
    assert path.name == local


def test_a_web_page_is_no_export(api, tmp_path):
    page = Reply(200, b"<!doctype html><title>Log in</title>")
    api.faults.refused.extend([page] * 3)

    with pytest.raises(EdsError, match="a web page"):
        export_from(api, tmp_path / "out", "label")


def test_a_folder_that_cannot_be_written_is_told(api, tmp_path):
    tmp_path.joinpath("out").write_text("a file")

    with pytest.raises(EdsError, match="cannot write"):
        export_from(api, tmp_path / "out", "label")


def test_beginning_anew_again_and_again_has_an_end(api, tmp_path):
    (whole,) = export_from(api, tmp_path / "out", "order").paths
    api.faults.ranges = False
    api.faults.cuts.extend([500] * 50)
    http, stop = Http(), Event()
    download = Download(
        http,
        lambda: api.address(whole.name),
        tmp_path / "part",
        name="order",
        progress=Watch(),
        patience=Patience("order", 2, stop),
        waiting=Patience("order", 2, stop),
    )

    with pytest.raises(EdsError, match="given up after 2 s"):
        download.run()

    http.close()
