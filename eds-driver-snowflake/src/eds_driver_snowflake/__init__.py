"""Snowflake as an EDS destination."""

from .driver import SnowflakeDriver

__all__ = ["SnowflakeDriver"]
