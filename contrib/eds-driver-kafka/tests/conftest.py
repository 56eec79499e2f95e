"""A real Kafka: one of yours, or a throw-away broker of one node."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from uuid import uuid4

import pytest
import trustme
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from eds_core.testing.proxy import Proxy

HOME = "EDS_TEST_KAFKA_HOME"  # where a broker's jars are, or their directory
USER, PASSWORD = "eds", "not-so-se-cret"
PORTS = range(20_000, 32_000)  # below those that the kernel gives to clients
START = 120  # seconds
_LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
_TIMEOUT = 30  # seconds
_ANY = ResourcePatternType.ANY
_ANYBODY = (None, None, AclOperation.ANY, AclPermissionType.ANY)


def free_ports(count):
    """Ports of this host that nobody listens on."""
    found = []
    while len(found) < count:
        port = random.choice(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
    return found


class Broker:
    """One node that is broker and controller; its data is in *home*.

    Anonymous clients may do all, the user ``eds`` what a test grants. Whoever comes by
    ``proxied`` is sent on through ``proxy`` as well.
    """

    user, password = USER, PASSWORD

    def __init__(self, home, jars):
        self._home, self._jars = home, jars
        ports = free_ports(5)
        self.plain, self.sasl, self.ssl, proxied, self._control = ports
        self.proxy = Proxy("127.0.0.1", proxied)
        self.proxied = self.proxy.port
        self._behind_proxy = proxied
        self._process = None
        self._readers = {}
        self.ca_file = home / "ca.pem"
        self._certify()
        self._configure()
        format_ = ("format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c", self._settings)
        self._java("kafka.tools.StorageTool", *format_).communicate(timeout=START)

    def _certify(self):
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca_file)
        issued = authority.issue_cert("127.0.0.1", "localhost")
        key = load_pem_private_key(issued.private_key_pem.bytes(), None)
        # Kafka takes keys in no other form.
        form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
        (self._home / "server.pem").write_bytes(key.private_bytes(*form) + chain)

    def _configure(self):
        self._settings = self._home / "server.properties"
        names = ("PLAINTEXT", "SASL", "TLS", "PROXIED", "CONTROLLER")
        ports = (self.plain, self.sasl, self.ssl, self._behind_proxy, self._control)
        told = (self.plain, self.sasl, self.ssl, self.proxied)
        kinds = ("PLAINTEXT", "SASL_PLAINTEXT", "SSL", "PLAINTEXT", "PLAINTEXT")
        login = f'{_LOGIN} user_{USER}="{PASSWORD}";'
        settings = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{self._control}",
            "listeners": listeners(names, ports),
            "advertised.listeners": listeners(names[:-1], told),
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": ",".join(
                f"{name}:{kind}" for name, kind in zip(names, kinds, strict=True)
            ),
            "listener.name.sasl.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl.plain.sasl.jaas.config": login,
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": self._home / "server.pem",
            "authorizer.class.name": (
                "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
            ),
            "super.users": "User:ANONYMOUS",
            "log.dirs": self._home / "data",
            "offsets.topic.replication.factor": 1,
            "num.partitions": 3,
            "auto.create.topics.enable": "false",
        }
        lines = [f"{name}={value}\n" for name, value in settings.items()]
        self._settings.write_text("".join(lines))

    def _java(self, name, *arguments):
        command = ["java", "-Xmx300m", "-cp", f"{self._jars}/*", name]
        log = (self._home / "broker.log").open("ab")
        with log:
            return subprocess.Popen(
                [*command, *map(str, arguments)], stdout=log, stderr=log
            )

    def start(self):
        """Come up, and wait until it answers."""
        self._process = self._java("kafka.Kafka", self._settings)
        until = time.monotonic() + START
        while True:
            try:
                self.admin.list_topics(timeout=5)
            except KafkaException:
                assert self._process.poll() is None, "the broker has ended"
                assert time.monotonic() < until, "the broker does not come up"
            else:
                return

    def stop(self, *, kill=False):
        """Go away, in an orderly way or not; what is written stays."""
        if self._process is not None:
            (self._process.kill if kill else self._process.terminate)()
            self._process.wait(START)
            self._process = None

    def close(self):
        for reader in self._readers.values():
            reader.close()
        self.stop(kill=True)
        self.proxy.close()

    @property
    def address(self):
        return f"127.0.0.1:{self.plain}"

    @cached_property
    def admin(self):
        return AdminClient({"bootstrap.servers": self.address, "log_level": 0})

    def topic(self, partitions=3, **config):
        """Make a topic that nobody else has; return its name."""
        name = f"eds_test_{uuid4().hex[:10]}"
        settings = {key.replace("_", "."): str(value) for key, value in config.items()}
        new = NewTopic(name, partitions, 1, config=settings)
        self.admin.create_topics([new])[name].result(_TIMEOUT)
        return name

    def allow(self, *rules):
        """Grant *rules* (AclBinding)."""
        for future in self.admin.create_acls(list(rules)).values():
            future.result(_TIMEOUT)
        for rule in rules:  # the broker hears of it a moment later
            wanted = AclBindingFilter(rule.restype, rule.name, _ANY, *_ANYBODY)
            while not self.admin.describe_acls(wanted).result(_TIMEOUT):
                time.sleep(0.05)

    def read(self, topic):
        """Every record of *topic* up to now, partition by partition, in order."""
        if topic not in self._readers:
            self._readers[topic] = Reader(self.address, topic)
        return self._readers[topic].all()

    def fresh(self, topic):
        """As ``read``, by a consumer that has seen nothing before."""
        if (known := self._readers.pop(topic, None)) is not None:
            known.close()
        return self.read(topic)


class Reader:
    """A consumer of one topic, which keeps what it has read."""

    def __init__(self, address, topic):
        settings = {"group.id": "eds_test", "enable.auto.commit": False}
        self._consumer = Consumer(
            {"bootstrap.servers": address, "log_level": 0, **settings}
        )
        known = self._consumer.list_topics(topic, _TIMEOUT).topics[topic].partitions
        self._places = [TopicPartition(topic, number, 0) for number in sorted(known)]
        self._read = {number: [] for number in known}
        self._consumer.assign(self._places)

    def all(self):
        wanted = {place.partition: self._end(place) for place in self._places}
        while any(len(self._read[number]) < end for number, end in wanted.items()):
            message = self._consumer.poll(_TIMEOUT)
            assert message is not None, "the broker says nothing"
            assert message.error() is None, message.error()
            self._read[message.partition()].append(message)
        return [message for number in sorted(wanted) for message in self._read[number]]

    def _end(self, place):
        """A broker that has just come back is not yet leader of all that it has."""
        until = time.monotonic() + _TIMEOUT
        while True:
            try:
                return self._consumer.get_watermark_offsets(place, _TIMEOUT)[1]
            except KafkaException as error:
                code = error.args[0].code()
                again = code == KafkaError.NOT_LEADER_FOR_PARTITION
                if not again or time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def close(self):
        self._consumer.close()


def listeners(names, ports):
    pairs = zip(names, ports, strict=True)
    return ",".join(f"{name}://127.0.0.1:{port}" for name, port in pairs)


def jars():
    """The directory of the broker's jars, or skip."""
    if HOME not in os.environ:
        pytest.skip(f"{HOME} does not name the place of a Kafka (its directory libs)")
    if shutil.which("java") is None:
        pytest.skip(f"{HOME} is set, but there is no java in the PATH")
    home = Path(os.environ[HOME])
    return next(
        (home / name for name in ("libs", "lib") if (home / name).is_dir()), home
    )


@pytest.fixture(scope="session")
def throwaway(tmp_path_factory):
    """A broker of our own, which a test may stop; it has to start it again."""
    broker = Broker(tmp_path_factory.mktemp("kafka"), jars())
    try:
        broker.start()
        yield broker
    finally:
        broker.close()


@pytest.fixture
def broker(throwaway):
    throwaway.proxy.heal()
    return throwaway
