"""One database: open it, let its driver look, and compare it with the stream."""

from __future__ import annotations

import time
from collections.abc import Iterator

from eds_core.credentials import Credentials
from eds_core.destination import Destination, find_driver
from eds_core.findings import Finding, Verdict, wrong
from eds_core.gate import SchemaChanges
from eds_core.ledger import Checkpoint
from eds_core.status import Status, needs, read_status
from eds_core.unexpected import unexpected

_WHO = {
    SchemaChanges.AUTO: "the server makes and alters them itself",
    SchemaChanges.REVIEW: "what is to be made or altered waits for `eds apply`, with a "
    "URL whose user may do it",
    SchemaChanges.OFF: "they are made and altered by a person, from `eds plan`",
}
_WHY = "EDS writes there, and keeps its position there"


def changes(mode: SchemaChanges) -> Finding:
    """Who makes and alters tables, by which the privileges are judged."""
    return Finding("tables", f"as with --schema-changes {mode}: {_WHO[mode]}")


def opened(url: str, mode: SchemaChanges) -> tuple[Destination | None, Finding]:
    """The destination, read-only and for the caller to close; how that went."""
    try:
        destination = Destination(find_driver(url)(url), schema_changes=mode)
    except Exception as error:  # noqa: BLE001 - a driver may raise anything
        reason = "the URL's scheme selects the driver"
        return None, wrong("driver", unexpected(error), reason)
    destination.driver.read_only = True
    try:
        destination.open()
    except Exception as error:  # noqa: BLE001 - a driver may raise anything
        destination.close()
        return None, wrong("database", unexpected(error), _WHY)
    return destination, Finding("database", f"{destination.title} takes the login")


def place(url: str) -> tuple[str, int] | None:
    """Host and port of *url*, if its driver can tell."""
    try:
        return find_driver(url)(url).endpoint()
    except Exception:  # noqa: BLE001 - `opened` has told what is wrong
        return None


def status_of(destination: Destination, url: str) -> Status:
    """What is in EDS's own tables. Raises EdsError."""
    return read_status(destination.ledger, url, time.time_ns())


def ours(status: Status, credentials: Credentials | None) -> Iterator[Finding]:
    """Positions as they should be, and what needs a person."""
    if not status.checkpoints:
        yield Finding("position", "there is none yet: no server has been here")
        return
    for checkpoint in status.checkpoints:
        yield from _owned(checkpoint, credentials)
    yield from needs(status)


def _owned(
    checkpoint: Checkpoint, credentials: Credentials | None
) -> Iterator[Finding]:
    yield Finding(
        "owner", f"company {checkpoint.company}: {checkpoint.role}, {checkpoint.owner}"
    )
    if credentials is None or checkpoint.company not in credentials.companies:
        return
    if checkpoint.account != credentials.account:
        yield Finding(
            "position",
            f"company {checkpoint.company} was read from account {checkpoint.account}, "
            f"these credentials are of account {credentials.account}",
            Verdict.WRONG,
            why="positions mean nothing in another account, so EDS refuses to start",
            advice="use the old credentials, or another database",
        )
