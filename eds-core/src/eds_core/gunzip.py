"""What takes gzip off: ISA-L where it is installed, else the standard library."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any

_Found = tuple[type[gzip.GzipFile], Callable[[int], Any], tuple[type[Exception], ...]]


def _fastest() -> _Found:
    damaged = (zlib.error, gzip.BadGzipFile)
    try:
        files, some = import_module("isal.igzip"), import_module("isal.isal_zlib")
    except ImportError:  # the extra `fast` is not installed
        return gzip.GzipFile, zlib.decompressobj, damaged
    return files.IGzipFile, some.decompressobj, (*damaged, some.error)


#: A reader of gzip files, what unpacks in memory (as `zlib.decompressobj` does), and
#: what both raise for content that is damaged.
GzipFile, decompressobj, DAMAGED = _fastest()
