"""What nobody has thought of, as an error that can be told: whose fault, what kind."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from itertools import chain

from .errors import EdsError

_GROUPS = ("eds.drivers", "eds.plugins", "eds.commands")
_CORE = __name__.partition(".")[0]


def unexpected(error: Exception) -> EdsError:
    """Return *error* if EDS knows how to answer it, or else what can be said of it.

    Only its kind is told: its text may hold anything, such as a row or a password.
    """
    if isinstance(error, EdsError):
        return error
    kind = type(error).__name__
    owner = _owner(error)
    return EdsError(
        f"{owner or 'EDS itself'} has failed ({kind})",
        advice="nothing is lost; --verbose shows where. Please report it"
        f"{' to its author' if owner else ''}.",
        code="E9002" if owner else "E9001",
    )


def _owner(error: Exception) -> str:
    """The distribution of the driver or plugin in whose code it was; empty: in ours.

    Of the frames that are ours or a plugin's the innermost counts: what a library
    raises is the fault of who has called it.
    """
    installed = _installed()
    for package in _packages(error):
        if entry := installed.get(package):
            dist = entry.dist
            return f"{dist.name} {dist.version}" if dist else entry.value
        if package == _CORE:
            break
    return ""


def _installed() -> Mapping[str, EntryPoint]:
    """Who offers something to EDS, by the name of its package."""
    entries = chain.from_iterable(entry_points(group=group) for group in _GROUPS)
    named = {re.split(r"[.:]", entry.value)[0]: entry for entry in entries}
    return {package: entry for package, entry in named.items() if package != _CORE}


def _packages(error: Exception) -> Iterator[str]:
    """The top-level packages of the frames of *error*, from the innermost out."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    for frame in reversed(frames):
        yield str(frame.f_globals.get("__name__", "")).partition(".")[0]
