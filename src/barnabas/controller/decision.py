"""What a decision is given and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, cast

from barnabas._core import Uuid
from barnabas.config.alter import ResourceType
from barnabas.config.resolve import BrokerConfigs, topic_value
from barnabas.controller.record_versions import METADATA_VERSION, METADATA_VERSION_MIN, RecordVersions
from barnabas.errors import KafkaError
from barnabas.protocol import ErrorCode

if TYPE_CHECKING:
    from barnabas._core import BrokerImage, MetadataImage, PartitionImage
    from barnabas.config.settings import BrokerSettings
    from barnabas.config.values import Value
    from barnabas.protocol.message import Message

R = TypeVar("R")

Record = tuple["Message", int]
"""A record of the metadata log and the version to write it in."""

TOPIC, BROKER = ResourceType.TOPIC, ResourceType.BROKER

RECORDS_MAX = 10_000
"""Records that one request may cause, and partitions that one may create."""

NO_LEADER = -1

# Log directories that stand for a state (KIP-858).
DIRECTORY_MIGRATING = Uuid(bytes(16))
DIRECTORY_UNASSIGNED = Uuid(bytes(15) + b"\x01")
DIRECTORY_LOST = Uuid(bytes(15) + b"\x02")


@dataclass(frozen=True)
class Decision(Generic[R]):
    """What to append to the metadata log as one batch, and what to answer once it is committed."""

    records: list[Record]
    response: R


@dataclass(frozen=True)
class ControllerState:
    """The head of the metadata and all that decisions need besides."""

    image: MetadataImage
    """With the records that are appended but not yet committed."""
    node_id: int
    cluster_id: str
    settings: BrokerSettings
    """The node's static configuration."""
    new_id: Callable[[], Uuid]
    chance: Callable[[int], int]
    """A number from 0 to below its argument."""

    @cached_property
    def features(self) -> dict[str, int]:
        """Finalized level of each feature."""
        return self.image.features()

    @cached_property
    def versions(self) -> RecordVersions:
        """Versions of records to write."""
        return RecordVersions(self.features.get(METADATA_VERSION, METADATA_VERSION_MIN))

    @cached_property
    def elr_enabled(self) -> bool:
        """Whether eligible leader replicas are kept (KIP-966)."""
        enabled = self.features.get("eligible.leader.replicas.version", 0) >= 1
        return enabled and self.versions.eligible_leader_replicas

    @cached_property
    def brokers(self) -> dict[int, BrokerImage]:
        """Registered brokers by id."""
        return {broker.id: broker for broker in self.image.brokers()}

    def active(self, broker_id: int) -> bool:
        """Whether a broker may be in an ISR: registered, neither fenced nor leaving."""
        broker = self.brokers.get(broker_id)
        return broker is not None and not broker.fenced and not broker.in_controlled_shutdown

    def default_directory(self, broker_id: int) -> Uuid:
        """Where a new replica goes: the broker's only directory, or one that the broker will choose."""
        broker = self.brokers.get(broker_id)
        if broker is None or not broker.log_dirs:
            return DIRECTORY_MIGRATING
        return broker.log_dirs[0] if len(broker.log_dirs) == 1 else DIRECTORY_UNASSIGNED

    def min_isr(self, topic: str, replication_factor: int) -> int:
        """min.insync.replicas of a topic, at most its replication factor."""
        return min(cast(int, self.topic_value(topic, "min.insync.replicas")), replication_factor)

    def unclean_election(self, topic: str) -> bool:
        """Whether a topic's partitions may be led by a replica that misses records."""
        return self.topic_value(topic, "unclean.leader.election.enable") is True

    @cached_property
    def broker_configs(self) -> BrokerConfigs:
        """What this broker's config values come from."""
        node = str(self.node_id)
        return BrokerConfigs(self.settings, self.image.config(BROKER, node), self.image.config(BROKER, ""))

    @cached_property
    def _topic_values(self) -> dict[tuple[str, str], Value]:
        return {}

    def topic_value(self, topic: str, key: str) -> Value:
        """A config's value in force for a topic."""
        values = self._topic_values
        if (topic, key) not in values:
            values[topic, key] = topic_value(self.broker_configs, self.image.config(TOPIC, topic), key)
        return values[topic, key]


def directory_online(broker: BrokerImage | None, directory: Uuid) -> bool:
    """Whether a replica in this directory of the broker can be read."""
    if directory in (DIRECTORY_MIGRATING, DIRECTORY_UNASSIGNED):
        return True
    if broker is None or directory == DIRECTORY_LOST:
        return False
    return not broker.log_dirs or directory in broker.log_dirs


def replica_directory(partition: PartitionImage, broker_id: int) -> Uuid:
    """Directory of a partition's replica on a broker."""
    directories = dict(zip(partition.replicas, partition.directories, strict=False))
    return directories.get(broker_id, DIRECTORY_MIGRATING)


def refuse(code: ErrorCode, message: str | None = None) -> KafkaError:
    """The error to raise for one item of a request, or for the whole of it."""
    return KafkaError.for_code(code, message)


class _Failable(Protocol):
    error_code: int
    error_message: str | None


@contextmanager
def error_of(result: _Failable) -> Iterator[None]:
    """Turns a KafkaError raised within into the error of `result`."""
    try:
        yield
    except KafkaError as error:
        result.error_code = error.error_code
        result.error_message = error.message or None
