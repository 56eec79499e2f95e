"""A lake in S3: a real HTTP server (moto) that answers as S3 does."""

from __future__ import annotations

import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from secrets import token_hex
from threading import Thread

import duckdb
import pytest
from moto.server import ThreadedMotoServer
from pyarrow import fs

from eds_core.destination import Destination
from eds_core.errors import ConfigError, TransientError
from eds_core.event import Version, VersionedKey
from eds_core.schema import Column, ColumnType, TableSchema
from eds_core.testing.shop import row_of
from eds_driver_parquet import ParquetDriver, latest

ID, TOTAL = Column("id", ColumnType.TEXT), Column("total", ColumnType.INTEGER)
TABLE = TableSchema("order", "1", (ID, TOTAL), ("id",))
REGION = "eu-central-1"
_NUMBERS = count(1)


@pytest.fixture(scope="module")
def endpoint():
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    """As a user gives them: not in the URL."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "who")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def bucket(endpoint):
    """A bucket of this test's own, as a file system."""
    name = f"lake-{next(_NUMBERS)}"
    files = fs.S3FileSystem(
        region=REGION, endpoint_override=endpoint, allow_bucket_creation=True
    )
    files.create_dir(name)
    return fs.SubTreeFileSystem(name, files)


@pytest.fixture
def url(bucket, endpoint, tmp_path):
    place = bucket.base_path.rstrip("/")
    state = tmp_path / "state.db"
    return f"s3://{place}/shop/a?region={REGION}&endpoint={endpoint}&state={state}"


@pytest.fixture
def lake(url):
    destination = Destination(ParquetDriver(url))
    destination.open()
    destination.prepare(TABLE)
    yield destination
    destination.close()


def put(destination, version, *keys):
    rows = [row_of(TABLE, version, id=key, total=version) for key in keys]
    with destination.transaction():
        destination.upsert(TABLE, rows)


def rows(bucket, place):
    """What the README's view has, from a copy of the bucket in *place*."""
    fs.copy_files(
        f"{bucket.base_path}shop/a", str(place), source_filesystem=bucket.base_fs
    )
    query = latest(f"{place}/order/*/*.parquet", TABLE.key)
    with duckdb.connect() as connection:
        return sorted(connection.execute(query).fetchall())


def test_what_is_written_is_read_back(lake, bucket, tmp_path):
    put(lake, 1, "a", "b")
    put(lake, 2, "a")
    lake.delete(TABLE, [VersionedKey(("b",), Version(3))])

    assert rows(bucket, tmp_path / "copy") == [("a", 2)]


def test_a_large_file_is_there_whole(lake, bucket, tmp_path):
    """Larger than what S3 takes in one request: it goes in parts."""
    noise = [token_hex(50_000) for _ in range(400)]
    some = [row_of(TABLE, n, id=key, total=n) for n, key in enumerate(noise)]
    lake.upsert(TABLE, some)

    assert [key for key, _ in rows(bucket, tmp_path / "copy")] == sorted(noise)


def test_what_is_not_there_after_a_failure_comes_again(lake, bucket, url, tmp_path):
    put(lake, 1, "a")
    lake.driver.close()
    with pytest.raises(TransientError):
        put(lake, 2, "b")
    lake.open()
    put(lake, 2, "b")

    assert rows(bucket, tmp_path / "copy") == [("a", 1), ("b", 2)]


def test_the_url_has_to_say_where_the_state_is():
    with pytest.raises(ConfigError, match="no place for EDS's position") as caught:
        ParquetDriver("s3://lake/shop?region=eu-central-1")

    assert "state=/var/lib/eds/lake.db" in caught.value.advice


def test_a_bucket_that_is_not_there_is_the_users_to_make(url):
    with pytest.raises(ConfigError, match="no bucket other"):
        ParquetDriver(re.sub("lake-[0-9]+", "other", url)).open()


class Refusing(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_response(403)
        self.end_headers()

    def log_message(self, *_):
        """Nobody reads it."""


def test_who_may_not_see_the_bucket_is_told(url, endpoint):
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.serve_forever).start()
        place = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(ConfigError, match="ACCESS_DENIED") as caught:
            ParquetDriver(url.replace(endpoint, place)).open()
        server.shutdown()

    assert "AWS_ACCESS_KEY_ID" in caught.value.advice


def test_nobody_there_is_waited_for(url, endpoint):
    driver = ParquetDriver(url.replace(endpoint, "http://127.0.0.1:1"))

    with pytest.raises(TransientError, match="NETWORK_CONNECTION") as caught:
        driver.open()
    assert "hidden" not in str(caught.value)
