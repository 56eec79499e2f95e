"""What takes gzip off: ISA-L where it is installed, else the standard library."""

from __future__ import annotations

import gzip
import zlib
from importlib import import_module

_Found = tuple[type[gzip.GzipFile], tuple[type[Exception], ...]]


def _fastest() -> _Found:
    damaged = (zlib.error, gzip.BadGzipFile)
    try:
        found, errors = import_module("isal.igzip"), import_module("isal.isal_zlib")
    except ImportError:  # the extra `fast` is not installed
        return gzip.GzipFile, damaged
    return found.IGzipFile, (*damaged, errors.error)


#: A reader of gzip, and what it raises for content that is damaged.
GzipFile, DAMAGED = _fastest()
