"""JetStream: one connection, disposable consumers, messages in stream order."""

from .answers import ApiError, Disconnected, NoAnswer, Unreachable
from .connection import STREAM, Connection, Settings
from .consumer import Gap, Heartbeat
from .feed import Feed
from .greeting import Greeting, greet
from .position import first_position, is_the_same_stream
from .survey import Survey, survey

__all__ = [
    "STREAM",
    "ApiError",
    "Connection",
    "Disconnected",
    "Feed",
    "Gap",
    "Greeting",
    "Heartbeat",
    "NoAnswer",
    "Settings",
    "Survey",
    "Unreachable",
    "first_position",
    "greet",
    "is_the_same_stream",
    "survey",
]
