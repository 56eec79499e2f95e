"""The whole kit as one class."""

from __future__ import annotations

from .layers.adopting import Adopting
from .layers.contract import Contract
from .layers.faults import Faults
from .layers.golden import Golden
from .layers.ledger import Ledger
from .layers.migrating import Migrating
from .layers.model import Model
from .layers.quarantine import Quarantine
from .layers.shapes import Shapes
from .layers.speed import Speed
from .layers.static import Static
from .layers.values import Values


# pytest runs what a class inherits from its last base first: read upwards.
class DriverConformance(
    Speed,
    Faults,
    Model,
    Values,
    Adopting,
    Quarantine,
    Ledger,
    Migrating,
    Shapes,
    Contract,
    Golden,
    Static,
):
    """Subclass, say which driver, and pytest does the rest.

    ::

        class TestFoo(DriverConformance):
            scheme = "foo"
    """
