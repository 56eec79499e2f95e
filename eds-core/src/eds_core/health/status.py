"""A snapshot as the status page reads it: plain values, ready for JSON."""

from __future__ import annotations

from importlib.metadata import version

from eds_core.credentials import EXPIRES_SOON
from eds_core.ledger import Parked
from eds_core.standing import Reason

from .meter import Table
from .snapshot import Sample, Snapshot, View

_PARKED_SHOWN = 200
_LATE = 10.0  # seconds


def status(snapshot: Snapshot) -> dict[str, object]:
    """What ``/status.json`` answers."""
    return {
        "version": version("eds-core"),
        "at": snapshot.at,
        "started": snapshot.started,
        "ready": not snapshot.reasons,
        "reasons": [_reason(reason) for reason in snapshot.reasons],
        "behind": snapshot.behind,
        "lag": round(snapshot.lag, 3),
        "expires": _expires(snapshot),
        "destinations": [_view(view, snapshot.at) for view in snapshot.views],
        "samples": [_sample(sample) for sample in snapshot.samples],
        "problems": [
            {"at": p.at, "level": p.level, "text": p.text, "count": p.count}
            for p in snapshot.problems
        ],
    }


def _expires(snapshot: Snapshot) -> float | None:
    """When the credentials do; None as long as it is far away."""
    soon = snapshot.at + EXPIRES_SOON.total_seconds()
    return snapshot.expires if snapshot.expires <= soon else None


def _reason(reason: Reason) -> dict[str, str]:
    return {"text": reason.text, "advice": reason.advice}


def _sample(sample: Sample) -> list[float | None]:
    """Time, events per second, and milliseconds that half and most needed."""
    half, most = (
        None if seconds is None else round(seconds * 1000, 1)
        for seconds in (sample.half, sample.most)
    )
    return [round(sample.at, 1), round(sample.rate, 1), half, most]


def _view(view: View, now: float) -> dict[str, object]:
    return {
        "name": view.name,
        "title": view.title,
        "ready": not view.reasons,
        "events": view.totals.events,
        "behind": view.behind,
        "lag": round(view.lag(now), 3),
        "late": view.lag(now) > _LATE + view.state.freshness,
        "companies": view.state.companies,
        "quarantined": view.totals.quarantined.total(),
        "reconnects": view.state.reconnects + view.state.nats_reconnects,
        "tables": _tables(view),
    }


def _tables(view: View) -> list[dict[str, object]]:
    """Parked ones first; then by name."""
    parked = {entry.table: entry for entry in view.state.parked[:_PARKED_SHOWN]}
    others = view.totals.tables.keys() - parked.keys()
    return [
        _table(view, name, parked.get(name))
        for name in [*sorted(parked), *sorted(others)]
    ]


def _table(view: View, name: str, parked: Parked | None) -> dict[str, object]:
    table = view.totals.tables.get(name, Table())
    state = "ok"
    if parked is not None:
        state = "resuming" if parked.resume else "parked"
    return {
        "name": name,
        "state": state,
        "reason": parked.reason if parked else "",
        "advice": parked.advice if parked else "",
        "rows": table.rows,
        "last_event": table.last_event / 1e9 or None,
        "delay": round(table.delay, 4),
        "quarantined": view.totals.quarantined[name],
    }
