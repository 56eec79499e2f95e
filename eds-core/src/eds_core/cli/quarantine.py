"""``eds quarantine``: messages that could not be applied."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from eds_core.console import printable
from eds_core.errors import ConfigError, DecodeError

from .opening import destination_at
from .secrets import need_url, split_url, url_options, with_urls

if TYPE_CHECKING:
    from eds_core.ledger import Ledger, Quarantined


@contextmanager
def opened(url: str, *, read_only: bool = False) -> Iterator[Ledger]:
    """The ledger at *url*; *read_only* makes nothing, not even a SQLite file."""
    with destination_at(url, read_only=read_only) as destination:
        yield destination.ledger


urls_argument = click.argument("urls", nargs=-1, metavar="[URL]", envvar="EDS_URL")
ids_argument = click.argument("given", nargs=-1, metavar="[URL] ID...")
all_option = click.option("--all", "everything", is_flag=True, help="Every entry.")


@click.group("quarantine")
def command() -> None:
    """List, show, retry or drop messages that could not be applied."""


@command.command("list", short_help="One line per entry.")
@urls_argument
@url_options
@click.pass_context
def list_(ctx: click.Context, *, urls: tuple[str, ...]) -> None:
    """One line per entry: id, table, event, message, sequence, state, reason."""
    with opened(need_url(ctx, urls), read_only=True) as ledger:
        entries = ledger.quarantined()
    for entry in entries:
        click.echo(printable(_line(entry)))
    click.echo(f"{len(entries)} quarantined", err=True)


def _line(entry: Quarantined) -> str:
    return (
        f"{entry.id}  {entry.table}  event={entry.event_id or '-'}  "
        f"message={entry.message.id or '-'}  sequence={entry.message.sequence}  "
        f"{entry.state}  {entry.at}  {entry.reason}"
    )


@command.command("show", short_help="Show one entry whole.")
@click.argument("given", nargs=-1, required=True, metavar="[URL] ID")
@click.option("--raw", is_flag=True, help="Only the payload, as it came.")
@with_urls
@click.pass_context
def show(
    ctx: click.Context, *, given: tuple[str, ...], urls: tuple[str, ...], raw: bool
) -> None:
    """Show one entry with its reason, its headers and its payload."""
    typed, ids = split_url(given)
    if len(ids) != 1:
        raise ConfigError("name the one entry's id", advice="eds quarantine list URL")
    with opened(need_url(ctx, urls, typed), read_only=True) as ledger:
        entries = ledger.quarantined(ids=ids)
    if not entries:
        raise ConfigError(
            f"no quarantine entry {ids[0]}", advice="eds quarantine list URL"
        )
    entry = entries[0]
    if raw:
        sys.stdout.buffer.write(entry.message.data)
        return
    for name, value in _details(entry).items():
        click.echo(f"{name:10} {printable(value)}")


def _details(entry: Quarantined) -> dict[str, str]:
    return {
        "id": entry.id,
        "company": entry.company,
        "table": entry.table,
        "event": entry.event_id,
        "message": entry.message.id,
        "sequence": str(entry.message.sequence),
        "subject": entry.message.subject,
        "state": entry.state,
        "at": entry.at,
        "reason": entry.reason,
        "advice": entry.advice,
        "headers": str(dict(entry.message.headers)),
        "payload": _readable(entry.message.data),
    }


def _readable(data: bytes) -> str:
    from eds_core.decode import gunzip

    try:
        data = gunzip(data) if data[:2] == b"\x1f\x8b" else data
    except (DecodeError, ValueError):
        return f"{len(data)} bytes: {data[:200]!r}"
    return data.decode("utf-8", "backslashreplace")


@command.command("retry", short_help="Ask the server to apply entries again.")
@ids_argument
@all_option
@with_urls
@click.pass_context
def retry(
    ctx: click.Context,
    *,
    given: tuple[str, ...],
    urls: tuple[str, ...],
    everything: bool,
) -> None:
    """Ask the server to apply entries again: at once, or at its next start."""
    with _meant(ctx, given, urls, everything=everything) as (ledger, chosen):
        count = ledger.set_quarantine_state(chosen, "retry")
    click.echo(f"{count} will be tried again by the server")


@command.command("drop")
@ids_argument
@all_option
@with_urls
@click.pass_context
def drop(
    ctx: click.Context,
    *,
    given: tuple[str, ...],
    urls: tuple[str, ...],
    everything: bool,
) -> None:
    """Forget entries for good."""
    with _meant(ctx, given, urls, everything=everything) as (ledger, chosen):
        count = ledger.drop_quarantined(chosen)
    click.echo(f"{count} dropped")


@contextmanager
def _meant(
    ctx: click.Context,
    given: tuple[str, ...],
    urls: tuple[str, ...],
    *,
    everything: bool,
) -> Iterator[tuple[Ledger, list[str]]]:
    """The ledger, and the entries that are meant; when there are none, only read."""
    typed, ids = split_url(given)
    url = need_url(ctx, urls, typed)
    chosen = _chosen(url, ids, everything=everything)
    with opened(url, read_only=not chosen) as ledger:
        yield ledger, chosen


def _chosen(url: str, ids: tuple[str, ...], *, everything: bool) -> list[str]:
    """The entries that are meant; only read, so that a wrong path makes no file."""
    if bool(ids) == everything:
        raise ConfigError("name the entries' ids, or --all")
    with opened(url, read_only=True) as ledger:
        known = [entry.id for entry in ledger.quarantined()]
    if unknown := set(ids) - set(known):
        raise ConfigError(
            f"no quarantine entry {', '.join(sorted(unknown))}",
            advice="eds quarantine list URL",
        )
    return known if everything else list(ids)
