"""A URL finds its driver, and plugins see every verb that it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoints
from pathlib import Path
from textwrap import dedent

import pytest

from eds_core import (
    Column,
    ColumnType,
    ConfigError,
    Driver,
    Finding,
    Row,
    SchemaChange,
    TableSchema,
    TransientError,
    Verdict,
    Version,
    VersionedKey,
    hookimpl,
)
from eds_core.destination import (
    Destination,
    find_driver,
    open_destination,
    scheme_of,
)
from eds_core.driver import VERBS, Loaded
from eds_core.plugins import BatchReport, installed_plugins

ID = Column("id", ColumnType.TEXT)
TABLE = TableSchema("customer", "v1", (ID,), ("id",))
ROW = Row(("c1",), Version(1), b'{"id":"c1"}')
KEY = VersionedKey(("c1",), Version(1))
REPORT = BatchReport(events=1, bytes=1, seconds=0.1, rows={}, quarantined=0)

MODULE = """
from tests_of_destination import Memory


class Shop(Memory):
    title = "{title}"
"""


class Memory(Driver):
    """Remembers what it was asked for."""

    title = "memory"
    example_url = "memory://"

    def __init__(self, url: str) -> None:
        self.url = url
        self.calls: list[str] = []

    def open(self) -> None:
        self.calls.append("open")

    def close(self) -> None:
        self.calls.append("close")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.calls.append("begin")
        yield
        self.calls.append("commit")

    def columns(self, table):
        return {"id": ColumnType.TEXT} if table == "present" else {}

    @hookimpl
    def migrate(self, change):
        self.calls.append(f"migrate {change}")
        return 1

    @hookimpl
    def upsert(self, table, rows):
        self.calls.append(f"upsert {table.name}")
        return len(rows)

    @hookimpl
    def delete(self, table, keys):
        self.calls.append(f"delete {table.name}")
        return len(keys)

    @hookimpl
    def bulk_load(self, table, rows):
        self.calls.append(f"bulk_load {table.name}")
        return Loaded(inserted=sum(1 for _ in rows))


Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a distribution where Python finds it, as pip would."""
    monkeypatch.setitem(sys.modules, "tests_of_destination", sys.modules[__name__])
    monkeypatch.syspath_prepend(str(tmp_path))
    modules = set(sys.modules)

    def install(name: str, entries: str, source: str, group="eds.drivers") -> None:
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        )
        (info / "entry_points.txt").write_text(f"[{group}]\n{entries}\n")
        (tmp_path / f"{name}.py").write_text(dedent(source))

    yield install
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def refusal(url: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        find_driver(url)
    return caught.value


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("memory://host/db", "memory"),
        ("postgresql+psycopg://host/db", "postgresql"),
        ("SQLite:///file.db", "sqlite"),
        ("sqlite://", "sqlite"),
    ],
)
def test_the_scheme_of_a_url_is_what_stands_before_it(url, scheme):
    assert scheme_of(url) == scheme


@pytest.mark.parametrize("url", ["", "shop.db", "postgresql:/host", "://host", "a:b@c"])
def test_what_has_no_scheme_is_no_destination(url):
    with pytest.raises(ConfigError, match="a destination is a URL such as"):
        scheme_of(url)


def test_an_unknown_scheme_comes_with_the_command_that_installs_it(install):
    install("eds_driver_known", "known = eds_driver_known:Shop", "")

    error = refusal("oracle://scott:tiger@host/db")

    assert "no driver for oracle:// is installed; installed:" in str(error)
    assert "known" in str(error)
    assert error.advice == "pip install eds-driver-oracle"


def test_an_error_over_a_url_never_shows_its_password():
    error = refusal("oracle://scott:tiger@host/db")

    assert "tiger" not in f"{error} {error.advice}"


@pytest.mark.parametrize(
    ("scheme", "name"),
    [("mariadb", "mysql"), ("mysql", "mysql"), ("file", "parquet"), ("s3", "parquet")],
)
def test_the_advice_names_the_distribution_and_not_the_scheme(
    scheme, name, monkeypatch
):
    nothing_installed = lambda **_: EntryPoints()  # noqa: E731 - as short as it is
    monkeypatch.setattr("eds_core.destination.entry_points", nothing_installed)

    assert refusal(f"{scheme}://host/db").advice == f"pip install eds-driver-{name}"


def test_a_url_finds_the_driver_that_names_its_scheme(install):
    install(
        "eds_driver_shop", "shop = eds_driver_shop:Shop", MODULE.format(title="Shop")
    )

    assert find_driver("shop+tls://host/db").title == "Shop"


def test_only_the_chosen_distribution_is_imported(install):
    source = MODULE.format(title="Shop")
    install("eds_driver_shop", "shop = eds_driver_shop:Shop", source)
    install("eds_driver_other", "other = eds_driver_other:Shop", "1 / 0")

    find_driver("shop://host/db")

    assert "eds_driver_shop" in sys.modules
    assert "eds_driver_other" not in sys.modules


def test_a_scheme_that_two_distributions_claim_is_refused_unimported(install):
    install("eds_driver_one", "shop = eds_driver_one:Shop", "1 / 0")
    install("eds_driver_two", "shop = eds_driver_two:Shop", "1 / 0")

    error = refusal("shop://host/db")

    assert str(error) == (
        "shop:// is claimed by eds_driver_one:Shop and eds_driver_two:Shop"
    )
    assert "uninstall all but one" in error.advice


@pytest.mark.parametrize(
    "source",
    [
        "1 / 0",
        "raise SystemExit('no')",
        "import not_installed_anywhere",
        "raise SystemError('no')",
        "x =",
    ],
)
def test_a_driver_that_cannot_be_imported_is_a_matter_of_configuration(install, source):
    install("eds_driver_shop", "shop = eds_driver_shop:Shop", source)

    error = refusal("shop://host/db")

    assert "the driver eds_driver_shop:Shop cannot be loaded" in str(error)
    assert error.__cause__ is not None


def test_a_driver_that_is_not_in_its_module_is_said(install):
    install("eds_driver_shop", "shop = eds_driver_shop:Shop", "")

    assert "cannot be loaded" in str(refusal("shop://host/db"))


@pytest.mark.parametrize("source", ["Shop = 7", "class Shop: ..."])
def test_a_driver_that_is_none_is_refused(install, source):
    install("eds_driver_shop", "shop = eds_driver_shop:Shop", source)

    assert "is not a subclass of eds_core.Driver" in str(refusal("shop://host/db"))


def test_a_destination_is_opened(install):
    source = MODULE.format(title="Shop")
    install("eds_driver_shop", "shop = eds_driver_shop:Shop", source)

    destination = open_destination("shop://host/db")

    assert destination.title == "Shop"
    assert destination.driver.url == "shop://host/db"
    assert destination.driver.calls == ["open"]


def test_a_destination_that_does_not_open_is_closed_again(install):
    source = MODULE.format(title="Shop") + dedent(
        """
            closed = []

            def open(self):
                from eds_core import TransientError
                raise TransientError("not now")

            def close(self):
                self.closed.append(self.url)
        """
    ).replace("\n", "\n    ")
    install("eds_driver_shop", "shop = eds_driver_shop:Shop", source)

    with pytest.raises(TransientError, match="not now"):
        open_destination("shop://host/db")

    assert vars(find_driver("shop://"))["closed"] == ["shop://host/db"]


def test_each_verb_reaches_the_driver():
    driver = Memory("memory://")
    destination = Destination(driver)

    counts = [
        destination.migrate(SchemaChange(TABLE, creates=True)),
        destination.upsert(TABLE, [ROW, ROW]),
        destination.delete(TABLE, [KEY]),
        destination.bulk_load(TABLE, iter([ROW, ROW, ROW])),
    ]

    assert counts == [1, 2, 1, Loaded(inserted=3)]
    assert driver.calls == [
        "migrate create table customer",
        "upsert customer",
        "delete customer",
        "bulk_load customer",
    ]


def test_a_transaction_is_the_drivers():
    driver = Memory("memory://")

    with Destination(driver).transaction():
        driver.calls.append("work")

    assert driver.calls == ["begin", "work", "commit"]


def test_a_table_is_prepared_only_when_it_lacks_something():
    driver = Memory("memory://")
    destination = Destination(driver)
    present = TableSchema("present", "v1", (ID,), ("id",))

    assert destination.prepare(present) is None
    assert destination.prepare(TABLE) == SchemaChange(TABLE, creates=True, adds=(ID,))
    assert driver.calls == ["migrate create table customer"]


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_without_its_mark_is_found_before_anything_runs(verb):
    unmarked = type("Unmarked", (Memory,), {verb: lambda *_: 0})

    with pytest.raises(ConfigError, match=f"{verb} is implemented by nobody") as caught:
        Destination(unmarked("memory://"))

    assert "@hookimpl" in caught.value.advice


def test_a_verb_has_one_implementation():
    class Second:
        @hookimpl
        def upsert(self, rows):
            return len(rows)

    with pytest.raises(ConfigError, match=r"upsert is implemented by .*driver"):
        Destination(Memory("memory://"), [Second()])


def test_a_wrapper_alone_does_not_implement_a_verb():
    class Wrapped(Memory):
        @hookimpl(wrapper=True)
        def upsert(self):
            return (yield)

    with pytest.raises(ConfigError, match="upsert is implemented by nobody"):
        Destination(Wrapped("memory://"))


def test_a_plugin_wraps_a_verb():
    class Doubling:
        @hookimpl(wrapper=True)
        def upsert(self, rows):
            assert len(rows) == 1
            return 2 * (yield)

    driver = Memory("memory://")

    assert Destination(driver, [Doubling()]).upsert(TABLE, [ROW]) == 2
    assert driver.calls == ["upsert customer"]


def test_a_drivers_error_passes_through_wrappers_as_it_is():
    class Failing(Memory):
        @hookimpl
        def upsert(self):
            raise TransientError("not now")

    class Watching:
        seen: BaseException | None = None

        @hookimpl(wrapper=True)
        def upsert(self):
            try:
                return (yield)
            except TransientError as error:
                self.seen = error
                raise

    watching = Watching()

    with pytest.raises(TransientError, match="not now") as caught:
        Destination(Failing("memory://"), [watching]).upsert(TABLE, [ROW])
    assert watching.seen is caught.value


def test_observers_are_told_all_of_them():
    class Observing:
        def __init__(self):
            self.told = []

        @hookimpl
        def batch_written(self, report):
            self.told.append(report)

        @hookimpl
        def batch_failed(self, error):
            self.told.append(error)

    observers = [Observing(), Observing()]
    destination = Destination(Memory("memory://"), observers)
    error = TransientError("not now")

    destination.batch_written(REPORT)
    destination.batch_failed(error)

    assert [observer.told for observer in observers] == [[REPORT, error]] * 2


def test_each_destination_has_its_own_plugins():
    class Doubling:
        @hookimpl(wrapper=True)
        def upsert(self):
            return 2 * (yield)

    Destination(Memory("memory://"), [Doubling()])

    assert Destination(Memory("memory://")).upsert(TABLE, [ROW]) == 1


def test_a_diagnose_that_nobody_would_call_is_found():
    class Forgetful(Memory):
        def diagnose(self, **_):
            return ()

    with pytest.raises(ConfigError, match="diagnose would never be called") as caught:
        Destination(Forgetful("memory://"))

    assert "@hookimpl" in caught.value.advice


def test_what_looks_and_fails_says_so_without_its_words_and_keeps_no_other():
    class Looking:
        @hookimpl
        def diagnose(self):
            yield Finding("audit", "all is well")

    class Failing:
        @hookimpl
        def diagnose(self):
            yield Finding("first", "was looked at")
            raise ValueError("a secret")

    destination = Destination(Memory("memory://"), [Looking(), Failing()])

    found = destination.diagnose({})

    assert [each.about for each in found] == ["first", "checks", "audit"]
    assert found[1].verdict is Verdict.WRONG
    assert "ValueError" in found[1].told
    assert "secret" not in str(found[1])


AUDIT = """
from eds_core import hookimpl


class Audit:
    {mark}
    def {hook}(self): ...

audit = Audit()
"""


def test_installed_plugins_are_loaded(install):
    source = AUDIT.format(mark="@hookimpl", hook="batch_written")
    install("eds_audit", "audit = eds_audit:audit", source, "eds.plugins")

    assert [type(plugin).__name__ for plugin in installed_plugins()] == ["Audit"]


@pytest.mark.parametrize(
    "hook",
    ["batch_failed", "batch_written", "diagnose", "drops_table", "transform"],
)
def test_a_plugins_hook_that_nobody_would_call_is_found(install, hook):
    source = AUDIT.format(mark="", hook=hook)
    install("eds_audit", "audit = eds_audit:audit", source, "eds.plugins")

    with pytest.raises(ConfigError, match=f"{hook} is not marked as a hook") as caught:
        list(installed_plugins())

    assert "hookimpl" in caught.value.advice


def test_a_plugin_that_is_a_class_is_refused_with_words(install):
    source = AUDIT.format(mark="@hookimpl", hook="transform")
    install("eds_audit", "audit = eds_audit:Audit", source, "eds.plugins")

    with pytest.raises(ConfigError, match="a class has no hooks") as caught:
        list(installed_plugins())

    assert "plugin = Audit()" in caught.value.advice


def test_a_plugin_that_cannot_be_loaded_is_named(install):
    install("eds_audit", "audit = eds_audit:Audit", "1 / 0", "eds.plugins")

    with pytest.raises(ConfigError, match=r"plugin audit \(eds_audit:Audit\)"):
        list(installed_plugins())
