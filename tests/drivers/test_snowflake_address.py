"""What a Snowflake URL may look like, and how EDS logs in. No account is needed."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from eds_core.destination import find_driver
from eds_core.errors import ConfigError
from eds_driver_snowflake import SnowflakeDriver
from eds_driver_snowflake.address import FRESHNESS, parse
from eds_driver_snowflake.keys import PASSPHRASE, PASSWORD, PRIVATE_KEY, proof

URL = "snowflake://u:hid%40den@org-acc/DB/S?warehouse=W&role=R"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in (PASSWORD, PRIVATE_KEY, PASSPHRASE):
        monkeypatch.delenv(name, raising=False)


def test_the_scheme_selects_the_driver():
    assert find_driver(URL) is SnowflakeDriver


def test_a_url_names_everything():
    found = parse(URL)

    assert (found.account, found.user, found.password) == ("org-acc", "u", "hid@den")
    assert (found.database, found.schema) == ("DB", "S")
    assert (found.warehouse, found.role, found.host) == ("W", "R", "")
    assert found.freshness == FRESHNESS


@pytest.mark.parametrize(
    ("place", "account", "host", "port"),
    [
        ("org-acc", "org-acc", "", None),
        ("ab12345.eu-central-1.aws", "ab12345.eu-central-1.aws", "", None),
        (
            "org-acc.snowflakecomputing.com",
            "org-acc",
            "org-acc.snowflakecomputing.com",
            None,
        ),
        ("127.0.0.1:99/", "127", "127.0.0.1", 99),
    ],
)
def test_accounts_and_hosts(place, account, host, port):
    found = parse(f"snowflake://u:p@{place}/DB/S")

    assert (found.account, found.host, found.port) == (account, host, port)


def test_a_url_of_the_old_server_still_works():
    parse("snowflake://u:p@acc/DB/S?warehouse=W&client_session_keep_alive=true")


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("0s", 0), ("90s", 90), ("10m", 600), ("1h", 3600)]
)
def test_freshness_is_a_duration(text, seconds):
    assert SnowflakeDriver(f"{URL}&freshness={text}").freshness == seconds


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("snowflake://u:hidden@acc/DB", "does not name a database and a schema"),
        ("snowflake://u:hidden@acc", "does not name a database and a schema"),
        ("snowflake://acc/DB/S", "names no user"),
        ("snowflake://u:hidden@/DB/S", "names no account"),
        ("snowflake://u:hidden@acc:port/DB/S", "is not a Snowflake URL"),
        ("snowflake://u:hidden@acc/DB/S?wat=1", "does not know: wat"),
        ("snowflake://u:hidden@acc/DB/S?freshness=soon", "is not a duration"),
        ("snowflake://u:hidden@acc/DB/S?freshness=2h", "longer than an hour"),
        ("snowflake://u:hidden@acc/DB/S?protocol=ftp", "neither https nor http"),
        ("snowflake://u:hidden@acc/DB/S?protocol=http", "unencrypted"),
    ],
)
def test_a_wrong_url_is_told_without_its_password(url, told):
    with pytest.raises(ConfigError, match=told) as caught:
        SnowflakeDriver(url)

    assert "hidden" not in f"{caught.value} {caught.value.advice}"
    assert caught.value.advice


def test_no_secret_is_in_what_is_shown_of_an_address():
    assert "hid" not in repr(parse(URL))
    assert "hid" not in repr(SnowflakeDriver(URL))


def test_a_password_comes_from_the_url_or_from_a_variable(monkeypatch):
    monkeypatch.setenv(PASSWORD, "other")

    assert proof(parse(URL)) == {"password": "hid@den"}
    assert proof(parse("snowflake://u@acc/DB/S")) == {"password": "other"}


def test_without_password_and_key_the_variables_are_named():
    with pytest.raises(ConfigError) as caught:
        proof(parse("snowflake://u@acc/DB/S"))

    assert PASSWORD in caught.value.advice
    assert PRIVATE_KEY in caught.value.advice


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key, passphrase=b""):
    cipher = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, cipher).decode()


def numbers(login):
    assert login["authenticator"] == "SNOWFLAKE_JWT"
    return load_der_private_key(login["private_key"], None).private_numbers()


def test_a_key_comes_from_a_file(key, tmp_path, caplog):
    path = tmp_path / "key.p8"
    path.write_text(pem(key))
    path.chmod(0o644)
    login = proof(parse(f"snowflake://u@acc/DB/S?private_key_path={path}"))

    assert numbers(login) == key.private_numbers()
    assert "chmod 600" in caplog.text


def test_a_key_comes_from_a_variable_and_so_does_its_passphrase(key, monkeypatch):
    monkeypatch.setenv("MY_KEY", pem(key, b"hidden"))
    monkeypatch.setenv("MY_WORD", "hidden")
    url = "snowflake://u@acc/DB/S?private_key_env=MY_KEY"
    named = f"{url}&private_key_passphrase_env=MY_WORD"

    assert numbers(proof(parse(named))) == key.private_numbers()
    monkeypatch.setenv(PASSPHRASE, "hidden")
    assert numbers(proof(parse(url))) == key.private_numbers()


def test_a_key_in_edss_own_variable_needs_no_parameter(key, monkeypatch):
    monkeypatch.setenv(PRIVATE_KEY, pem(key))

    login = proof(parse("snowflake://u@acc/DB/S"))
    assert numbers(login) == key.private_numbers()


@pytest.mark.parametrize(
    ("locked", "word", "told"),
    [
        (b"hidden", "", "is encrypted"),
        (b"hidden", "wrong-word", "passphrase is wrong"),
        (b"", "wrong-word", "is not encrypted"),
    ],
)
def test_a_key_that_cannot_be_opened_is_told(key, monkeypatch, locked, word, told):
    text = pem(key, locked)
    monkeypatch.setenv(PRIVATE_KEY, text)
    monkeypatch.setenv(PASSPHRASE, word)

    with pytest.raises(ConfigError, match=told) as caught:
        proof(parse("snowflake://u@acc/DB/S"))

    shown = f"{caught.value} {caught.value.advice}"
    assert not any(line in shown for line in text.splitlines()[1:-1])
    assert "wrong-word" not in shown


def test_a_key_that_is_none_or_missing_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("MY_KEY", base64.b64encode(b"hidden").decode())

    with pytest.raises(ConfigError, match="cannot be decoded"):
        proof(parse("snowflake://u@acc/DB/S?private_key_env=MY_KEY"))
    with pytest.raises(ConfigError, match="holds no private key"):
        proof(parse("snowflake://u@acc/DB/S?private_key_env=NO_KEY"))
    with pytest.raises(ConfigError, match="cannot read the private key"):
        proof(parse(f"snowflake://u@acc/DB/S?private_key_path={tmp_path}/no.p8"))
