"""Where in its database a destination is: a schema, and how its tables' names begin."""

from __future__ import annotations

import re
from dataclasses import dataclass

from eds_core.catalogue import all_tables
from eds_core.errors import ConfigError
from eds_core.urls import parameters, redact, without_parameters

#: What a URL of any SQL database may say, after its ``?``.
SCHEMA, PREFIX = "schema", "table_prefix"

#: In lower case, since some databases take names that differ in case for one.
_PREFIX = re.compile(r"(?!_eds)[a-z_][a-z0-9_]{0,29}")


@dataclass(frozen=True, slots=True)
class Placement:
    """What the URL asks for."""

    #: None: the one that the database's user has by default.
    schema: str | None = None
    prefix: str = ""


def placement_of(url: str) -> Placement:
    """Read *url*. Raises ConfigError for what is no name."""
    given = parameters(url)
    schema, prefix = given.get(SCHEMA), given.get(PREFIX, "")
    if schema is not None and not (schema and schema.isprintable()):
        raise ConfigError(
            f"{redact(url)}: {SCHEMA} is no name of a schema",
            advice=f"name one that exists: {SCHEMA}=shopmonkey",
        )
    if prefix and not _PREFIX.fullmatch(prefix):
        raise ConfigError(
            f"{redact(url)}: no name can begin with this {PREFIX}",
            advice="up to 30 lower case letters, digits and _, and no digit first, as "
            f"in {PREFIX}=shop_; not _eds",
        )
    if alike := [name for name in all_tables() if prefix and name.startswith(prefix)]:
        raise ConfigError(
            f"{redact(url)}: {PREFIX} is how the shop's table {alike[0]} begins",
            advice="take another one: an EDS without prefix would write to the same "
            "tables",
        )
    return Placement(schema, prefix)


def without_placement(url: str) -> str:
    """*url* as the database's own tools understand it."""
    return without_parameters(url, (SCHEMA, PREFIX))
