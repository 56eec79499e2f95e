"""EDS: a shop's data, streamed into its own database."""

from .driver import Capabilities, Driver, Loaded, hookimpl
from .errors import (
    ConfigError,
    DecodeError,
    EdsError,
    FatalError,
    RejectedError,
    TableError,
    TakenOver,
    TransientError,
)
from .event import ChangeEvent, Key, Row, Version, VersionedKey
from .ledger import Ledger
from .schema import Column, ColumnType, SchemaChange, TableSchema

__all__ = [
    "Capabilities",
    "ChangeEvent",
    "Column",
    "ColumnType",
    "ConfigError",
    "DecodeError",
    "Driver",
    "EdsError",
    "FatalError",
    "Key",
    "Ledger",
    "Loaded",
    "RejectedError",
    "Row",
    "SchemaChange",
    "TableError",
    "TableSchema",
    "TakenOver",
    "TransientError",
    "Version",
    "VersionedKey",
    "hookimpl",
]
