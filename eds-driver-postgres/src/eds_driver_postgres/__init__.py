"""PostgreSQL as an EDS destination."""

from .driver import PostgresDriver

__all__ = ["PostgresDriver"]
