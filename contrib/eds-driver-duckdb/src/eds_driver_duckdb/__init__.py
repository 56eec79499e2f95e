"""DuckDB as a destination of EDS."""

from .driver import DuckdbDriver

__all__ = ["DuckdbDriver"]
