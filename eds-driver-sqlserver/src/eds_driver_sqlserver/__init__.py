"""Microsoft SQL Server as a destination of EDS."""

from .driver import SqlServerDriver

__all__ = ["SqlServerDriver"]
