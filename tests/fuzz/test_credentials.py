"""Any credentials file is read or refused, and never tells its secrets."""

import re

from hypothesis import given

from eds_core.credentials import Credentials, parse_credentials
from eds_core.errors import ConfigError
from eds_core.sandbox import COMPANY, Keys, issue_credentials
from fuzz.damage import damaged, fuzzed, text

SHOWN = 12  # characters in a row of a secret that would be too many


def files(directory):
    return [
        issue_credentials(Keys.of(directory), companies, name="shop").encode()
        for companies in ([COMPANY], [COMPANY, "c0ffee00c0ffee00c0ffee01"])
    ]


def secrets(file):
    """Parts of the token and of the seed."""
    words = re.findall(r"[\w.-]{50,}", file.decode())
    return {w[i : i + SHOWN] for w in words for i in range(len(w) - SHOWN)}


def test_a_damaged_file_is_credentials_or_refused_without_its_secrets(
    tmp_path_factory,
):
    valid = files(tmp_path_factory.mktemp("keys"))
    hidden = set().union(*map(secrets, valid))
    accepted = []

    @fuzzed
    @given(damaged(valid))
    def reads(data):
        try:
            accepted.append(parse_credentials(text(data)))
        except ConfigError as error:
            told = f"{error} {error.advice} {error.__cause__!r} {error!r}"
            assert not any(part in told for part in hidden)

    reads()

    assert all(isinstance(each, Credentials) for each in accepted)
    assert any(each.companies == (COMPANY,) for each in accepted)  # not all refused
