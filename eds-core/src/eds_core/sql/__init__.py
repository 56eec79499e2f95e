"""What every driver for a SQL database shares: the base class and its parts."""

from . import catalogue, lists
from .books import Books
from .diagnosis import ask, free_space
from .driver import SqlDriver
from .errors import ANSWERS, LOST, UNKNOWN, Answers, Fault, first_sentence
from .placement import without_placement
from .portable import key_text
from .session import Session
from .steps import Step
from .tables import VERSION, RealColumn, RealTable, Target

__all__ = [
    "ANSWERS",
    "LOST",
    "UNKNOWN",
    "VERSION",
    "Answers",
    "Books",
    "Fault",
    "RealColumn",
    "RealTable",
    "Session",
    "SqlDriver",
    "Step",
    "Target",
    "ask",
    "catalogue",
    "first_sentence",
    "free_space",
    "key_text",
    "lists",
    "without_placement",
]
