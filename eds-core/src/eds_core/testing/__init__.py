"""The conformance kit: what a driver has to do, as tests that its author inherits.

Needs the extra ``eds-core[testing]``.
"""

import pytest

# Before they are imported: their asserts shall say what was compared.
pytest.register_assert_rewrite("eds_core.testing.layers")

from .conformance import DriverConformance  # noqa: E402 - see above
from .memory import MemoryDriver  # noqa: E402 - see above
from .outcome import Deviation, Outcome, kept, rejected, replaced  # noqa: E402 - see above

__all__ = [
    "Deviation",
    "DriverConformance",
    "MemoryDriver",
    "Outcome",
    "kept",
    "rejected",
    "replaced",
]
