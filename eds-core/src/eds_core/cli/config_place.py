"""Where ``eds.toml`` is, and what is in it, whatever that means."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from eds_core.errors import ConfigError

WRONG = "E1002"  # for `eds explain`
_NAME = "eds.toml"


def find_config() -> Path | None:
    """The file where one is looked for; one of somebody else's is not trusted.

    Raises ConfigError for such a one.
    """
    folders = (Path(), Path(click.get_app_dir("eds")), Path("/etc/eds"))
    readable = (f / _NAME for f in folders if os.access(f / _NAME, os.R_OK))
    path = next(readable, None)
    if path is not None and not _is_trusted(path):
        raise ConfigError(
            f"{path.absolute()} belongs to another user",
            advice=f"if it is meant, say so: --config {path}",
            code=WRONG,
        )
    return path


def _is_trusted(path: Path) -> bool:
    return os.name != "posix" or path.stat().st_uid in (0, os.geteuid())


def read_config(path: Path) -> Mapping[str, Any]:
    """What is in the file at *path*. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigError(
            f"cannot read the configuration {path}: {error.strerror}",
            advice="give the path of a file that EDS can read, such as eds.toml",
            code=WRONG,
        ) from error
    except ValueError as error:  # what is no TOML, or no UTF-8
        raise ConfigError(
            f"{path} is not TOML: {error}",
            advice='a line is: NAME = "TEXT", a number, true, false or a [list]',
            code=WRONG,
        ) from None
