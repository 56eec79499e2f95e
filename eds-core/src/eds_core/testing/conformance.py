"""The whole kit as one class."""

from __future__ import annotations

from .layers.adopting import Adopting
from .layers.contract import Contract
from .layers.ledger import Quarantine
from .layers.migrating import Migrating
from .layers.static import Static
from .layers.values import Values


# pytest runs what a class inherits from its last base first: read upwards.
class DriverConformance(Values, Quarantine, Adopting, Migrating, Contract, Static):
    """Subclass, say which driver, and pytest does the rest.

    ::

        class TestFoo(DriverConformance):
            scheme = "foo"
    """
