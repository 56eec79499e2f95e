"""How findings are printed."""

from __future__ import annotations

from collections.abc import Iterable

import click

from eds_core.console import printable
from eds_core.findings import Finding, Verdict

_MARKS = {Verdict.OK: "ok", Verdict.NOTE: "note", Verdict.WRONG: "WRONG"}


def show(findings: Iterable[Finding]) -> None:
    """One line for each; under what is not ok: why it matters and what to do."""
    for finding in findings:
        told = f"{finding.told} [{finding.code}]" if finding.code else finding.told
        line = f"{_MARKS[finding.verdict]:6} {finding.about:12} {told}"
        click.echo(printable(line))
        for name in ("why", "advice", "paste"):
            if text := getattr(finding, name):
                click.echo(f"{'':19} {_TITLES[name]} {printable(text)}")


_TITLES = {"why": "why:", "advice": "do:", "paste": "run:"}
