"""EDS: a shop's data, streamed into its own database.

What a driver or another plugin may use is what ``__all__`` names here, in
``eds_core.append``, in ``eds_core.sql`` and in ``eds_core.testing``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .decode import event_json
    from .destination import find_driver
    from .driver import CONTRACT, Capabilities, Driver, Loaded, hookimpl
    from .durations import parse_freshness
    from .errors import (
        ConfigError,
        ConflictError,
        DecodeError,
        DestinationError,
        EdsError,
        FatalError,
        OtherDriver,
        PositionMoved,
        RejectedError,
        TableError,
        TakenOver,
        TransientError,
    )
    from .event import ChangeEvent, Key, Message, Operation, Row, Version, VersionedKey
    from .findings import Finding, Verdict
    from .ledger import (
        Checkpoint,
        Heartbeat,
        ImportedFile,
        Ledger,
        Move,
        Parked,
        Quarantined,
        QuarantineGroup,
        SchemaStep,
        TableStatus,
    )
    from .plugins import Background, BatchReport, Columns, Transform
    from .schema import Column, ColumnType, SchemaChange, TableSchema, widened
    from .urls import parameters, redact
    from .values import Value

__all__ = [
    "CONTRACT",
    "Background",
    "BatchReport",
    "Capabilities",
    "ChangeEvent",
    "Checkpoint",
    "Column",
    "ColumnType",
    "Columns",
    "ConfigError",
    "ConflictError",
    "DecodeError",
    "DestinationError",
    "Driver",
    "EdsError",
    "FatalError",
    "Finding",
    "Heartbeat",
    "ImportedFile",
    "Key",
    "Ledger",
    "Loaded",
    "Message",
    "Move",
    "Operation",
    "OtherDriver",
    "Parked",
    "PositionMoved",
    "QuarantineGroup",
    "Quarantined",
    "RejectedError",
    "Row",
    "SchemaChange",
    "SchemaStep",
    "TableError",
    "TableSchema",
    "TableStatus",
    "TakenOver",
    "Transform",
    "TransientError",
    "Value",
    "Verdict",
    "Version",
    "VersionedKey",
    "event_json",
    "find_driver",
    "hookimpl",
    "parameters",
    "parse_freshness",
    "redact",
    "widened",
]

#: Where these names come from, the light modules first: `eds --help` shall not wait
#: for what only a driver needs.
_MODULES = (
    "errors",
    "urls",
    "durations",
    "values",
    "schema",
    "event",
    "findings",
    "ledger",
    "driver",
    "plugins",
    "decode",
    "destination",
)

if not TYPE_CHECKING:  # for a type checker a name that is not above is an error

    def __getattr__(name: str) -> object:
        """Import a name's module when the name is first used (PEP 562)."""
        if name in __all__:
            for module in _MODULES:
                found = vars(import_module(f".{module}", __name__))
                if name in found:
                    return globals().setdefault(name, found[name])
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
