"""EDS: a shop's data, streamed into its own database.

What a driver or another plugin may use is what ``__all__`` names here, in
``eds_core.sql`` and in ``eds_core.testing``.
"""

from .driver import CONTRACT, Capabilities, Driver, Loaded, hookimpl
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
    TableStatus,
)
from .plugins import BatchReport
from .schema import Column, ColumnType, SchemaChange, TableSchema, widened
from .urls import redact
from .values import Value

__all__ = [
    "CONTRACT",
    "BatchReport",
    "Capabilities",
    "ChangeEvent",
    "Checkpoint",
    "Column",
    "ColumnType",
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
    "TableError",
    "TableSchema",
    "TableStatus",
    "TakenOver",
    "TransientError",
    "Value",
    "Verdict",
    "Version",
    "VersionedKey",
    "hookimpl",
    "redact",
    "widened",
]
