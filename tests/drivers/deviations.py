"""Where a database differs from the others on purpose: each with its reason.

By driver, and by test: its name, or its name with the parameters. A test named here
has to fail there, so that no deviation outlives its reason.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from servers.snowflake import GIVEN_SNOWFLAKE

_NO_UNIQUE = "Snowflake has no unique indexes"
_NO_KEYS = "Snowflake enforces no key, so none is asked for"
_SCALE = "a decimal is NUMBER(38,18): all zeros are shown, 20 digits before the point"

DEVIATIONS: Mapping[str, Mapping[str, str]] = {
    "snowflake": {
        "test_a_savepoint_undoes_only_what_is_inside": (
            "Snowflake has no savepoints; a verb writes all of its rows or none"
        ),
        "test_a_users_own_unique_index_rejects_the_row_and_no_other": _NO_UNIQUE,
        "test_a_unique_value_that_moves_between_rows_goes_in_order": _NO_UNIQUE,
        "test_a_table_without_a_key_is_refused_with_the_remedy": _NO_KEYS,
        "test_a_surrogate_primary_key_beside_a_unique_key_will_do": (
            "a declared primary key that is another one is taken at its word"
        ),
        "test_a_generated_column_is_left_to_the_database": (
            "Snowflake spells it otherwise, and fakesnow has none"
        ),
        "test_a_wider_type_keeps_every_value[snowflake-types1-values1-expected1]": (
            _SCALE
        ),
        "test_a_wider_type_keeps_every_value[snowflake-types2-values2-None]": (
            "Snowflake shows 15 digits of a double, so none is made into text"
        ),
        "test_a_wider_type_keeps_every_value[snowflake-types5-values5-None]": _SCALE,
        f"test_decimals_are_exact[snowflake-{'1234567890' * 3}12345678]": _SCALE,
    },
    # Faults of the stand-in: a Snowflake account must not fail there.
    "fakesnow": {
        "test_json_keeps_numbers_that_no_float_holds[snowflake]": (
            "DuckDB's PARSE_JSON makes a double of it; Snowflake keeps 38 digits"
        ),
        "test_moments_become_text_in_utc[snowflake]": (
            "fakesnow forgets the format where a time has no zone"
        ),
    },
}


def deviation(driver: str, *names: str) -> str | None:
    """Say why the test of these *names* fails on *driver*, or None."""
    known = dict(DEVIATIONS.get(driver, {}))
    if driver == "snowflake" and GIVEN_SNOWFLAKE not in os.environ:
        known |= DEVIATIONS["fakesnow"]
    return next((known[name] for name in names if name in known), None)
