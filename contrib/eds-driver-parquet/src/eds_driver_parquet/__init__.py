"""A lake of Parquet files as a destination of EDS."""

from .driver import ParquetDriver
from .views import latest

__all__ = ["ParquetDriver", "latest"]
