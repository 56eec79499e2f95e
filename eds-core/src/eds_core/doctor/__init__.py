"""`eds doctor`: looks at everything that EDS depends on, and changes nothing."""

from .run import Question, examine

__all__ = ["Question", "examine"]
