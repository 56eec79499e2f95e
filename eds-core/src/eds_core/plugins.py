"""Hooks for everything that is not a driver, and finding who implements them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points

from .driver import hookspec
from .errors import ConfigError

PLUGINS = "eds.plugins"


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What one transaction did."""

    events: int
    bytes: int
    seconds: float  # from the first statement to the commit
    rows: Mapping[str, int]  # by table: rows written and deleted
    quarantined: int
    #: Seconds from publishing to commit, one per event. Empty for replays.
    latencies: tuple[float, ...] = field(default=(), repr=False)
    pending: int = 0  # messages the stream still holds for us


class Observer:
    """Hooks that watch. Any number of plugins may implement any of them."""

    @hookspec
    def batch_written(self, report: BatchReport) -> None:
        """A transaction was committed."""

    @hookspec
    def batch_failed(self, error: Exception) -> None:
        """A transaction was rolled back; the pipeline decides what follows."""


def installed_plugins() -> Iterator[object]:
    """The plugins that installed distributions offer, loaded."""
    for entry in entry_points(group=PLUGINS):
        try:
            yield entry.load()
        except Exception as error:  # a plugin's import may raise anything
            raise ConfigError(
                f"plugin {entry.name} ({entry.value}) cannot be loaded: {error}",
                advice=f"pip uninstall the distribution of {entry.value}, or mend it",
            ) from error
