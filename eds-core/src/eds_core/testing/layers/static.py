"""Layer 1, static: what can be known of a driver without its database."""

from __future__ import annotations

import inspect
import logging
import select
import socket
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from urllib.parse import urlsplit, urlunsplit

import pytest

from eds_core.destination import DRIVERS, Destination, find_driver, scheme_of
from eds_core.driver import VERBS, Capabilities, Driver
from eds_core.errors import ConfigError, DestinationError, EdsError, TransientError
from eds_core.ledger import Ledger
from eds_core.schema import ColumnType
from eds_core.sql import SqlDriver
from eds_core.testing.suite import Suite, needs
from eds_core.urls import redact

SECRET = "hid-den-pass-word"  # noqa: S105 - what must never be seen
_SOON = 2.0  # seconds


class Static(Suite):
    """The class keeps the contract before it ever connects."""

    @needs("entry point")
    def test_the_entry_point_resolves_to_the_driver(self) -> None:
        driver = self.driver_class()
        mine = [e.name for e in entry_points(group=DRIVERS) if e.load() is driver]

        assert (self.scheme or scheme_of(self.url or "")) in mine
        assert scheme_of(driver.example_url) in mine
        assert find_driver(driver.example_url) is driver

    def test_it_says_what_it_is(self) -> None:
        driver = self.driver_class()

        assert driver.title.strip()
        assert driver.__doc__
        assert not inspect.isabstract(driver)

    def test_each_verb_is_implemented_once(self) -> None:
        Destination(self.made())

    @pytest.mark.parametrize("verb", VERBS)
    def test_verbs_have_the_contracts_signature(self, verb: str) -> None:
        """What the first contract gave it takes; what came later it may."""
        own = [*inspect.signature(getattr(self.driver_class(), verb)).parameters]
        contract = [*inspect.signature(getattr(Driver, verb)).parameters]

        assert set(VERBS[verb]) <= set(own) <= set(contract)
        assert own == [name for name in contract if name in own]

    def test_its_capabilities_make_sense(self) -> None:
        found = self.driver_class().capabilities

        assert isinstance(found, Capabilities)
        assert isinstance(found.transactions, bool)
        assert 1 <= found.max_rows <= 1_000_000

    def test_it_has_a_ledger_before_it_is_open(self) -> None:
        assert isinstance(self.made().ledger, Ledger)

    @needs("sql")
    def test_each_type_has_a_spelling_of_its_own(self) -> None:
        driver = self.made()
        assert isinstance(driver, SqlDriver)

        assert set(driver.types) == set(ColumnType)
        assert len(set(driver.types.values())) == len(ColumnType)
        assert set(driver.key_types) <= set(ColumnType)

    def test_skips_name_tests_and_give_reasons(
        self, request: pytest.FixtureRequest
    ) -> None:
        known = {name for name in dir(self) if name.startswith("test_")} | self.rules()
        items = request.session.items
        cases = {i.name for i in items if getattr(i, "cls", None) is type(self)}
        # Of a test that is not run now, nobody can say what its cases are called.
        away = known - {without_parameters(name) for name in cases}

        unknown = set(self.skips) - known - cases
        assert [n for n in unknown if without_parameters(n) not in away] == []
        assert [name for name, why in self.skips.items() if not why.strip()] == []

    @classmethod
    def rules(cls) -> set[str]:
        """What may be skipped besides tests."""
        return set()

    def test_making_one_takes_no_database(self) -> None:
        with silent_listener() as (host, port, connected):
            began = time.monotonic()
            driver = self.driver_class()(self.somewhere(host, port))
            took = time.monotonic() - began

            assert not connected()
        assert took < _SOON
        driver.close()

    def test_closing_twice_or_what_was_never_open_is_fine(self) -> None:
        driver = self.made()
        driver.close()
        driver.close()

    @pytest.mark.parametrize(
        "url",
        [
            "{scheme}://",
            "{scheme}://u:{secret}@h:x/%zz?a=[",
            "{scheme}://u:{secret}@:0/\0",
            "{scheme}://u:{secret}@h/d?unknown=1&password={secret}",
        ],
        ids=["empty", "bad port", "NUL", "parameter"],
    )
    def test_a_url_that_is_none_is_refused_without_its_secret(self, url: str) -> None:
        scheme = scheme_of(self.driver_class().example_url)
        try:
            driver = self.driver_class()(url.format(scheme=scheme, secret=SECRET))
            driver.close()
        except ConfigError as error:
            assert SECRET not in told(error)
            assert error.advice

    def test_no_repr_holds_the_password(self) -> None:
        with silent_listener() as (host, port, _):
            driver = self.driver_class()(self.somewhere(host, port))

        shown = repr(driver) + repr(driver.ledger) + str(driver)
        assert SECRET not in shown

    @needs("server")
    def test_nobody_there_is_told_without_the_password(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        with silent_listener() as (host, port, _):
            pass
        driver = self.driver_class()(self.somewhere(host, port))

        with caplog.at_level(logging.DEBUG), pytest.raises(EdsError) as caught:
            driver.open()

        driver.close()
        driver.close()
        assert isinstance(caught.value, TransientError)
        assert SECRET not in told(caught.value) + caplog.text
        with pytest.raises(DestinationError):
            driver.ledger.checkpoints()

    def made(self) -> Driver:
        """A driver that never connects."""
        driver = self.driver_class()
        return driver(driver.example_url)

    def somewhere(self, host: str, port: int) -> str:
        """The example's URL, with a secret for a password, and another host."""
        example = self.driver_class().example_url
        if self.is_embedded():
            return example
        parts = urlsplit(example)
        place = parts._replace(netloc=f"user:{SECRET}@{host}:{port}")
        return self.redirected(urlunsplit(place), host, port)

    @needs("server")
    def test_the_password_is_masked_where_a_url_is_shown(self) -> None:
        assert SECRET not in redact(self.somewhere("127.0.0.1", 1))


def without_parameters(name: str) -> str:
    return name.partition("[")[0]


def told(error: BaseException) -> str:
    """All that a log could say of *error*, its causes included."""
    advice = getattr(error, "advice", "")
    return f"{error!r} {advice} " + "".join(traceback.format_exception(error))


@contextmanager
def silent_listener() -> Iterator[tuple[str, int, Callable[[], bool]]]:
    """A port that says nothing, and a way to learn whether somebody came."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def connected() -> bool:
            return bool(select.select([listening], [], [], 0.05)[0])

        host, port = listening.getsockname()
        yield host, port, connected
