"""ODBC drivers for SQL Server on this host: their names or files."""

from __future__ import annotations

import platform
from importlib.util import find_spec
from pathlib import Path

NO_ODBC = "ODBC is not installed here: install unixodbc"
NO_FREETDS = "FreeTDS is not installed here: install tdsodbc"
NO_MICROSOFT = "Microsoft's ODBC driver is not here: install mssql-python-odbc"


def installed() -> list[str]:
    """Return the names that are registered; none where there is no ODBC."""
    try:
        import pyodbc
    except ImportError:
        return []
    return list(pyodbc.drivers())


def registered() -> str | None:
    """Return a driver that EDS finds by itself."""
    return _microsofts() or freetds()


def freetds() -> str | None:
    return "FreeTDS" if "FreeTDS" in installed() else None


def _microsofts() -> str | None:
    for name in installed():
        if name.startswith("ODBC Driver") and name.endswith("for SQL Server"):
            return name
    return None


def microsoft() -> str | None:
    """Return the one that is registered, else the file that a wheel brings."""
    if found := _microsofts():
        return found
    spec = find_spec("mssql_python_odbc")
    if spec is None or spec.origin is None:
        return None
    kind = "rhel" if Path("/etc/redhat-release").exists() else "debian_ubuntu"
    place = Path(spec.origin).parent / "libs" / "linux" / kind / platform.machine()
    return next(map(str, sorted(place.glob("lib/libmsodbcsql-*.so*"))), None)
