"""A URL is shown without its secrets, however it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eds_core.urls import is_loopback, parameters, redact, without_parameters
from eds_driver_mysql import connecting as mysql
from eds_driver_sqlserver import address as sqlserver


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:hid%40den@h:1/db", "postgresql://u:***@h:1/db"),
        ("postgresql://u:hid@den/x?y#z@h/db", "postgresql://u:***@h/db"),
        ("postgresql://:hidden@h/db", "postgresql://:***@h/db"),
        ("postgresql://h:5432/db?user=a@b", "postgresql://h:5432/db?user=a@b"),
        ("postgresql://h/db?password=hidden", "postgresql://h/db?password=***"),
        ("x://h/?a=1&pass%77ord=hidden&b=2", "x://h/?a=***&pass%77ord=***&b=***"),
        ("x://h/?Secret-Key=hidden", "x://h/?Secret-Key=***"),
        ("x://u:hidden@h?token=hidden#f", "x://u:***@h?token=***"),
        ("x://h/db?pw=hidden&sslmode=require", "x://h/db?pw=***&sslmode=require"),
        ("x://h/db?sslpassword=a;b#c", "x://h/db?sslpassword=***"),
        ("x://h/db?sslmode=x;pw=hidden", "x://h/db?sslmode=***"),
        (
            "x://h/db?Table-Prefix=shop_&schema=a",
            "x://h/db?Table-Prefix=shop_&schema=a",
        ),
        ("no driver (x://h/db?t=hidden) here", "no driver (x://h/db?t=*** here"),
        ("at 10 s, size=3; pwd=hidden", "at 10 s, size=3; pwd=***"),
        ("host=h password='hid den' user=u", "host=h password=*** user=u"),
        ("postgres//u:hidden@h", "postgres//u:***@h"),
        ("u:hidden@h", "u:***@h"),
        ("postgresql://[::1]:5432/db", "postgresql://[::1]:5432/db"),
        ("postgresql://a:1,b:2/db", "postgresql://a:1,b:2/db"),
        ("postgresql://u:hiddenh/db", "postgresql://u:***"),
        ("postgresql://u:12?hidden@h/db", "postgresql://u:***@h/db"),
        ("bad --size: 9X, not 'x'", "bad --size: 9X, not 'x'"),
        ("extra argument (x://u:hidden@h/db)", "extra argument (x://u:***@h/db)"),
        ("sqlite:////var/lib/shop.db", "sqlite:////var/lib/shop.db"),
        ("", ""),
    ],
)
def test_secrets_are_masked(url, shown):
    assert redact(url) == shown


@pytest.mark.parametrize(
    "name",
    [
        *(name for name in mysql.KNOWN if name != "ssl_key"),
        *sqlserver.KNOWN,
        *("application_name", "target_session_attrs", "sslmode", "sslrootcert"),
        *("schema", "table_prefix", "state", "freshness", "warehouse", "role"),
    ],
)
def test_what_a_driver_takes_and_is_no_secret_can_be_seen(name):
    assert redact(f"x://u:hidden@h/db?{name}=seen") == f"x://u:***@h/db?{name}=seen"


@given(st.text())
def test_any_text_can_be_shown(text):
    redact(text)


@given(
    st.text("ab:@/?#%[]&=", max_size=6).map(lambda text: f"hid{text}den"),
    st.sampled_from(["x://u:{}@h/db", "x://u:{}@h:1/db?a=b", "x://:{}@h"]),
)
def test_no_password_is_ever_shown(password, url):
    assert "den" not in redact(url.format(password))


def test_parameters_are_read_and_taken_out():
    url = "x://h/db?a=1&b=%20x&a=2"

    assert parameters(url) == {"a": "2", "b": " x"}
    assert without_parameters(url, ["a"]) == "x://h/db?b=%20x"
    assert without_parameters(url, ["a", "b"]) == "x://h/db"
    assert parameters("x://h") == {}


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),
        ("db", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_only(host, here):
    assert is_loopback(host) is here
