"""What every driver for a SQL database shares: the base class and its parts."""

from .dialect import Step
from .driver import SqlDriver

__all__ = ["SqlDriver", "Step"]
