"""What an import is asked to do, and how it has ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from eds_core.event import Version
from eds_core.gate import SchemaChanges
from eds_core.policy import Policy

from .tally import Tally
from .unpack import Limits


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the user has asked for."""

    paths: tuple[Path, ...]
    url: str = field(repr=False)  # with its password
    credentials: Path | None = None
    servers: tuple[str, ...] = field(default=(), repr=False)
    prefix: str = ""
    look_back: timedelta | None = None
    table: str = ""
    snapshot: Version | None = None
    jobs: int = 2
    dry_run: bool = False
    verify: bool = False
    repair: bool = False
    prune: bool = False
    restart: bool = False
    limits: Limits = field(default_factory=Limits)
    tables: tuple[str, ...] = ()  # names to try when a file tells none
    policy: Policy | None = None
    schema_changes: SchemaChanges = SchemaChanges.AUTO


@dataclass(frozen=True, slots=True)
class Difference:
    """What is otherwise in the destination than in the files."""

    table: str
    count: int
    rows: tuple[str, ...]  # the first ones, in words


@dataclass(slots=True)
class Outcome:
    """How an import has ended."""

    tally: Tally
    stopped: bool = False
    verified: bool = False
    differences: list[Difference] = field(default_factory=list)
    repaired: int = 0

    @property
    def complete(self) -> bool:
        return not self.stopped and not self.tally.errors
