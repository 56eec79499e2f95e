"""MySQL and MariaDB as EDS destinations."""

from .driver import MysqlDriver

__all__ = ["MysqlDriver"]
