"""Topics of a cluster: found, made, and what they take."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined] # not in its stubs
    AclOperation,
    AdminClient,
    ConfigResource,
    NewTopic,
)

from eds_core import ConfigError, TransientError

from .address import Settings
from .faults import cause, connecting

_PATIENCE = 10.0  # seconds
_STEP = 0.02
_DEFAULT_LIMIT = 1_000_000  # of a broker that does not tell
_LIMIT = "max.message.bytes"


class Topic(NamedTuple):
    """What a record has to know of where it goes."""

    partitions: int
    most: int  # bytes of a batch of records, and so of one


class Topics:
    """Asks a cluster about its topics."""

    def __init__(self, settings: Settings, user: str) -> None:
        """Begin to connect. Raises ConfigError for settings that are none."""
        self._user = user
        self._errors: list[KafkaError] = []
        try:
            self._admin = AdminClient(settings, error_cb=self._errors.append)
        except KafkaException as error:
            raise _unusable(error) from error

    def reach(self) -> None:
        """See that a broker answers. Raises ConfigError or TransientError."""
        try:
            self._answer(self._admin.describe_cluster(request_timeout=_PATIENCE))
        except KafkaException as error:
            raise _unanswered(error) from error

    def ensure(self, name: str, *, make: bool = True) -> Topic | None:
        """Return the topic *name*, made if it is not there and *make* says so.

        Raises ConfigError when we may not make it or not write to it, and
        TransientError when no broker answers.
        """
        try:
            found = self._find(name)
            if found is None and make:
                self._create(name)
                found = self._find(name)
        except KafkaException as error:
            raise self._refused(name, error) from error
        return None if found is None else Topic(found, self._limit(name))

    def _find(self, name: str) -> int | None:
        """How many partitions it has; None when there is no such topic."""
        asked = self._admin.describe_topics(
            TopicCollection([name]),
            include_authorized_operations=True,
            request_timeout=_PATIENCE,
        )
        try:
            found = self._answer(asked[name])
        except KafkaException as error:
            if (known := cause(error)) and known.code() == _UNKNOWN:
                return None
            raise
        allowed = found.authorized_operations
        if allowed is not None and AclOperation.WRITE not in allowed:
            raise KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
        return len(found.partitions)

    def _create(self, name: str) -> None:
        """With the brokers' own number of partitions and replicas."""
        new = NewTopic(name, num_partitions=-1, replication_factor=-1)
        made = self._admin.create_topics([new], request_timeout=_PATIENCE)
        try:
            self._answer(made[name])
        except KafkaException as error:
            known = cause(error)
            if known is None or known.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
        until = time.monotonic() + _PATIENCE
        while self._find(name) is None and time.monotonic() < until:
            time.sleep(_STEP)  # not every broker knows of it at once

    def _limit(self, name: str) -> int:
        resource = ConfigResource(ConfigResource.Type.TOPIC, name)
        asked = self._admin.describe_configs([resource], request_timeout=_PATIENCE)
        try:
            return int(self._answer(asked[resource])[_LIMIT].value)
        except KafkaException:  # to ask is a privilege of its own
            return _DEFAULT_LIMIT

    def _answer(self, asked: Future[Any]) -> Any:
        """Wait for an answer; a broker that turns us away needs no more waiting."""
        while not asked.done():
            self._admin.poll(_STEP)
            if self._errors and self._errors[-1].code() == _NOBODY:
                raise connecting(self._errors[0])
            del self._errors[:-1]
        return asked.result()

    def _refused(
        self, name: str, error: KafkaException
    ) -> ConfigError | TransientError:
        known = cause(error)
        if known is None or known.retriable() or known.code() in _LATER:
            return _unanswered(error)
        return ConfigError(
            f"Kafka: topic {name}: {known.str()}",
            advice=f"make the topic if it is not there, and let {self._user} write to "
            f"it: kafka-acls.sh --bootstrap-server HOST:PORT --add --allow-principal "
            f"User:{self._user} --operation Write --topic {name}",
        )


_UNKNOWN = KafkaError.UNKNOWN_TOPIC_OR_PART
_NOBODY = KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001 - librdkafka's own are called so
_LATER = frozenset(
    {
        KafkaError._TIMED_OUT,  # noqa: SLF001 - see above
        KafkaError._TRANSPORT,  # noqa: SLF001 - see above
        KafkaError.REQUEST_TIMED_OUT,
    }
)


def _unanswered(error: KafkaException) -> TransientError:
    known = cause(error)
    return TransientError(
        f"Kafka: {known.str() if known else 'no answer'}", advice="see to the brokers"
    )


def _unusable(error: KafkaException) -> ConfigError:
    known = cause(error)
    return ConfigError(
        f"Kafka: {known.str() if known else 'the URL is not understood'}",
        advice="see to the parameters of the URL",
    )
