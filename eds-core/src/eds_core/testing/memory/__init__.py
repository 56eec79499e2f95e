"""A destination in memory: the contract with no SQL, for authors to read."""

from .driver import MemoryDriver

__all__ = ["MemoryDriver"]
