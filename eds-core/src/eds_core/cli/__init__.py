"""The command line: ``eds`` and ``eds-server``."""

from .main import main

__all__ = ["main"]
