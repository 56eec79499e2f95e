"""The Kafka driver: changes become records, the position is kept beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from eds_core import (
    Capabilities,
    ConfigError,
    ConflictError,
    RejectedError,
    Row,
    SchemaChange,
    TableError,
    TransientError,
    hookimpl,
)
from eds_core.append import AppendDriver, Change

from . import address
from .faults import OF_THE_RECORD, OF_THE_TOPIC
from .producer import Failed, Place, Sender
from .records import Record, of_deletion, of_row
from .topics import Topic, Topics

_FRAME = 200  # bytes that Kafka adds to a record and its batch, at most
_REMEMBERED = 10_000  # refused records


class KafkaDriver(AppendDriver):
    """Topics of a Kafka cluster. Its checkpoint is written after the records."""

    contract = 1
    title = "Kafka"
    example_url = address.EXAMPLE
    capabilities: ClassVar[Capabilities] = Capabilities(
        transactions=False, guards=False, max_rows=10_000
    )

    def __init__(self, url: str) -> None:
        self._address = address.parse(url)
        super().__init__(url)
        self._topics: dict[str, Topic] = {}
        self._cluster: Topics | None = None
        self._sender: Sender | None = None
        self._refused: dict[bytes, str] = {}  # by key, what a broker says

    def open(self) -> None:
        self.close()
        super().open()
        cluster = Topics(self._address.settings, self._address.user)
        cluster.reach()
        self._cluster = cluster
        if not self._address.per_table:
            self._ensure(self._address.topic)

    def close(self) -> None:
        self._hang_up()
        super().close()

    def _hang_up(self) -> None:
        """Nothing of what is on its way may arrive behind what is sent again."""
        if self._sender is not None:
            self._sender.close()
        self._sender = self._cluster = None
        self._topics.clear()
        self._refused.clear()

    def adopted(self, table: str) -> bool:
        """Say whether the table's topic is there: ``migrate`` makes it."""
        return self.read_only or self._address.topic_of(table) in self._topics

    @hookimpl
    def migrate(self, change: SchemaChange) -> int:
        table = change.table.name
        try:
            if not self.adopted(table):
                self._ensure(self._address.topic_of(table))
        except ConfigError as error:
            if not self._address.per_table:
                raise
            raise TableError(str(error), table=table, advice=error.advice) from error
        return super().migrate(change)

    def _ensure(self, topic: str) -> None:
        found = self._connection.ensure(topic, make=not self.read_only)
        if found is not None:
            self._topics[topic] = found

    def check(self, change: Change) -> None:
        """Raise RejectedError for what fits no column, and what no broker takes."""
        super().check(change)
        record, topic = _record(change), self._topic(change)
        if record.size + _FRAME > topic.most:
            raise RejectedError(
                f"the event is too large for its topic: {record.size} bytes",
                advice="raise the topic's max.message.bytes, start EDS again, then "
                "`eds quarantine retry`",
                signature="too large",
            )
        if reason := self._refused.get(record.key):
            raise RejectedError(
                f"the broker refuses the event: {reason}",
                advice="see to the topic, start EDS again, then `eds quarantine retry`",
                signature=reason,
            )

    def write(self, changes: Sequence[Change]) -> None:
        try:
            failed = self._connected().send(self._addressed(changes))
        except TransientError:
            self._hang_up()
            raise
        if not failed:
            return
        worst = max(failed, key=_graveness)
        if worst.error.code() in OF_THE_RECORD:
            self._refuse(failed)
        elif worst.error.code() in OF_THE_TOPIC:
            self._topics.pop(worst.place.topic, None)
        else:
            self._hang_up()
            raise TransientError(
                f"Kafka has not taken {len(failed)} of {len(changes)} records: "
                f"{worst.error.str()}",
                advice="see whether the brokers are up and the topic has a leader",
            )
        raise ConflictError(f"Kafka: {worst.error.str()}")  # once more, without those

    def _refuse(self, failed: Sequence[Failed]) -> None:
        if len(self._refused) + len(failed) > _REMEMBERED:
            self._refused.clear()
        self._refused |= {each.record.key: each.error.str() for each in failed}

    @property
    def _connection(self) -> Topics:
        if self._cluster is None:
            raise TransientError("there is no connection to Kafka")
        return self._cluster

    def _connected(self) -> Sender:
        """The producer; it is made when it is known what the topics take."""
        batch = min(topic.most for topic in self._topics.values())
        if self._sender is None or self._sender.batch > batch:
            if self._sender is not None:
                self._sender.close()
            self._sender = Sender(self._address.settings, batch)
        return self._sender

    def _addressed(self, changes: Sequence[Change]) -> Iterator[tuple[Place, Record]]:
        for change in changes:
            record, topic = _record(change), self._topic(change)
            name = self._address.topic_of(change.table.name)
            yield Place(name, record.partition(topic.partitions)), record

    def _topic(self, change: Change) -> Topic:
        table = change.table.name
        found = self._topics.get(self._address.topic_of(table))
        _ = self._connection  # without one, topics are not known
        if found is None:
            raise TableError(
                f"there is no topic {self._address.topic_of(table)}",
                table=table,
                advice="make it; then `eds resume TABLE`",
            )
        return found


def _record(change: Change) -> Record:
    if isinstance(change.source, Row):
        return of_row(change.table, change.source)
    return of_deletion(change.table, change.source)


def _graveness(failed: Failed) -> int:
    """What has to be answered first."""
    code = failed.error.code()
    return 0 if code in OF_THE_RECORD else 1 if code in OF_THE_TOPIC else 2
