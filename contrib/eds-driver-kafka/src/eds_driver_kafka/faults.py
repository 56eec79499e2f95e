"""Kafka's errors, and what they ask for."""

from __future__ import annotations

import re

from confluent_kafka import KafkaError, KafkaException

from eds_core import ConfigError, EdsError, TransientError

#: The broker refuses the record itself.
OF_THE_RECORD = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG_SIZE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_TIMESTAMP,
    }
)
#: The topic is not there, or not ours to write to.
OF_THE_TOPIC = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.UNKNOWN_TOPIC_ID,
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - librdkafka's own are called so
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001 - see above
    }
)
#: Until the user changes something, nothing can be said to a broker.
_ADVICE = {
    KafkaError._AUTHENTICATION: "see to user, password and sasl.mechanism in the URL",  # noqa: SLF001 - see above
    KafkaError._SSL: "name the authority that signed the brokers' certificates: "  # noqa: SLF001 - see above
    "ssl.ca.location=/etc/ca.pem",
}
_REACH = (
    "see whether the brokers can be reached, and whether they want TLS: "
    "security.protocol in the URL"
)
_STATE = re.compile(r" \(after \d+ms in state \w+.*\)$")


def cause(error: BaseException) -> KafkaError | None:
    """Return what librdkafka says with *error*, if it does."""
    found = error.args[0] if isinstance(error, KafkaException) and error.args else None
    return found if isinstance(found, KafkaError) else None


def connecting(error: KafkaError) -> EdsError:
    """Decide on an *error* that came before anything was written."""
    told = f"Kafka: {_STATE.sub('', error.str())}"
    if advice := _ADVICE.get(error.code()):
        return ConfigError(told, advice=advice)
    return TransientError(told, advice=_REACH)
