"""What an author looks at first, when a layer of the kit fails."""

from __future__ import annotations

from collections.abc import Mapping

#: The page with a section for each layer.
PAGE = "docs/writing-a-driver.md"

#: In the order in which a driver is made: the step, and what is changed in it.
STEPS: Mapping[str, tuple[int, str]] = {
    "static": (1, "drivername, title, example_url, types: each spelled once"),
    "golden": (2, "types; then EDS_TEST_GOLDEN=write, if the SQL is what you want"),
    "contract": (3, "connect_args, prepare_session, begin, typed_parameters"),
    "shapes": (4, "key_types; refused_keys in the test"),
    "migrating": (5, "types as SQLAlchemy reads them, widening, alters_alone"),
    "ledger": (6, "begin: two writers wait for each other"),
    "quarantine": (7, "read_fault, answers"),
    "adopting": (7, "read_fault, answers; generated in the test"),
    "values": (8, "types; values in the test"),
    "model": (9, "none: it is a bug"),
    "faults": (10, "read_fault for a lost connection, and for a key that is there"),
    "speed": (11, "statements, write, remove; slowness in the test"),
}


def advice(title: str, failed: Mapping[str, int]) -> str:
    """Say what to mend first; *failed* counts the tests by layer."""
    first = next(layer for layer in STEPS if layer in failed)
    step, what = STEPS[first]
    return (
        f"conformance of {title}: mend `{first}` first ({failed[first]} failed): "
        f"step {step}: {what}. See {PAGE}, Step {step}; later layers stand on it"
    )
