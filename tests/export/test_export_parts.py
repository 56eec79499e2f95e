"""The parts of an export: keys, addresses, names, single requests, whole files."""

import base64
import gzip
import io
import json
import ssl
import tarfile
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
import trustme

from eds_core.errors import ConfigError
from eds_core.export import ApiKey, checked_api
from eds_core.export.address import is_secured, shown
from eds_core.export.check import Damaged, check
from eds_core.export.http import Http, retry_after
from eds_core.export.names import local_name
from eds_core.export.patience import Again
from eds_core.sandbox.exports import export_name
from eds_core.sandbox.http_server import Reply
from export.harness import serving

CHANGEFEED = export_name("labor_rate", 1_720_890_652_808_024_600)


def jwt(claims):
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=")
    return f"eyJhbGciOiJub25lIn0.{body.decode()}.c2ln"


@pytest.mark.parametrize(
    ("key", "api"),
    [
        ("opaque", "https://api.shopmonkey.cloud"),
        ("two.parts", "https://api.shopmonkey.cloud"),
        ("not.base64!.x", "https://api.shopmonkey.cloud"),
        (jwt({"sub": "x"}), "https://api.shopmonkey.cloud"),
        (jwt({"iss": "shop"}), "https://api.shopmonkey.cloud"),
        (jwt({"iss": "https://shopmonkey.io"}), "https://api.shopmonkey.cloud"),
        (jwt({"iss": "https://edge-api.example/"}), "https://edge-api.example"),
        (jwt({"iss": "http://localhost:3101"}), "http://localhost:3101"),
    ],
)
def test_the_api_is_where_the_keys_issuer_says(key, api):
    assert ApiKey(key).api() == api


def test_an_issuer_that_would_get_the_key_in_clear_text_is_refused():
    with pytest.raises(ConfigError, match="in clear text"):
        ApiKey(jwt({"iss": "http://elsewhere.example"})).api()


def test_a_key_does_not_show_itself():
    key = ApiKey("s3cret")

    assert "s3cret" not in f"{key} {key!r} {[key]}"
    assert key.masked("bad s3cret") == "bad ***"


@pytest.mark.parametrize("text", ["", "two words", "new\nline", "schlüssel", "a\x00b"])
def test_what_cannot_be_a_key_is_refused_without_showing_it(text):
    with pytest.raises(ConfigError) as caught:
        ApiKey(text)

    assert not text or text not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "secured"),
    [
        ("https://api.example", True),
        ("http://127.0.0.1:8080/x", True),
        ("http://[::1]:8080/x", True),
        ("http://localhost", True),
        ("http://localhost.example", False),
        ("http://127.0.0.1.example", False),
        ("http://api.example", False),
        ("ftp://127.0.0.1", False),
        ("https://", False),
        ("https://a b", True),
        ("https://host:port", False),
        ("https://host\n.example", False),
    ],
)
def test_only_what_is_encrypted_or_stays_here_is_secured(url, secured):
    assert is_secured(url) is secured


def test_what_is_shown_of_an_address_is_no_secret():
    url = "https://user:pw@storage.example/a/b.gz?X-Signature=abc#d"

    assert shown(url) == "https://storage.example/a/b.gz"


def test_the_base_address_has_no_slash_at_its_end():
    assert checked_api("https://api.example/") == "https://api.example"


@pytest.mark.parametrize(
    ("remote", "table", "local"),
    [
        (f"exports/{CHANGEFEED}", "labor_rate", CHANGEFEED),
        (CHANGEFEED, None, CHANGEFEED),
        (CHANGEFEED, "label", f"label.{CHANGEFEED}"),
        ("a/b/label.json.gz", "label", "label.json.gz"),
        ("a/b/0001.json.gz", "label", "label.0001.json.gz"),
        ("EXAMPLE_FILE_NAME", "label", "label.EXAMPLE_FILE_NAME"),
        ("EXAMPLE_FILE_NAME", None, "EXAMPLE_FILE_NAME"),
        ("..", None, "export"),
        ("a/", "label", "label.export"),
        ("C:\\windows\\x.gz", None, "C_windows_x.gz"),
        ("x" * 500, None, "x" * 200),
    ],
)
def test_a_file_here_tells_its_table(remote, table, local):
    assert local_name(remote, table) == local


def test_equal_names_of_one_table_are_told_apart():
    taken = {"label.0.gz", "label.2.0.gz"}

    assert local_name("c/0.gz", "label", taken) == "label.3.0.gz"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "30"}, 30),
        ({"Retry-After": "soon"}, None),
        (
            {
                "Retry-After": "Wed, 21 Oct 2026 07:28:10 GMT",
                "Date": "Wed, 21 Oct 2026 07:28:00 GMT",
            },
            10,
        ),
        (
            {
                "Retry-After": "Wed, 21 Oct 2026 07:28:10 GMT",
                "Date": "Wed, 21 Oct 2026 07:28:20 GMT",
            },
            0,
        ),
    ],
)
def test_the_wait_that_a_server_asks_for(headers, seconds):
    assert retry_after(headers) == seconds


def test_a_server_that_says_nothing_is_not_waited_for_for_ever(tmp_path):
    with serving(tmp_path) as api:
        api.faults.late = 3
        http = Http(read=0.3)

        with pytest.raises(Again, match="no answer in time"):
            http.ask("GET", f"{api.url}/v3/export/bulk/1", {}, None)

        http.close()


def test_nobody_there_is_a_reason_to_try_again():
    with pytest.raises(Again, match="no connection"):
        Http().ask("GET", "http://127.0.0.1:9/", {}, None)


def test_a_certificate_that_nobody_vouches_for_is_told(tmp_path):
    with encrypted() as url, pytest.raises(ConfigError, match="cannot be verified"):
        Http().ask("GET", url, {}, None)


def test_a_certificate_named_by_ssl_cert_file_is_trusted(tmp_path, monkeypatch):
    with encrypted(tmp_path / "ca.pem") as url:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))

        assert Http().ask("GET", url, {}, None).status == 200


@contextmanager
def encrypted(authority=None):
    """An HTTPS server with a certificate of its own authority."""
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    if authority:
        ca.cert_pem.write_to_path(str(authority))
    server = HTTPServer(("127.0.0.1", 0), Hello)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def test_the_proxy_of_the_environment_is_used(tmp_path, monkeypatch):
    with serving(tmp_path) as api:
        api.faults.replies.append(Reply(200, b"by way of the proxy"))
        monkeypatch.setenv("http_proxy", api.url)
        monkeypatch.setenv("no_proxy", "")

        answer = Http().ask("GET", "http://api.example/x", {}, None)

    assert answer.body == b"by way of the proxy"


def zipped():
    place = io.BytesIO()
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr("label.json", '{"id":"1"}\n' * 50)
    return place.getvalue()


def tarred():
    place = io.BytesIO()
    with tarfile.open(fileobj=place, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("label.json"))
    return place.getvalue()


WHOLE = {
    "gzip": gzip.compress(b'{"id":"1"}\n', mtime=0),
    "zip": zipped(),
    "tar": tarred(),
    "json": b'\xef\xbb\xbf {"id":"1"}\n',
    "": b"",
}


@pytest.mark.parametrize("kind", WHOLE)
def test_a_whole_file_tells_its_kind(tmp_path, kind):
    path = tmp_path / "file"
    path.write_bytes(WHOLE[kind])

    assert check(path) == kind


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (WHOLE["gzip"][:-3], "ends too early"),
        (WHOLE["gzip"] + b"more", "damaged"),
        (WHOLE["gzip"][:-6] + b"\0" + WHOLE["gzip"][-5:], "damaged"),
        (WHOLE["zip"][:-30], "zip file is damaged"),
        (WHOLE["zip"].replace(b'"1"', b'"2"'), "damaged at label.json"),
        (b"\n <Error><Code>NoSuchKey</Code></Error>", "web page or an error"),
    ],
)
def test_a_damaged_file_is_told(tmp_path, data, words):
    path = tmp_path / "file"
    path.write_bytes(data)

    with pytest.raises(Damaged, match=words):
        check(path)
