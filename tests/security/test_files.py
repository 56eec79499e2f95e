"""Files: who may read them, and what somebody has put in their place beforehand."""

import os
import stat
import tempfile
import threading

import pytest
from click.testing import CliRunner

from eds_core.append import AppendDriver
from eds_core.cli import main
from eds_core.destination import open_destination
from eds_core.dump import Dump
from eds_core.errors import EdsError
from eds_core.event import Message
from eds_core.importer.files import find
from eds_core.importer.unpack import Limits
from eds_core.private import open_private
from eds_core.sandbox import Sandbox
from eds_core.schema import Column, ColumnType, TableSchema
from export.harness import Watch, export_from
from export.harness import serving as serving_exports

SECRET = "somebody else's\n"


@pytest.fixture(autouse=True)
def careless():
    """A umask that keeps nothing from anybody."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def victim(tmp_path):
    """A file that nothing may touch."""
    path = tmp_path / "victim"
    path.write_text(SECRET)
    yield path
    assert path.read_text() == SECRET


@pytest.fixture
def api(tmp_path):
    with serving_exports(tmp_path) as api:
        yield api


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def modes(directory):
    return {mode(path) for path in directory.rglob("*") if path.is_file()}


def message(id_, table="order"):
    subject = f"dbchange.{table}.INSERT.c.N.PUBLIC.1.e"
    return Message(subject, b"{}", 1, 1, {"Nats-Msg-Id": id_})


def test_a_sqlite_file_that_eds_makes_is_for_its_owner_only(tmp_path):
    destination = open_destination(f"sqlite:///{tmp_path / 'shop.db'}")
    table = TableSchema("order", "1", (Column("id", ColumnType.TEXT),), ("id",))
    destination.prepare(table)

    assert {path.name for path in tmp_path.iterdir()} > {"shop.db", "shop.db-wal"}
    assert modes(tmp_path) == {0o600}
    destination.close()


def test_a_sqlite_file_that_is_there_keeps_the_mode_that_its_user_gave_it(tmp_path):
    path = tmp_path / "shop.db"
    path.touch(0o640)
    path.chmod(0o640)
    open_destination(f"sqlite:///{path}").close()

    assert mode(path) == 0o640


def test_a_dump_is_for_its_owner_only(tmp_path):
    Dump(tmp_path / "dump")(message("an id"))

    assert mode(tmp_path / "dump") == 0o700
    assert modes(tmp_path / "dump") == {0o600}


def test_the_sandboxs_credentials_are_for_their_owner_only(tmp_path):
    assert mode(Sandbox(tmp_path).issue()) == 0o600


def test_the_state_of_an_append_only_destination_is_for_its_owner_only(tmp_path):
    class Nowhere(AppendDriver):
        title = "Nowhere"
        example_url = "nowhere:///?state=/var/lib/eds/shop.db"

        def write(self, changes):
            raise NotImplementedError

    driver = Nowhere(f"nowhere:///?state={tmp_path / 'shop.db'}")
    driver.open()
    driver.ledger.create()

    assert modes(tmp_path) == {0o600}
    driver.close()


def test_a_demos_folder_is_for_its_owner_only(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    CliRunner().invoke(main, ["demo", "--url", "nowhere:///"])

    (made,) = tmp_path.iterdir()
    assert mode(made) == 0o700


@pytest.mark.parametrize(
    "hostile",
    ["../../x", "/etc/passwd", "a\0b", "x" * 5000, "CON", "nul.json", "..", "\n", "~"],
)
def test_no_id_and_no_table_leads_out_of_the_dump(tmp_path, hostile):
    directory = tmp_path / "a" / "dump"
    Dump(directory)(message(hostile, table=hostile.replace(".", "")))

    (path,) = directory.iterdir()
    assert path.resolve().parent == directory.resolve()
    assert path.read_bytes() == b"{}"
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_dump_does_not_write_through_a_link(tmp_path, victim, link, monkeypatch):
    monkeypatch.setattr("time.time_ns", lambda: 7)
    link(victim, tmp_path / "order_7_id.json")

    Dump(tmp_path)(message("id"))


class Crash(Watch):
    """Ends an export behind its first piece."""

    def moved(self, *_):
        raise KeyboardInterrupt


@pytest.mark.parametrize("kind", ["part", "tag"])
@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_an_export_does_not_go_on_through_a_link(tmp_path, api, victim, link, kind):
    """What lies there at the start is removed; this was put there meanwhile."""
    api.faults.cuts.append(500)
    with pytest.raises(KeyboardInterrupt):
        export_from(api, tmp_path / "out", "order", progress=Crash())
    (path,) = (tmp_path / "out").glob(f".eds-export-*.{kind}")
    path.unlink()
    link(victim, path)

    with pytest.raises(EdsError, match="cannot write"):
        export_from(api, tmp_path / "out", "order")


@pytest.mark.parametrize("name", [".eds-export.lock", ".eds-export.json"])
@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_an_exports_own_files_are_no_links(tmp_path, api, victim, link, name):
    out = tmp_path / "out"
    out.mkdir()
    link(victim, out / name)

    with pytest.raises(EdsError, match="cannot write"):
        export_from(api, out, "label")


def test_a_part_that_others_could_read_is_closed_to_them(tmp_path):
    path = tmp_path / "part"
    path.touch(0o666)
    open_private(path).close()

    assert mode(path) == 0o600


def test_a_pipe_in_the_place_of_a_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "part")

    with pytest.raises(PermissionError):
        open_private(tmp_path / "part")


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_sidecar_that_would_never_end_is_not_read(tmp_path, kind):
    (tmp_path / "order.json").write_text('{"id":"a"}\n')
    beside = tmp_path / "order.json.snapshot"
    os.mkfifo(beside) if kind == "pipe" else beside.symlink_to("/dev/zero")
    found = []
    looking = threading.Thread(
        target=lambda: found.append(find([tmp_path], Limits())), daemon=True
    )
    looking.start()
    looking.join(20)

    assert [source.snapshot for source in found[0].sources] == [None]


def test_what_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "order.json")
    (tmp_path / "label.json").symlink_to("/dev/zero")

    assert find([tmp_path], Limits()).sources == []
