"""A cluster's metadata without a node: decisions are applied to a native image as the log would."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import TypeVar

from barnabas import _core
from barnabas._core import MetadataImage, PartitionImage, TopicImage, Uuid
from barnabas.config.settings import BrokerSettings
from barnabas.controller import brokers, feature_levels, features, topics
from barnabas.controller.decision import ControllerState, Decision, Record
from barnabas.protocol.generated.broker_registration_request import BrokerRegistrationRequest, Feature
from barnabas.protocol.generated.create_topics_request import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from barnabas.protocol.generated.feature_level_record import FeatureLevelRecord

R = TypeVar("R")

CLUSTER_ID = "AAAAAAAAAAAAAAAAAAAAAQ"


def numbered(number: int) -> Uuid:
    """An id that is easy to tell from others; never a reserved one."""
    return Uuid((1000 + number).to_bytes(16, "big"))


def frame(record: Record) -> bytes:
    """A record as it stands in the metadata log."""
    message, version = record
    return bytes([1, message.RECORD_TYPE, version]) + _core.encode(message, version)


class Cluster:
    """Brokers 1 to `count`, registered and unfenced, with one log directory each."""

    def __init__(
        self,
        count: int = 1,
        *,
        seed: int = 7,
        settings: dict[str, str] | None = None,
        levels: dict[str, int] | None = None,
        racks: Sequence[str | None] = (),
    ) -> None:
        self.settings = BrokerSettings(settings or {})
        self.random = random.Random(seed)
        self.ids = 0
        self.image = MetadataImage()
        finalized = {**feature_levels.BOOTSTRAP_LEVELS, **(levels or {})}
        self.write(
            (FeatureLevelRecord(name=name, feature_level=level), 0)
            for name, level in finalized.items()
            if level
        )
        if finalized[feature_levels.ELR_VERSION]:
            self.write([features.min_isr_record("1")])
        for broker_id in range(1, count + 1):
            self.register(broker_id, rack=racks[broker_id - 1] if racks else None)
            self.write(brokers.unfence(self.state, broker_id))

    @property
    def state(self) -> ControllerState:
        return ControllerState(
            image=self.image,
            node_id=1,
            cluster_id=CLUSTER_ID,
            settings=self.settings,
            new_id=self.new_id,
            chance=self.random.randrange,
        )

    def new_id(self) -> Uuid:
        self.ids += 1
        return numbered(self.ids)

    def write(self, records: Iterable[Record]) -> None:
        """Commits records."""
        self.image = self.image.with_records([frame(record) for record in records])

    def apply(self, decision: Decision[R]) -> R:
        """Commits a decision and gives its response."""
        self.write(decision.records)
        return decision.response

    def register(
        self,
        broker_id: int,
        *,
        rack: str | None = None,
        incarnation: Uuid | None = None,
        log_dirs: Sequence[Uuid] | None = None,
        previous_epoch: int = -1,
    ) -> int:
        """Registers a broker, fenced; its epoch."""
        request = registration(
            broker_id,
            rack=rack,
            incarnation=incarnation or self.new_id(),
            log_dirs=[numbered(100_000 + broker_id)] if log_dirs is None else log_dirs,
            previous_epoch=previous_epoch,
        )
        decision = brokers.register(self.state, request, self.image.offset + 1, session_valid=False)
        return self.apply(decision).broker_epoch

    def create(
        self,
        name: str,
        partitions: int = 1,
        *,
        replicas: Sequence[Sequence[int]] = (),
        configs: dict[str, str] | None = None,
    ) -> TopicImage:
        """Creates a topic: so many partitions of one replica, or these replicas for each partition."""
        topic = CreatableTopic(
            name=name,
            num_partitions=-1 if replicas else partitions,
            replication_factor=-1 if replicas else 1,
            assignments=[CreatableReplicaAssignment(index, list(ids)) for index, ids in enumerate(replicas)],
            configs=[CreatableTopicConfig(key, value) for key, value in (configs or {}).items()],
        )
        response = self.apply(topics.create_topics(self.state, CreateTopicsRequest(topics=[topic])))
        assert response.topics[0].error_code == 0, response.topics[0]
        return self.topic(name)

    def topic(self, name: str) -> TopicImage:
        topic = self.image.topic(name)
        assert topic is not None, name
        return topic

    def partition(self, name: str, index: int = 0) -> PartitionImage:
        partition = self.topic(name).partition(index)
        assert partition is not None, (name, index)
        return partition


def registration(
    broker_id: int,
    *,
    incarnation: Uuid,
    rack: str | None = None,
    log_dirs: Sequence[Uuid] = (),
    previous_epoch: int = -1,
) -> BrokerRegistrationRequest:
    """What a broker of this release sends."""
    return BrokerRegistrationRequest(
        broker_id=broker_id,
        cluster_id=CLUSTER_ID,
        incarnation_id=incarnation,
        features=[
            Feature(name, lowest, highest) for name, (lowest, highest) in feature_levels.SUPPORTED.items()
        ],
        rack=rack,
        log_dirs=log_dirs,
        previous_broker_epoch=previous_epoch,
    )
