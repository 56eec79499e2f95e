"""What every driver for a SQL database shares: the base class and its parts."""

from .driver import SqlDriver, Step

__all__ = ["SqlDriver", "Step"]
