"""Records out, and back with the word that they are there, or why not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from eds_core import TransientError

from .address import Settings
from .faults import OF_THE_RECORD
from .records import HEADER, Record

#: Seconds in which a record has to be with the brokers, with all attempts.
PATIENCE = 30
#: Bytes that are on their way at most; librdkafka has a copy of each record.
IN_FLIGHT = 32 << 20

_MORE = 5  # seconds after which librdkafka has surely given up on its own
_WAIT = 0.1  # seconds
_REQUEST = 100_000_000  # bytes, as the brokers' socket.request.max.bytes
_QUEUE_FULL = KafkaError._QUEUE_FULL  # noqa: SLF001 - so librdkafka's own are called

#: Acknowledged by all replicas in sync, in the order given, each once.
_SETTINGS: Settings = {
    "enable.idempotence": True,
    "acks": "all",
    "message.timeout.ms": PATIENCE * 1000,
    "queue.buffering.max.kbytes": IN_FLIGHT >> 10,
    "linger.ms": 5,
    "message.max.bytes": _REQUEST,  # what a topic takes, we look at ourselves
}


class Place(NamedTuple):
    """Where a record goes."""

    topic: str
    partition: int


class Failed(NamedTuple):
    """A record that is not there, and why."""

    place: Place
    record: Record
    error: KafkaError


class Sender:
    """An idempotent producer. After TransientError it has to be made anew."""

    def __init__(self, settings: Settings, batch: int) -> None:
        """Take librdkafka's *settings*; no batch of records has more bytes."""
        self.batch = batch
        self._producer = Producer({**settings, **_SETTINGS, "batch.size": batch})

    def send(self, items: Iterable[tuple[Place, Record]]) -> list[Failed]:
        """Send *items*; return when all are on disk, with those that never will be.

        Records refused together may be fine one by one: they are tried so.
        """
        failed = self._sent(items)
        if len(failed) <= 1 or not all(map(_refused, failed)):
            return failed
        alone = (self._sent([(each.place, each.record)]) for each in failed)
        return [each for some in alone for each in some]

    def _sent(self, items: Iterable[tuple[Place, Record]]) -> list[Failed]:
        failed: list[Failed] = []
        for place, record in items:
            self._produce(place, record, partial(_note, failed, place, record))
            self._producer.poll(0)
        if left := self._producer.flush(PATIENCE + _MORE):
            raise TransientError(
                f"Kafka has not taken {left} records in {PATIENCE} seconds",
                advice="see whether the brokers are up and the topic has a leader",
            )
        return failed

    def _produce(
        self,
        place: Place,
        record: Record,
        note: Callable[[KafkaError | None, Message], None],
    ) -> None:
        headers: list[tuple[str, str | bytes | None]]
        headers = [(HEADER, record.partition_key)]
        while True:
            try:
                self._producer.produce(
                    place.topic,
                    record.value,
                    record.key,
                    place.partition,
                    headers=headers,
                    on_delivery=note,
                )
            except BufferError:  # too much is on its way
                self._producer.poll(_WAIT)
            except KafkaException as error:
                note(error.args[0], Message())
                return
            else:
                return

    def close(self) -> None:
        """Give up what is on its way, if anything is."""
        self._producer.purge(in_queue=True, in_flight=True, blocking=True)
        self._producer.flush(0)


def _note(
    failed: list[Failed],
    place: Place,
    record: Record,
    error: KafkaError | None,
    _message: Message,
) -> None:
    if error is not None:
        failed.append(Failed(place, record, error))


def _refused(failed: Failed) -> bool:
    return failed.error.code() in OF_THE_RECORD
