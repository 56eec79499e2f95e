"""Credentials say who we are, and never the secret."""

from __future__ import annotations

import base64
import itertools
import json
import os
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nkeys
import pytest

from eds_core.credentials import Credentials, parse_credentials, read_credentials
from eds_core.errors import ConfigError

NOW = datetime(2025, 3, 3, 12, tzinfo=UTC)
COMPANY = "6287a4154d1a72cc5ce091bb"
OTHER = "0b8ff3a4-0d0f-4f5b-9d9c-0123456789ab"
SUBJECTS = [f"dbchange.*.*.{COMPANY}.*.PUBLIC.>", "_INBOX.>"]
FILE = """\
-----BEGIN NATS USER JWT-----
{jwt}
------END NATS USER JWT------

Keep this file to yourself.

-----BEGIN USER NKEY SEED-----
{seed}
------END USER NKEY SEED------
"""


def new_seed(prefix: int) -> str:
    return nkeys.encode_seed(os.urandom(32), prefix).decode()


def pair(seed: str) -> nkeys.KeyPair:
    return nkeys.from_seed(bytearray(seed.encode()))


def public(seed: str) -> str:
    return pair(seed).public_key.decode()


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


ACCOUNT = new_seed(nkeys.PREFIX_BYTE_ACCOUNT)
USER = new_seed(nkeys.PREFIX_BYTE_USER)


def sign(claims: dict) -> str:
    header = {"typ": "JWT", "alg": "ed25519-nkey"}
    parts = [encoded(json.dumps(part).encode()) for part in (header, claims)]
    signed = ".".join(parts)
    return f"{signed}.{encoded(pair(ACCOUNT).sign(signed.encode()))}"


def token(subjects=SUBJECTS, nats=None, **claims) -> str:
    body = {"type": "user", "version": 2, "sub": {"allow": subjects}, **(nats or {})}
    identity = {"iss": public(ACCOUNT), "sub": public(USER), "name": "shop"}
    return sign({**identity, "nats": body, **claims})


def text(jwt: str | None = None, seed: str = USER) -> str:
    return FILE.format(jwt=jwt or token(), seed=seed)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.creds"
    path.write_text(text())
    path.chmod(0o600)
    return path


def refusal(content: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse_credentials(content)
    return caught.value


def test_a_file_names_its_user_its_account_and_its_companies(file):
    found = read_credentials(file)

    assert (
        Credentials(
            path=file, name="shop", companies=(COMPANY,), account=public(ACCOUNT)
        )
        == found
    )


def test_companies_keep_their_order_and_are_named_once():
    subjects = [
        f"dbchange.*.*.{OTHER}.*.PUBLIC.>",
        f"dbchange.*.*.{COMPANY}.>",
        f"dbchange.*.*.{OTHER}.>",
    ]

    found = parse_credentials(text(token(subjects)))

    assert found.companies == (OTHER, COMPANY)


@pytest.mark.parametrize(
    "subject",
    [
        "dbchange.*.*.*.*.PUBLIC.>",
        "dbchange.*.*.>",
        "something.else.with.many.parts",
        "eds.notify.0b8ff3a4.>",
        f"x.dbchange.*.*.{COMPANY}.>",
        f"dbchangeX*X*X{COMPANY}.>",
        f"dbchange.*.*.{COMPANY.upper()}.>",
        f"dbchange.*.*.{COMPANY}",
    ],
)
def test_a_subject_of_another_shape_is_no_company(subject):
    error = refusal(text(token([subject])))

    assert "no company" in str(error)
    assert "ask Shopmonkey" in error.advice


def test_a_user_without_permissions_has_no_company():
    assert "no company" in str(refusal(text(token(nats={"sub": {}}))))


def test_the_issuing_account_goes_before_the_signing_key():
    jwt = token(nats={"issuer_account": "AACCOUNT"})

    assert parse_credentials(text(jwt)).account == "AACCOUNT"


def test_a_session_is_read_when_there_is_one():
    jwt = token([*SUBJECTS, "eds.notify.0b8ff3a4-0d0f.>"])

    assert parse_credentials(text(jwt)).session == "0b8ff3a4-0d0f"
    assert parse_credentials(text()).session is None


def test_three_dashes_are_enough_around_a_title():
    content = text().replace("------", "---").replace("-----", "---")

    assert parse_credentials(content).companies == (COMPANY,)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.creds: No such file") as caught:
        read_credentials(tmp_path / "none.creds")

    assert ".creds file" in caught.value.advice


def test_a_directory_is_no_file(tmp_path):
    with pytest.raises(ConfigError, match="Is a directory") as caught:
        read_credentials(tmp_path)

    assert "inside" in caught.value.advice


def test_a_file_that_cannot_be_opened_is_a_matter_of_configuration(tmp_path):
    loop = tmp_path / "loop.creds"
    loop.symlink_to(loop)

    with pytest.raises(ConfigError, match="cannot read the credentials"):
        read_credentials(loop)
    with pytest.raises(ConfigError, match="cannot read the credentials"):
        read_credentials(Path("nul\0byte"))


def test_an_endless_file_is_not_read_to_its_end():
    with pytest.raises(ConfigError, match="too large"):
        read_credentials(Path("/dev/zero"))


def test_a_binary_file_is_refused(tmp_path):
    path = tmp_path / "shop.creds"
    path.write_bytes(bytes(range(256)).replace(b"\r", b""))

    with pytest.raises(ConfigError, match="holds no block"):
        read_credentials(path)


@pytest.mark.parametrize("content", ["", " \n\t\n"])
def test_an_empty_file_is_called_empty(content):
    assert "is empty" in str(refusal(content))


def test_windows_line_ends_are_refused_since_nats_cannot_read_them():
    error = refusal(text().replace("\n", "\r\n"))

    assert "line ends" in str(error)
    assert "dos2unix" in error.advice


def test_a_bare_token_is_not_a_credentials_file():
    assert "no block `NATS USER JWT`" in str(refusal(token()))


def test_a_file_without_a_seed_cannot_log_in():
    content = text().partition("-----BEGIN USER NKEY SEED")[0]

    assert "no block `USER NKEY SEED`" in str(refusal(content))


@pytest.mark.parametrize(
    "jwt",
    [
        "x",
        "a.b.c",
        "a.b.c.d",
        "é.é.é",
        f"x.{encoded(b'[]')}.x",
        f"x.{encoded(b'{}')}.x",
        f"x.{encoded(b'{' + b'[' * 10_000)}.x",
        f"x.{encoded(b'[' * 5_000)}.x",
    ],
)
def test_a_token_that_is_none_is_called_damaged(jwt):
    assert "the JWT in credentials is damaged" in str(refusal(text(jwt)))


@pytest.mark.parametrize("exp", [10**15, -(10**15), "soon", 1.5])
def test_an_expiry_that_is_no_date_is_damage(exp):
    assert "damaged" in str(refusal(text(token(exp=exp))))


def test_a_token_of_an_account_is_not_a_users():
    assert "not a user's" in str(refusal(text(token(nats={"type": "account"}))))


def test_an_edited_token_is_refused():
    head, payload, signature = token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims["nats"]["sub"]["allow"] = [f"dbchange.*.*.{OTHER}.>"]
    edited = encoded(json.dumps(claims).encode())

    assert "was changed" in str(refusal(text(f"{head}.{edited}.{signature}")))


@pytest.mark.parametrize("issuer", ["", "A", "not base32!", "é", "A" * 56])
def test_a_token_whose_issuer_is_no_key_is_refused(issuer):
    assert "signature" in str(refusal(text(token(iss=issuer))))


@pytest.mark.parametrize(
    "seed", ["SU", "é", "SUAAAA", USER.lower(), USER[:-8]], ids=itertools.count()
)
def test_a_damaged_seed_is_refused(seed):
    assert "the seed in credentials is damaged" in str(refusal(text(seed=seed)))


def test_a_seed_of_another_user_is_refused():
    seed = new_seed(nkeys.PREFIX_BYTE_USER)

    assert "another user" in str(refusal(text(seed=seed)))


def test_expired_credentials_are_refused_with_the_time(file):
    file.write_text(text(token(exp=int(NOW.timestamp()))))

    with pytest.raises(ConfigError, match="expired at 2025-03-03 12:00 UTC") as caught:
        read_credentials(file, NOW)

    assert "new credentials file" in caught.value.advice


def test_credentials_are_good_up_to_their_last_second(file):
    file.write_text(text(token(exp=int(NOW.timestamp()))))

    found = read_credentials(file, NOW - timedelta(seconds=1))

    assert found.expires == NOW


def test_credentials_without_expiry_are_good_for_ever(file):
    assert read_credentials(file, datetime.max.replace(tzinfo=UTC)).expires is None


def test_good_credentials_give_no_warnings(file):
    later = NOW + timedelta(days=15)
    file.write_text(text(token(exp=int(later.timestamp()))))

    assert read_credentials(file, NOW).warnings(NOW) == []


def test_credentials_that_expire_within_14_days_give_a_warning(file):
    later = NOW + timedelta(days=14)
    file.write_text(text(token(exp=int(later.timestamp()))))

    (warning,) = read_credentials(file, NOW).warnings(NOW)

    assert "expires at 2025-03-17 12:00 UTC" in warning


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o777])
def test_a_file_that_others_can_read_gives_a_warning(file, mode):
    file.chmod(mode)

    (warning,) = read_credentials(file, NOW).warnings(NOW)

    assert f"mode {mode:04o}" in warning
    assert warning.endswith(f"chmod 600 {file}")


def test_the_command_in_a_warning_can_be_pasted(tmp_path):
    path = tmp_path / "my shop.creds"
    path.write_text(text())
    path.chmod(0o644)

    (warning,) = read_credentials(path).warnings(NOW)

    assert f"chmod 600 '{path}'" in warning


def test_neither_the_token_nor_the_seed_is_ever_shown():
    jwt = token()
    shown = repr(parse_credentials(text(jwt)))

    assert jwt not in shown
    assert jwt.split(".")[1] not in shown
    assert USER not in shown


@pytest.mark.parametrize(
    ("jwt", "seed"),
    [
        (token(nats={"type": "account"}), USER),
        (token(iss="A"), USER),
        (token()[:-9], USER),
        (token() + ".x", USER),
        (token(exp="x"), USER),
        (token([]), USER),
        (token(), USER[:-8]),
        (token(), new_seed(nkeys.PREFIX_BYTE_USER)),
    ],
    ids=itertools.count(),  # keys are made anew each time, names are not
)
def test_errors_and_their_tracebacks_show_no_secret(jwt, seed):
    lines = "".join(traceback.format_exception(refusal(text(jwt, seed))))

    assert jwt.split(".")[1][:40] not in lines
    assert seed not in lines
