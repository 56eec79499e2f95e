"""Every kind of file, and what is wrong with files: found, kept and told."""

import asyncio
import gzip
import io
import json
import shutil
import tarfile
import zipfile
from datetime import UTC, datetime, timedelta

import pytest

from acceptance.exports import export, imported, jsonl, packed
from acceptance.harness import eds, serving, shop_is_at, until
from acceptance.tables import differences, execute, rows, table_names, value
from eds_core.sandbox import Sandbox

TABLES = ("appointment", "payment", "vehicle")


def scene(tmp_path, work, *, events=1500):
    """A sandbox whose shop has worked, and *work* with it."""

    async def scenario():
        async with Sandbox(tmp_path / "sandbox") as sandbox:
            await sandbox.run_shop(events=events)
            return await work(sandbox)

    return asyncio.run(scenario())


def has_tables(url, sandbox, tables):
    state = {name: sandbox.shop.state()[name] for name in tables}
    assert differences(url, state, sandbox.shop.models) == []
    assert all(state.values())


def named(files):
    """The lines of export files by a plain name for each."""
    return {
        f"{file.name.split('-')[5]}.json": gzip.decompress(file.read_bytes())
        for file in files
    }


def zip_of(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tar_of(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(f"export/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def mixed(members):
    """The tables' lines in one file, in turn."""
    return gzip.compress(b"".join(members.values()))


@pytest.mark.parametrize("pack", [zip_of, tar_of, mixed])
def test_the_guides_downloaded_file_is_recognised_by_its_content(
    tmp_path, sqlite_url, pack
):
    async def work(sandbox):
        members = named(export(sandbox, tmp_path / "export", TABLES))
        folder = tmp_path / "download"
        folder.mkdir()
        (folder / "downloaded_file.gz").write_bytes(pack(members))
        (folder / "README.txt").write_text("no export")
        shutil.copy(sandbox.credentials, folder)
        ended = await imported(sandbox, folder, url=sqlite_url)
        assert "passed over, no exports:" in ended.err
        assert "README.txt" in ended.err
        assert ".creds" in ended.err
        has_tables(sqlite_url, sandbox, TABLES)

    scene(tmp_path, work)


def test_a_file_without_a_telling_name_is_told_by_its_columns(tmp_path, url):
    async def work(sandbox):
        (file,) = export(sandbox, tmp_path / "export", ["order"])
        download = file.rename(tmp_path / "downloaded_file.gz")
        ended = await imported(sandbox, download, url=url)
        assert f"{download} holds the table order, by its columns" in ended.err
        has_tables(url, sandbox, ["order"])

    scene(tmp_path, work)


def test_a_copy_of_a_file_is_read_once(tmp_path, sqlite_url):
    async def work(sandbox):
        (file,) = export(sandbox, tmp_path / "export", ["order"])
        (tmp_path / "export" / "again").mkdir()
        shutil.copy(file, tmp_path / "export" / "again")
        ended = await imported(sandbox, tmp_path / "export", url=sqlite_url)
        assert "is the same as" in ended.err
        has_tables(sqlite_url, sandbox, ["order"])

    scene(tmp_path, work)


def test_the_table_can_be_named(tmp_path, sqlite_url):
    async def work(sandbox):
        (file,) = export(sandbox, tmp_path / "export", ["order"])
        download = file.rename(tmp_path / "mine.gz")
        await imported(sandbox, download, url=sqlite_url, args=("--table", "order"))
        has_tables(sqlite_url, sandbox, ["order"])
        args = ("--table", "ordre")
        ended = await imported(sandbox, download, url=sqlite_url, args=args, code=2)
        assert "there is no table ordre" in ended.err

    scene(tmp_path, work)


def test_a_file_that_may_be_of_several_tables_is_asked_about(tmp_path, sqlite_url):
    async def work(sandbox):
        download = packed(tmp_path / "f.gz", jsonl(b'{"id":"1","companyId":"c"}'))
        ended = await imported(sandbox, download, url=sqlite_url, code=2)
        assert "may hold any of" in ended.err or "no exported files" in ended.err

    scene(tmp_path, work, events=10)


def test_broken_lines_are_kept_and_the_rest_goes_on(tmp_path, url):
    async def work(sandbox):
        good = [
            json.dumps({"id": str(n), "name": f"label {n}"}).encode() for n in range(50)
        ]
        lines = [
            b"\xef\xbb\xbf" + good[0] + b"\r",
            b"",
            *good[1:],
            b'{"id":"x","name":',
            b"[1]",
            b'{"id":"\xff"}',
            b'{"name":"no key"}',
            b'{"id":{"a":1}}',
            good[3],
        ]
        file = packed(tmp_path / "label.json.gz", b"\n".join(lines))
        ended = await imported(sandbox, file, url=url, code=3)
        assert "some lines were quarantined" in ended.out
        assert value(url, "SELECT count(*) FROM label") == 50
        listed = (await eds(sandbox, "quarantine", "list", url)).out
        assert f"{file} line 52: not valid JSON" in listed
        assert f"{file} line 53: not a JSON object" in listed
        assert f"{file} line 54: not in UTF-8" in listed
        assert f"{file} line 55: the row has no value for its key column id" in listed
        assert f"{file} line 56: the row has an unusable value" in listed
        entry = next(line for line in listed.splitlines() if "line 55" in line)
        shown = await eds(sandbox, "quarantine", "show", "--raw", url, entry.split()[0])
        assert shown.out == '{"name":"no key"}'
        assert (await eds(sandbox, "quarantine", "drop", url, "--all")).code == 0

    scene(tmp_path, work, events=10)


def test_an_import_can_be_logged_as_objects(tmp_path, sqlite_url):
    async def work(sandbox):
        lines = (b'{"id":"1","name":"a"}', b"[1]")
        packed(tmp_path / "files" / "label.json.gz", jsonl(*lines))
        brand = packed(tmp_path / "files" / "brand.json.gz", jsonl(b'{"id":"1"}'))
        brand.write_bytes(brand.read_bytes()[:-4])
        args = ("--log-format", "json")
        return await imported(
            sandbox, tmp_path / "files", url=sqlite_url, args=args, code=1
        )

    ended = scene(tmp_path, work, events=10)

    said = [json.loads(line) for line in ended.err.splitlines()]
    by_level = {level: [] for level in ("INFO", "WARNING", "ERROR")}
    for each in said:
        by_level[each["severity"]].append(each["message"])
    assert ended.out == ""
    assert "label: 2 read, 1 inserted, 0 updated" in "\n".join(by_level["INFO"])
    assert "brand.json.gz" in "\n".join(by_level["ERROR"])


def test_a_row_that_the_database_rejects_is_kept_and_can_be_retried(tmp_path, url):
    async def work(sandbox):
        lines = [
            json.dumps({"id": str(n), "name": f"n{n % 9}"}).encode() for n in range(10)
        ]
        await imported(
            sandbox, packed(tmp_path / "a" / "label.json.gz", jsonl(lines[0])), url=url
        )
        execute(url, "CREATE UNIQUE INDEX mine ON label (name)")
        file = packed(tmp_path / "b" / "label.json.gz", jsonl(*lines))
        await imported(sandbox, file, url=url, code=3)
        assert value(url, "SELECT count(*) FROM label") == 9
        (entry,) = rows(url, "SELECT id, reason FROM _eds_quarantine")
        assert f"{file} line 10: " in entry["reason"]
        execute(url, "DROP INDEX mine")
        async with serving(sandbox, url):
            await eds(sandbox, "quarantine", "retry", url, "--all")
            await until(lambda: value(url, "SELECT count(*) FROM label") == 10)
            await until(lambda: value(url, "SELECT count(*) FROM _eds_quarantine") == 0)

    scene(tmp_path, work, events=10)


def test_a_column_that_a_line_lacks_is_left_alone(tmp_path, url):
    async def work(sandbox):
        first = jsonl(b'{"id":"1","name":"a","note":"kept"}', b'{"id":"2","name":"b"}')
        second = jsonl(b'{"id":"1","name":"c","unknown":1}', b'{"id":"2","note":"d"}')
        for data in (first, second):
            file = packed(tmp_path / "work_request.json.gz", data)
            await imported(sandbox, file, url=url)
        found = rows(url, "SELECT * FROM work_request ORDER BY id")
        assert all("unknown" not in row for row in found)
        return found

    model = {"name": ("c", "b"), "note": ("kept", "d")}
    found = scene(tmp_path, work, events=10)
    for column in model.keys() & found[0].keys():
        assert tuple(row[column] for row in found) == model[column]


def test_the_last_of_equal_keys_in_a_file_wins(tmp_path, url):
    async def work(sandbox):
        data = jsonl(
            b'{"id":"1","name":"first","createdById":"x"}',
            b'{"id":"1","name":"second"}',
            b'{"id":"1","name":"third","createdById":"y"}',
        )
        await imported(sandbox, packed(tmp_path / "label.json.gz", data), url=url)
        return value(url, "SELECT name FROM label")

    assert scene(tmp_path, work, events=10) == "third"


def test_a_file_that_is_no_export_at_all_fills_no_quarantine(tmp_path, sqlite_url):
    async def work(sandbox):
        data = b"this is not it\n" * 5000
        file = packed(tmp_path / "label.json.gz", b"{\n" + data)
        ended = await imported(sandbox, file, url=sqlite_url, code=1)
        assert "not one of the first 100 lines is a row of label" in ended.err
        assert value(sqlite_url, "SELECT count(*) FROM _eds_quarantine") == 0

    scene(tmp_path, work, events=10)


def test_a_file_that_is_cut_off_fails_and_the_others_are_in(tmp_path, sqlite_url):
    async def work(sandbox):
        files = export(sandbox, tmp_path / "export", ["order", "customer"])
        whole = files[0].read_bytes()
        files[0].write_bytes(whole[: len(whole) // 2])
        ended = await imported(sandbox, tmp_path / "export", url=sqlite_url, code=1)
        assert "is cut off" in ended.err
        has_tables(sqlite_url, sandbox, ["customer"])
        files[0].write_bytes(whole)
        await imported(sandbox, tmp_path / "export", url=sqlite_url)
        has_tables(sqlite_url, sandbox, ["order", "customer"])

    scene(tmp_path, work)


def test_a_hostile_archive_stops_the_import_before_it_begins(tmp_path, sqlite_url):
    async def work(sandbox):
        archive = tmp_path / "export" / "all.zip"
        archive.parent.mkdir()
        archive.write_bytes(zip_of({"../order.json": b"{}"}))
        ended = await imported(sandbox, archive, url=sqlite_url, code=2)
        assert "is refused: '../order.json' lies outside of it" in ended.err
        assert table_names(sqlite_url) == set()

    scene(tmp_path, work, events=10)


def test_a_snapshot_of_the_future_is_refused(tmp_path, sqlite_url):
    async def work(sandbox):
        file = packed(tmp_path / "label.json.gz", jsonl(b'{"id":"1"}'))
        soon = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}"
        args = ("--snapshot-time", soon)
        ended = await imported(sandbox, file, url=sqlite_url, args=args, code=2)
        assert "more than a day ahead" in ended.err

    scene(tmp_path, work, events=10)


def test_a_row_of_another_company_is_kept_out(tmp_path, sqlite_url):
    async def work(sandbox):
        data = jsonl(b'{"id":"1","companyId":"c0ffee"}', b'{"id":"2"}')
        file = packed(tmp_path / "label.json.gz", data)
        ended = await imported(sandbox, file, url=sqlite_url, code=3)
        assert "of company c0ffee, which these credentials do not name" in ended.err
        assert value(sqlite_url, "SELECT id FROM label") == "2"

    scene(tmp_path, work, events=10)


def test_the_export_requests_time_beside_a_file_is_its_rows_version(tmp_path, url):
    """An event from after the request wins, though the file was written later."""

    async def work(sandbox):
        args = ("--consumer-start-time", "1h")
        async with serving(sandbox, url, args=args) as server:
            await shop_is_at(url, sandbox, server=server)
        (file,) = export(sandbox, tmp_path / "export", ["order"])
        plain = file.rename(tmp_path / "order.json.gz")
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        plain.with_name("order.json.gz.snapshot").write_text(f"{now}\n")
        await sandbox.run_shop(events=500)
        await imported(sandbox, plain, url=url)
        async with serving(sandbox, url) as server:
            await shop_is_at(url, sandbox, server=server)
            second = now.replace("T", " ")
            return second, server.code

    scene(tmp_path, work)


def test_a_table_that_nobody_knows_is_guessed_without_credentials(tmp_path, url):
    async def work(sandbox):
        data = jsonl(b'{"id":"1","total":1,"paid":true}', b'{"id":"2","total":2.5}')
        file = packed(tmp_path / "invoice.json.gz", data)
        ended = await imported(sandbox, file, url=url, creds=False)
        assert "the columns of invoice are guessed" in ended.err
        assert "no position yet" in ended.err
        return [str(row["total"]) for row in rows(url, "SELECT * FROM invoice")]

    assert scene(tmp_path, work, events=10) == ["1", "2.5"]


def test_an_old_servers_row_is_as_old_as_it_tells_of_itself(tmp_path, url):
    """It has no version: the stream may write it, an older export may not."""

    async def work(sandbox):
        await sandbox.run_shop(events=1)
        first = jsonl(b'{"id":"0","name":"x","updatedDate":"2024-01-01T00:00:00Z"}')
        await imported(sandbox, packed(tmp_path / "label.json.gz", first), url=url)
        execute(
            url,
            "UPDATE label SET _eds_version = NULL",
            "UPDATE label SET name = 'old server', "
            "\"updatedDate\" = '2025-06-01T00:00:00Z'",
        )
        names = []
        for moment in ("2025-05-31T00:00:00Z", "2025-06-02T00:00:00Z"):
            data = jsonl(f'{{"id":"0","name":"export of {moment}"}}'.encode())
            file = packed(tmp_path / "label.json.gz", data)
            await imported(sandbox, file, url=url, args=("--snapshot-time", moment))
            names.append(value(url, "SELECT name FROM label"))
        return names

    assert scene(tmp_path, work, events=10) == [
        "old server",
        "export of 2025-06-02T00:00:00Z",
    ]


def test_an_empty_file_of_a_table_that_nobody_knows_is_passed_over(
    tmp_path, sqlite_url
):
    async def work(sandbox):
        folder = tmp_path / "export"
        packed(folder / "order.json.gz", b"")
        packed(folder / "label.json.gz", jsonl(b'{"id":"1"}'))
        ended = await imported(sandbox, folder, url=sqlite_url, creds=False)
        assert f"passed over, no exports: {folder / 'order.json.gz'}" in ended.err
        assert value(sqlite_url, "SELECT count(*) FROM label") == 1

    scene(tmp_path, work, events=10)


@pytest.mark.parametrize(
    ("last", "told"),
    [("export", "the database URL is not last"), ("sqlite:///shop.db", "no files")],
)
def test_a_url_in_the_wrong_place_is_refused_and_never_told(tmp_path, last, told):
    wrong = "postgresql://user:sEcret@127.0.0.1:1/db"
    env = {"EDS_URL": f"sqlite:///{tmp_path / 'shop.db'}"}

    async def work(sandbox):
        ended = await eds(sandbox, "import", wrong, last, env=env)
        assert ended.code == 2
        assert told in ended.err
        assert "sEcret" not in ended.err + ended.out

    scene(tmp_path, work, events=1)


def test_verify_after_a_dry_run_is_refused(tmp_path, sqlite_url):
    async def work(sandbox):
        args = ("--dry-run", "--verify")
        ended = await imported(sandbox, tmp_path, url=sqlite_url, args=args, code=2)
        assert "nothing to compare after --dry-run" in ended.err

    scene(tmp_path, work, events=1)
