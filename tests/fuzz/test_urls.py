"""Any URL selects a driver and is understood or refused, without its password."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eds_core.destination import find_driver
from eds_core.errors import ConfigError
from eds_core.stream.address import check_scheme, needs_tls, shown
from eds_core.urls import parameters, redact, without_parameters
from fuzz.damage import INTERESTING, damaged, fuzzed, text

SECRET = "hunter2hunter3hunter4"  # no part of any name
URLS = (
    "sqlite:////tmp/shop.db?busy_timeout=5",
    f"postgresql://eds:{SECRET}@db.example.com:5432/shop?sslmode=require",
    f"postgres://eds:{SECRET}@[::1]:5432,other/shop?connect_timeout=5",
    f"cockroachdb://eds:{SECRET}@localhost:26257/shop?sslmode=disable",
    f"mysql://eds:{SECRET}@localhost:3306/shop?ssl_mode=REQUIRED",
    f"mariadb://eds:{SECRET}@db.example.com/shop?ssl-ca=/etc/ca.pem",
    f"sqlserver://sa:{SECRET}@localhost:1433/shop?encrypt=strict&driver=FreeTDS",
    f"snowflake://eds:{SECRET}@account/shop/public?warehouse=W&freshness=10m",
)
SERVERS = ("nats://localhost:4222", "tls://eds:x@nats.example.com", "[::1]:4222")
PLACES = st.floats(0, 1, exclude_max=True)
PIECES = st.one_of(st.sampled_from(INTERESTING).map(text), st.text(max_size=5))


def understood(url):
    """Whether a driver can be made of *url*; what is told if not."""
    try:
        find_driver(url)(url)
    except ConfigError as error:
        return f"{error} {error.advice} {error.__cause__!r} {error.__cause__}"
    return ""


@fuzzed
@given(damaged([url.encode() for url in URLS]))
def test_a_damaged_url_is_understood_or_refused(data):
    understood(text(data))


@fuzzed
@given(st.sampled_from(URLS), st.text(max_size=40))
def test_anything_behind_a_scheme_is_understood_or_refused(url, rest):
    understood(f"{url.partition('://')[0]}://{rest}")


@pytest.mark.parametrize("url", URLS[1:], ids=lambda url: url.partition(":")[0])
def test_a_url_that_is_wrong_elsewhere_does_not_tell_its_password(url):
    @fuzzed
    @given(st.lists(st.tuples(PLACES, PIECES, st.integers(0, 3)), max_size=3))
    def told(changes):
        before, secret, after = url.partition(SECRET)
        for place, piece, removed in changes:
            at = int(place * len(after))
            after = after[:at] + piece + after[at + removed :]
        wrong = before + secret + after
        assert SECRET not in redact(wrong)
        assert SECRET not in understood(wrong)

    told()


@fuzzed
@given(st.sampled_from("@/?#&=:; %"), PIECES, st.integers(1, 20))
def test_no_part_of_an_unencoded_password_is_told(special, piece, at):
    wrong = (
        f"postgresql://eds:{SECRET[:at]}{special}{piece}{SECRET}@db.example.com/shop"
    )

    assert SECRET not in redact(wrong)


@fuzzed
@given(st.text())
def test_any_text_has_parameters_that_can_be_taken_out(url):
    found = parameters(url)

    assert parameters(without_parameters(url, found)) == {}
    assert isinstance(redact(url), str)


@fuzzed
@given(damaged([server.encode() for server in SERVERS]))
def test_a_damaged_address_of_nats_is_one_or_refused(data):
    server = text(data)
    try:
        check_scheme(server)
    except ConfigError as error:
        assert str(error)  # noqa: PT017 - both ends are right
    else:
        assert needs_tls(server) in (True, False)


@fuzzed
@given(damaged([b"@nats.example.com", b""]), st.sampled_from(["nats", "tls", "x"]))
def test_a_wrong_address_of_nats_does_not_tell_its_password(data, scheme):
    server = f"{scheme}://eds:{SECRET}{text(data)}"

    assert SECRET not in shown(server)
