"""CockroachDB as an EDS destination."""

from .driver import CockroachDriver

__all__ = ["CockroachDriver"]
