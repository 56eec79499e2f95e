"""What others can see of a running server: health, metrics and a status page."""

from .health import Health
from .options import HealthOptions

__all__ = ["Health", "HealthOptions"]
