"""Every format by its content; hostile archives are refused."""

import gzip
import io
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

from eds_core.errors import ConfigError
from eds_core.importer import unpack
from eds_core.importer.files import find
from eds_core.importer.reading import read_lines
from eds_core.importer.unpack import FileError, HostileError, Limits

ROWS = b'{"id":"1"}\n{"id":"2"}\n'


@pytest.fixture(autouse=True, params=["fastest", "standard"])
def reader(request, monkeypatch):
    """With the extra `fast` (the tests' environment has it), and without."""
    if request.param == "standard":
        monkeypatch.setattr(unpack, "GzipFile", gzip.GzipFile)


class Special(NamedTuple):
    """A member that is no file."""

    type: bytes


def tar(*members, mode="w:gz"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            if isinstance(data, Special):
                info.type, info.linkname = data.type, "/etc/passwd"
                archive.addfile(info)
            else:
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def zipped(*members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def found(path: Path, data: bytes, **limits):
    path.write_bytes(data)
    return find([path], Limits(**limits))


def contents(path, data):
    """What is found in a file: each one's name in it, and its lines."""
    result = {}
    for source in found(path, data).sources:
        with source.open() as stream:
            name = source.member.name if source.member else ""
            result[name] = [line.data for line in read_lines(stream, source.name)]
    return result


LINES = ROWS.split()


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("plain", ROWS, {"": LINES}),
        ("empty.json", b"", {"": []}),
        ("gzip", gzip.compress(ROWS, mtime=0), {"": LINES}),
        ("empty gzip", gzip.compress(b"", mtime=0), {"": []}),
        (
            "two members",
            gzip.compress(ROWS, mtime=0) + gzip.compress(ROWS, mtime=0),
            {"": LINES * 2},
        ),
        (
            "gzip in gzip",
            gzip.compress(gzip.compress(ROWS, mtime=0), mtime=0),
            {"": LINES},
        ),
        ("zip", zipped(("order.json", ROWS)), {"order.json": LINES}),
        (
            "gzip in zip",
            zipped(("a/", b""), ("a/order.json.gz", gzip.compress(ROWS, mtime=0))),
            {"a/order.json.gz": LINES},
        ),
        (
            "tar.gz",
            tar(("order.json", ROWS), ("tire.json", ROWS[:11])),
            {"order.json": LINES, "tire.json": LINES[:1]},
        ),
        ("tar", tar(("order.json", ROWS), mode="w"), {"order.json": LINES}),
        (
            "gzip in tar.gz",
            tar(
                ("x", Special(tarfile.DIRTYPE)),
                ("x/order.gz", gzip.compress(ROWS, mtime=0)),
            ),
            {"x/order.gz": LINES},
        ),
        ("empty zip", zipped(), {}),
    ],
)
def test_formats_are_recognised_by_content(tmp_path, name, data, expected):
    assert contents(tmp_path / "download", data) == expected, name


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"-----BEGIN NATS USER JWT-----",
        b"SQLite format 3\0" + bytes(600),
        b"BZh91AY&SY",
        gzip.compress(b"\x7fELF" + bytes(100), mtime=0),
    ],
)
def test_foreign_files_are_passed_over(tmp_path, data):
    result = found(tmp_path / "foreign", data)

    assert result.sources == []
    assert result.foreign == [str(tmp_path / "foreign")]


def test_hidden_files_and_sidecars_are_no_files_of_an_export(tmp_path):
    for name in (".DS_Store", ".git/config", "order.json.snapshot", "a.gz.part"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"2024-07-13T16:50:52Z")
    (tmp_path / "order.json").write_bytes(ROWS)
    result = find([tmp_path], Limits())

    assert [source.name for source in result.sources] == [str(tmp_path / "order.json")]
    assert result.sources[0].snapshot is not None


@pytest.mark.parametrize("name", ["../order.json", "/order.json", "a/../../b", "C:\\x"])
@pytest.mark.parametrize("pack", [zipped, tar])
def test_a_member_that_lies_outside_is_refused(tmp_path, pack, name):
    with pytest.raises(HostileError, match="lies outside"):
        found(tmp_path / "evil", pack((name, ROWS)))


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.FIFOTYPE,
    ],
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    with pytest.raises(HostileError, match="a link or a device"):
        found(tmp_path / "evil", tar(("order.json", ROWS), ("x", Special(kind))))


def test_a_link_in_a_zip_is_refused(tmp_path):
    info = zipfile.ZipInfo("order.json")
    info.external_attr = 0o120777 << 16
    with pytest.raises(HostileError, match="a link or a device"):
        found(tmp_path / "evil", zipped((info, b"/etc/passwd")))


def test_an_encrypted_zip_is_refused(tmp_path):
    data = bytearray(zipped(("order.json", ROWS)))
    place = data.index(b"PK\x01\x02") + 8
    data[place] |= 1
    with pytest.raises(ConfigError, match="is encrypted"):
        found(tmp_path / "evil", bytes(data))


def test_files_of_a_zip_that_overlap_are_refused(tmp_path):
    data = bytearray(zipped(("a.json", ROWS), ("b.json", ROWS)))
    first = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", first + 4)
    struct.pack_into("<L", data, second + 42, 0)  # its content is the first one's
    with pytest.raises(HostileError, match="overlaps"):
        found(tmp_path / "evil", bytes(data))


def test_a_zip_that_unpacks_to_too_much_is_refused_unread(tmp_path):
    with pytest.raises(HostileError, match="--max-ratio"):
        found(tmp_path / "bomb", zipped(("order.json", bytes(100_000_000))))


def test_a_gzip_bomb_is_noticed_while_it_is_read(tmp_path):
    data = gzip.compress(b'{"id":"1"}\n' + b" " * 200_000_000, 9)
    (source,) = found(tmp_path / "order.json.gz", data).sources
    with source.open() as stream, pytest.raises(FileError, match="250 times"):
        list(read_lines(stream, source.name))


def test_the_bounds_can_be_raised(tmp_path):
    data = gzip.compress(b'{"id":"1"}\n' * 10_000_000, 9)
    (source,) = found(tmp_path / "order.json.gz", data, ratio=100_000).sources
    with source.open() as stream:
        assert sum(1 for _ in read_lines(stream, source.name)) == 10_000_000


def test_all_files_together_have_a_bound(tmp_path):
    data = gzip.compress(ROWS * 200_000)
    (source,) = found(tmp_path / "order.json.gz", data, total=4_000_000).sources
    with source.open() as stream, pytest.raises(FileError, match="4000000 bytes"):
        list(read_lines(stream, source.name))


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: tar(("a.json", data))])
def test_a_file_that_is_cut_off_stops_only_itself(tmp_path, pack):
    rows = b"".join(b'{"id":"%d"}\n' % (number * 7919) for number in range(50_000))
    whole = pack(rows)
    result = found(tmp_path / "order.json.gz", whole[: len(whole) // 2])

    assert result.sources == []
    assert "is cut off. download the file again" in result.errors[0]


def test_a_large_file_that_is_cut_off_is_read_up_to_there(tmp_path):
    rows = b"".join(b'{"id":"%d"}\n' % (number * 7919) for number in range(300_000))
    whole = gzip.compress(rows, 1)
    (source,) = found(tmp_path / "order.json.gz", whole[:-1000]).sources
    seen = []
    with source.open() as stream, pytest.raises(FileError, match="cut off"):
        seen.extend(line.number for line in read_lines(stream, source.name))
    assert len(seen) > 100_000


def test_a_file_that_is_damaged_stops_only_itself(tmp_path):
    data = bytearray(gzip.compress(ROWS * 1000))
    data[-6] ^= 0xFF  # its check sum
    result = found(tmp_path / "order.json.gz", bytes(data))

    assert "is damaged" in result.errors[0]


def test_an_archive_within_an_archive_is_passed_over(tmp_path):
    inner = zipped(("order.json", ROWS))
    result = found(tmp_path / "all.zip", zipped(("a.zip", inner), ("tire.json", ROWS)))

    assert [source.member.name for source in result.sources] == ["tire.json"]
    assert result.foreign == [f"{tmp_path / 'all.zip'}!a.zip"]


def test_members_of_a_packed_tar_are_read_in_one_pass(tmp_path):
    data = tar(*((f"t{i}.json", ROWS * 1000) for i in range(20)))
    path = tmp_path / "all.tar.gz"
    path.write_bytes(data)
    limits = Limits()
    sources = find([path], limits).sources
    limits.used = 0
    for source in sources:
        with source.open() as stream:
            assert sum(1 for _ in read_lines(stream, source.name)) == 2000
    assert limits.used < 2 * len(gzip.decompress(data))


def test_a_link_that_leads_nowhere_stops_only_itself(tmp_path):
    (tmp_path / "label.json").write_bytes(b"{}")
    (tmp_path / "order.json").symlink_to(tmp_path / "gone.json")

    found = find([tmp_path], Limits())

    assert [source.path.name for source in found.sources] == ["label.json"]
    (told,) = found.errors
    assert "order.json cannot be read" in told


def test_hidden_files_and_folders_are_told(tmp_path, caplog):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".label.json").write_bytes(b"{}")

    found = find([tmp_path], Limits())
    with caplog.at_level("INFO", "eds.import"):
        found.tell()

    assert f"hidden: {tmp_path}/.git, {tmp_path}/.label.json" in caplog.text


def test_a_path_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError, match="there is no file or folder"):
        find([tmp_path / "nothing"], Limits())
