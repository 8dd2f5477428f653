"""Metadata records at random, most of which fit the cluster that those before them have built."""

from __future__ import annotations

import random
from importlib import import_module
from typing import Any

from barnabas._core import Uuid, decode, encode
from barnabas.protocol import class_named, metadata_record_class
from barnabas.protocol.message import Message

FRAME_VERSION = 1
LEVELS = {False: (7, 8, 11, 14, 15, 17, 22), True: (23, 27, 30)}
"""Of metadata.version: without and with eligible leader replicas."""
Versioned = tuple[Message, int | None]
"""A record, and its version when it is not the newest."""
QUOTAS = ("producer_byte_rate", "consumer_byte_rate")


def frame(record: Message, version: int | None = None) -> bytes:
    """The value of a record of the metadata log; the newest version unless another is named."""
    version = type(record).HIGHEST_VERSION if version is None else version
    return bytes([FRAME_VERSION, record.RECORD_TYPE, version]) + encode(record, version)


def unframe(value: bytes) -> tuple[int, Message]:
    """Version and body of a record's value."""
    assert value[0] == FRAME_VERSION
    return value[2], decode(metadata_record_class(value[1]), value[2], value[3:])


def made(record: str, /, **fields: object) -> Message:
    """A record by Kafka's name of its class."""
    cls: Any = class_named(record)
    message: Message = cls(**fields)
    return message


def part(record: str, name: str) -> Any:
    """A class for parts of a record."""
    return getattr(import_module(class_named(record).__module__), name)


def level(feature: str, feature_level: int) -> Versioned:
    """The record that finalizes a feature at a level."""
    return made("FeatureLevelRecord", name=feature, feature_level=feature_level), None


class Cluster:
    """What the generator knows of the cluster, so that it can name things that exist."""

    def __init__(self, seed: int, *, elr: bool) -> None:
        self.random = random.Random(seed)
        self.elr = elr
        self.topics: dict[str, tuple[Uuid, int]] = {}
        self.brokers: dict[int, int] = {}
        self.acls: list[Uuid] = []
        self.made = 0

    def id(self) -> Uuid:
        return Uuid(self.random.randbytes(16))

    def nodes(self, most: int = 4) -> list[int]:
        return self.random.sample(range(1, 7), self.random.randrange(1, most))

    def maybe_nodes(self) -> list[int] | None:
        return self.random.choice((None, None, None, [], self.nodes(6)))

    def beginning(self) -> list[Versioned]:
        """The first records: without their features Kafka writes no snapshot, and no ELRs into it."""
        features = [level("metadata.version", LEVELS[self.elr][-1])]
        return features + ([level("eligible.leader.replicas.version", 1)] if self.elr else [])

    def record(self) -> Versioned:
        """The next record, and its version when it is not the newest."""
        self.made += 1
        often = [self.partition] * 8 + [self.partition_change] * 12 + [self.config] * 5 + [self.quota] * 4
        often += [self.topic] * 3 + [self.register_broker] * 2 + [self.change_broker] * 4
        once = [self.feature, self.remove_topic, self.fence, self.unregister_broker, self.controller]
        once += [self.acl, self.remove_acl, self.scram, self.remove_scram, self.token, self.clear_elr]
        return self.random.choice([*often, *once, self.producer_ids])()

    def make(self, record: str, version: int | None = None, /, **fields: object) -> Versioned:
        return made(record, **fields), version

    def topic(self) -> Versioned:
        name = f"topic-{self.made}"
        self.topics[name] = (self.id(), 0)
        return self.make("TopicRecord", name=name, topic_id=self.topics[name][0])

    def some_topic(self) -> str | None:
        return self.random.choice(list(self.topics)) if self.topics else None

    def remove_topic(self) -> Versioned:
        name = self.some_topic()
        if name is None or self.random.random() < 0.3:
            return self.topic()
        return self.make("RemoveTopicRecord", topic_id=self.topics.pop(name)[0])

    def partition(self) -> Versioned:
        name = self.some_topic()
        if name is None:
            return self.topic()
        topic_id, count = self.topics[name]
        self.topics[name] = (topic_id, count + 1)
        replicas = self.nodes()
        version = self.random.randrange(3)
        with_elr = self.elr and version == 2 and self.random.random() < 0.3
        return self.make(
            "PartitionRecord",
            version,
            partition_id=count,
            topic_id=topic_id,
            replicas=replicas,
            isr=replicas[: self.random.randrange(1, len(replicas) + 1)],
            leader=replicas[0],
            leader_epoch=self.random.randrange(5),
            partition_epoch=self.random.randrange(5),
            leader_recovery_state=self.random.randrange(2),
            directories=[self.id() for _ in replicas] if version >= 1 else [],
            eligible_leader_replicas=self.nodes() if with_elr else None,
            last_known_elr=self.nodes() if with_elr else None,
        )

    def partition_change(self) -> Versioned:
        name = self.some_topic()
        if name is None or self.topics[name][1] == 0:
            return self.partition()
        topic_id, count = self.topics[name]
        replicas = self.random.choice((None, None, self.nodes()))
        return self.make(
            "PartitionChangeRecord",
            partition_id=self.random.randrange(count),
            topic_id=topic_id,
            isr=self.random.choice((None, self.nodes())),
            leader=self.random.choice((-2, -2, -1, 1, 2)),
            replicas=replicas,
            directories=[self.id() for _ in replicas] if replicas and self.random.random() < 0.9 else None,
            adding_replicas=self.maybe_nodes(),
            removing_replicas=self.maybe_nodes(),
            leader_recovery_state=self.random.choice((-1, 0, 1)),
            eligible_leader_replicas=self.maybe_nodes() if self.elr else None,
            last_known_elr=self.maybe_nodes() if self.elr else None,
        )

    def clear_elr(self) -> Versioned:
        return self.make("ClearElrRecord", topic_name=self.random.choice(("", self.some_topic() or "")))

    def config(self) -> Versioned:
        topic = (2, self.some_topic() or "gone")
        kind, resource = self.random.choice((topic, (4, ""), (4, "1"), (16, "metrics"), (32, "group")))
        value = self.random.choice((None, "", "1000", "ä"))
        name = f"c{self.made % 3}"
        return self.make("ConfigRecord", resource_type=kind, resource_name=resource, name=name, value=value)

    def feature(self) -> Versioned:
        if self.random.random() < 0.3:
            return level("metadata.version", self.random.choice(LEVELS[self.elr]))
        name = self.random.choice(("group.version", "transaction.version"))
        return self.make("FeatureLevelRecord", name=name, feature_level=self.random.randrange(3))

    def listeners(self, kind: str) -> list[object]:
        cls = part(f"Register{kind}Record", f"{kind}Endpoint")
        names = ("INTERNAL", "EXTERNAL")
        return [cls(name=name, host="h", port=65000, security_protocol=1) for name in names]

    def supported(self, kind: str) -> list[object]:
        cls = part(f"Register{kind}Record", f"{kind}Feature")
        names = ("metadata.version", "group.version")
        return [cls(name=name, min_supported_version=0, max_supported_version=30) for name in names]

    def register_broker(self) -> Versioned:
        broker = self.random.randrange(1, 6)
        self.brokers[broker] = self.made
        version = self.random.randrange(5)
        return self.make(
            "RegisterBrokerRecord",
            version,
            broker_id=broker,
            incarnation_id=self.id(),
            broker_epoch=self.made,
            end_points=self.listeners("Broker"),
            features=self.supported("Broker"),
            rack=self.random.choice((None, "a")),
            fenced=self.random.random() < 0.5,
            in_controlled_shutdown=version >= 1 and self.random.random() < 0.2,
            log_dirs=[self.id(), self.id()] if version >= 3 else [],
            cordoned_log_dirs=self.random.choice((None, [], [self.id()])) if version >= 4 else None,
        )

    def some_broker(self) -> tuple[int, int] | None:
        return self.random.choice(list(self.brokers.items())) if self.brokers else None

    def change_broker(self) -> Versioned:
        if (known := self.some_broker()) is None:
            return self.register_broker()
        return self.make(
            "BrokerRegistrationChangeRecord",
            broker_id=known[0],
            broker_epoch=known[1] - (self.random.random() < 0.1),
            fenced=self.random.choice((-1, 0, 1)),
            in_controlled_shutdown=self.random.choice((0, 0, 1)),
            log_dirs=self.random.choice(([], [self.id()])),
            cordoned_log_dirs=self.random.choice((None, [], [self.id()])),
        )

    def fence(self) -> Versioned:
        if (known := self.some_broker()) is None:
            return self.register_broker()
        name = self.random.choice(("FenceBrokerRecord", "UnfenceBrokerRecord"))
        return self.make(name, id=known[0], epoch=known[1])

    def unregister_broker(self) -> Versioned:
        if (known := self.some_broker()) is None or self.random.random() < 0.5:
            return self.register_broker()
        del self.brokers[known[0]]
        return self.make("UnregisterBrokerRecord", broker_id=known[0], broker_epoch=known[1])

    def controller(self) -> Versioned:
        return self.make(
            "RegisterControllerRecord",
            controller_id=self.random.randrange(3),
            incarnation_id=self.id(),
            end_points=self.listeners("Controller"),
            features=self.supported("Controller"),
        )

    def acl(self) -> Versioned:
        self.acls.append(self.id())
        return self.make(
            "AccessControlEntryRecord",
            id=self.acls[-1],
            resource_type=2,
            resource_name="orders",
            pattern_type=3,
            principal="User:alice",
            host="*",
            operation=self.random.randrange(3, 8),
            permission_type=3,
        )

    def remove_acl(self) -> Versioned:
        if not self.acls:
            return self.acl()
        return self.make("RemoveAccessControlEntryRecord", id=self.acls.pop())

    def scram(self) -> Versioned:
        return self.make(
            "UserScramCredentialRecord",
            name=self.random.choice(("alice", "bob")),
            mechanism=self.random.choice((1, 2)),
            salt=self.random.randbytes(8),
            stored_key=self.random.randbytes(8),
            server_key=self.random.randbytes(8),
            iterations=4096,
        )

    def remove_scram(self) -> Versioned:
        user = self.random.choice(("alice", "bob"))
        return self.make("RemoveUserScramCredentialRecord", name=user, mechanism=self.random.choice((1, 2)))

    def producer_ids(self) -> Versioned:
        return self.make("ProducerIdsRecord", broker_id=1, broker_epoch=5, next_producer_id=1000 * self.made)

    def quota(self) -> Versioned:
        entity = part("ClientQuotaRecord", "EntityData")
        kinds = self.random.sample(("user", "client-id"), self.random.randrange(1, 3))
        return self.make(
            "ClientQuotaRecord",
            entity=[entity(kind, self.random.choice((None, "alice"))) for kind in kinds],
            key=self.random.choice(QUOTAS),
            value=self.random.random() * 1000,
            remove=self.random.random() < 0.4,
        )

    def token(self) -> Versioned:
        token_id = self.random.choice(("t1", "t2"))
        if self.random.random() < 0.3:
            return self.make("RemoveDelegationTokenRecord", token_id=token_id)
        return self.make(
            "DelegationTokenRecord",
            owner="User:alice",
            requester="User:bob",
            renewers=["User:carol"],
            issue_timestamp=self.made,
            max_timestamp=self.made + 2,
            expiration_timestamp=self.made + 1,
            token_id=token_id,
        )
