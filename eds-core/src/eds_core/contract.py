"""See that a class which an entry point names keeps the driver contract."""

from __future__ import annotations

import inspect
import warnings
from importlib.metadata import EntryPoint

from .driver import CONTRACT, OLDEST_CONTRACT, RENAMED, Capabilities, Driver
from .errors import ConfigError

#: For `eds explain`: a driver or plugin that cannot be used.
UNUSABLE = "E1203"

#: What a driver's class says of itself.
_SAID = {"title": str, "example_url": str, "capabilities": Capabilities}


def keep_contract(entry: EntryPoint, loaded: object) -> type[Driver]:
    """Return *loaded* as the driver that it has to be, or raise ConfigError."""
    if not (isinstance(loaded, type) and issubclass(loaded, Driver)):
        raise ConfigError(
            f"{entry.value} is not a subclass of eds_core.Driver", code=UNUSABLE
        )
    _check_version(entry, loaded)
    _keep_old_names(entry, loaded)
    if lacking := ", ".join(sorted([*loaded.__abstractmethods__, *_unsaid(loaded)])):
        raise ConfigError(
            f"the driver {entry.value} lacks {lacking}",
            advice="report it to its author",
            code=UNUSABLE,
        )
    if not _takes_a_url(loaded):
        raise ConfigError(
            f"the driver {entry.value} cannot be made of a URL, and of nothing else",
            advice="report it to its author: __init__(self, url) is what is called",
            code=UNUSABLE,
        )
    return loaded


def _takes_a_url(driver: type[Driver]) -> bool:
    try:
        inspect.signature(driver).bind("x://")
    except TypeError:
        return False
    return True


def _unsaid(driver: type[Driver]) -> list[str]:
    return [
        name
        for name, kind in _SAID.items()
        if not isinstance(getattr(driver, name, None), kind)
    ]


def _check_version(entry: EntryPoint, driver: type[Driver]) -> None:
    """One for an older contract works and warns; one for none of ours is refused."""
    told = (
        f"the driver {entry.value} is written for version {driver.contract!r} of the "
        f"driver contract; this eds-core keeps {OLDEST_CONTRACT} to {CONTRACT}"
    )
    owner = entry.dist.name if entry.dist else "the driver"
    if type(driver.contract) is not int or driver.contract < OLDEST_CONTRACT:
        raise ConfigError(told, advice=f"pip install --upgrade {owner}", code=UNUSABLE)
    if driver.contract > CONTRACT:
        raise ConfigError(told, advice="pip install --upgrade eds-core", code=UNUSABLE)
    if driver.contract < CONTRACT:
        warnings.warn(f"{told}. It works for now", DeprecationWarning, stacklevel=4)


def _keep_old_names(entry: EntryPoint, driver: type[Driver]) -> None:
    """Let what was renamed do its work under its new name, and warn."""
    theirs = {name for base in driver.__mro__ for name in vars(base)}
    for old in sorted(theirs & RENAMED.keys()):
        new = RENAMED[old]
        told = f"the driver {entry.value} says {old}, which is called {new} now"
        warnings.warn(f"{told}. It works for now", DeprecationWarning, stacklevel=4)
        setattr(driver, new, getattr(driver, old))
