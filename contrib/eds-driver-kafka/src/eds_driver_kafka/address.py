"""A kafka:// URL: brokers, topic, and librdkafka's settings. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from eds_core import ConfigError, redact

EXAMPLE = (
    "kafka://user:password@kafka.example.com:9093/shop?state=/var/lib/eds/kafka.db"
)
#: What may follow the ``?``: librdkafka's own names.
SETTINGS = frozenset(
    {
        "client.id",
        "compression.type",
        "sasl.mechanism",
        "security.protocol",
        "ssl.ca.location",
        "ssl.certificate.location",
        "ssl.endpoint.identification.algorithm",
        "ssl.key.location",
        "ssl.key.password",
    }
)
Settings = dict[str, str | int | float]
#: Where a topic's name has the table's.
TABLE = "{table}"

_PORT = 9092
_BROKER = re.compile(r"([\w.-]+|\[[0-9a-fA-F:.]+\])(?::(\d{1,5}))?", re.ASCII)
_TOPIC = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")
_LONGEST_TABLE = "t" * 128
_NEAR = re.compile(r"localhost|127(\.\d+){3}|\[::1\]")


@dataclass(frozen=True, slots=True)
class Address:
    """What a URL says. ``repr`` shows no password."""

    topic: str
    brokers: str
    _settings: Mapping[str, str]

    @property
    def settings(self) -> Settings:
        """The configuration for librdkafka; the password is in it."""
        silent = {"log_level": 0}  # what it has to say comes as errors
        return {"bootstrap.servers": self.brokers, **silent, **self._settings}

    @property
    def user(self) -> str:
        return self._settings.get("sasl.username", "ANONYMOUS")

    @property
    def per_table(self) -> bool:
        """Whether each table has a topic of its own."""
        return TABLE in self.topic

    def topic_of(self, table: str) -> str:
        return self.topic.replace(TABLE, table)

    def __repr__(self) -> str:
        return f"Address({self.brokers!r}, topic={self.topic!r})"


def parse(url: str) -> Address:
    """Read *url*. Raises ConfigError, without its password."""
    try:
        parts = urlsplit(url)
        topic = unquote(parts.path.removeprefix("/"), errors="strict")
        given = dict(parse_qsl(parts.query, keep_blank_values=True, errors="strict"))
    except ValueError as error:
        raise _wrong(f"{redact(url)} is no URL") from error
    login, _, hosts = parts.netloc.rpartition("@")
    if not _TOPIC.fullmatch(topic.replace(TABLE, _LONGEST_TABLE)):
        raise _wrong(f"{redact(url)} names no topic, or one that Kafka does not take")
    given.pop("state", None)  # the base's: where the position is kept
    if unknown := sorted(given.keys() - SETTINGS):
        known = ", ".join(sorted(SETTINGS))
        raise ConfigError(
            f"kafka:// knows no parameter {', '.join(map(ascii, unknown))}",
            advice=f"there are {known}",
        )
    brokers = [_broker(each) for each in hosts.split(",")]
    near = all(_NEAR.fullmatch(each.rpartition(":")[0]) for each in brokers)
    return Address(topic, ",".join(brokers), _security(login, near=near) | given)


def _broker(text: str) -> str:
    found = _BROKER.fullmatch(text)
    if found is None or not 0 < (port := int(found[2] or _PORT)) < 1 << 16:
        raise _wrong("the URL names a broker that is no host and port")
    return f"{found[1]}:{port}"


def _security(login: str, *, near: bool) -> dict[str, str]:
    """In the clear on this machine only, where the URL does not say otherwise."""
    protocol = "PLAINTEXT" if near else "SSL"
    if not login:
        return {"security.protocol": protocol}
    user, _, password = login.partition(":")
    return {
        "security.protocol": f"SASL_{protocol}",
        "sasl.mechanism": "PLAIN",
        "sasl.username": unquote(user),
        "sasl.password": unquote(password),
    }


def _wrong(what: str) -> ConfigError:
    return ConfigError(what, advice=f"it should look like {EXAMPLE}")
