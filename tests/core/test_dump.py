"""--dump-dir: file names come from outside, contents are private."""

from __future__ import annotations

import gzip
import stat

import pytest

from eds_core.dump import Dump
from eds_core.errors import ConfigError
from eds_core.event import Message


def message(data: bytes = b"{}", **headers: str) -> Message:
    subject = "dbchange.order.INSERT.c1.NONE.PUBLIC.1.e1"
    return Message(subject, data, 7, 0, headers)


def test_a_message_is_kept_as_it_came_and_only_for_its_owner(tmp_path):
    dump = Dump(tmp_path / "dump")

    dump(message(b'{"a":1}', **{"Nats-Msg-Id": "abc"}))

    (file,) = (tmp_path / "dump").iterdir()
    assert file.read_bytes() == b'{"a":1}'
    assert file.name.startswith("order_")
    assert file.name.endswith("_abc.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_gzipped_messages_stay_gzipped(tmp_path):
    data = gzip.compress(b"{}")

    Dump(tmp_path)(message(data))

    (file,) = tmp_path.iterdir()
    assert file.name.endswith("_7.json.gz")
    assert data == file.read_bytes()


def test_a_hostile_message_id_stays_inside_the_directory(tmp_path):
    inside = tmp_path / "dump"

    Dump(inside)(message(**{"Nats-Msg-Id": "../../etc/passwd\x00\n" + "x" * 500}))

    assert [inside] == list(tmp_path.iterdir())
    (file,) = inside.iterdir()
    assert "/" not in file.name
    assert len(file.name) < 200


def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match="--dump-dir"):
        Dump(tmp_path / "file" / "below")
