"""``eds drivers``: what is installed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import Distribution, EntryPoint
from itertools import groupby
from typing import TYPE_CHECKING

import click

from eds_core.console import printable
from eds_core.errors import ConfigError
from eds_core.installed import entry_points
from eds_core.urls import redact

if TYPE_CHECKING:
    from eds_core.driver import Driver


@dataclass(frozen=True, slots=True)
class Installed:
    """An installed driver class; what is not known of a broken one is empty."""

    driver: str  # as its entry points name it: module and class
    schemes: tuple[str, ...]
    distribution: str
    version: str
    origin: str  # the directory that it is imported from, or what pip was given
    title: str = ""
    example_url: str = ""
    contract: int | None = None
    capabilities: Mapping[str, object] = field(default_factory=dict)
    #: Why it cannot be used; empty when it can.
    broken: str = ""


@click.command("drivers")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def command(*, as_json: bool) -> None:
    """List the installed drivers, and what each can do."""
    from eds_core.destination import DRIVERS

    found = list(installed(entry_points(group=DRIVERS)))
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], indent=2))
        return
    click.echo("\n\n".join("\n".join(map(printable, _lines(each))) for each in found))


def installed(entries: Iterable[EntryPoint]) -> Iterator[Installed]:
    """One for each driver class, in the order of the first scheme of each."""

    def owned(entry: EntryPoint) -> tuple[str, str]:
        return _name(entry.dist), entry.value

    by_class = groupby(sorted(entries, key=owned), owned)
    yield from sorted(
        (_read(list(same)) for _, same in by_class), key=lambda each: each.schemes
    )


def _read(entries: list[EntryPoint]) -> Installed:
    dist, schemes = entries[0].dist, tuple(sorted({e.name for e in entries}))
    version = dist.version if dist else ""
    about = (entries[0].value, schemes, _name(dist), version, _origin(dist))
    try:
        classes = [_found(scheme) for scheme in schemes]
    except ConfigError as error:
        return Installed(*about, broken=f"{error}; {error.advice}".rstrip("; "))
    driver = classes[0]
    can = asdict(driver.capabilities)
    return Installed(*about, driver.title, driver.example_url, driver.contract, can)


def _found(name: str) -> type[Driver]:
    """Return the driver by the *name* of an entry point, or raise ConfigError."""
    from eds_core.destination import find_driver, scheme_of

    url = f"{name}://"
    if (scheme := scheme_of(url)) != name:
        raise ConfigError(
            f"no URL selects the entry point {name!r}: {url} selects {scheme!r}",
            advice="its author has to name it with small letters, and without a +",
        )
    return find_driver(url)


def _name(dist: Distribution | None) -> str:
    return dist.name if dist else ""


def _origin(dist: Distribution | None) -> str:
    """What pip was given where that was not an index, else the directory."""
    if dist is None:
        return ""
    try:  # PEP 610; its URL may hold a token
        return redact(json.loads(dist.read_text("direct_url.json") or "")["url"])
    except (ValueError, LookupError, TypeError):
        return str(dist.locate_file(""))


def _lines(each: Installed) -> Iterator[str]:
    yield " ".join(f"{scheme}://" for scheme in each.schemes)
    yield f"  installed by  {each.distribution or '?'} {each.version}".rstrip()
    yield f"  from          {each.origin or '?'}"
    yield f"  driver        {each.driver}"
    if each.broken:
        yield f"  BROKEN        {each.broken}"
        return
    yield f"  database      {each.title}"
    yield f"  example       {each.example_url}"
    yield f"  contract      {each.contract}"
    can = (f"{name}={value}" for name, value in each.capabilities.items())
    yield f"  capabilities  {' '.join(can)}"
