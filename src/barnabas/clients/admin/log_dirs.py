"""Log directories of brokers, and the replicas in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from barnabas.clients.admin.partitions_map import Partition, by_topic
from barnabas.clients.operation import Operations, operation
from barnabas.clients.plan import Asked, Plan, ask, by_node, each, error_of
from barnabas.clients.results import Results
from barnabas.protocol.generated.alter_replica_log_dirs_request import (
    AlterReplicaLogDir,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirTopic,
)
from barnabas.protocol.generated.alter_replica_log_dirs_response import AlterReplicaLogDirsResponse
from barnabas.protocol.generated.describe_log_dirs_request import (
    DescribableLogDirTopic,
    DescribeLogDirsRequest,
)
from barnabas.protocol.generated.describe_log_dirs_response import DescribeLogDirsResponse
from barnabas.protocol.generated.metadata_request import MetadataRequest
from barnabas.protocol.generated.metadata_response import MetadataResponse


class Replica(NamedTuple):
    """A partition on a broker."""

    topic: str
    partition: int
    broker: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}@{self.broker}"


class LogDirectory(NamedTuple):
    """A directory of a broker."""

    broker: int
    path: str

    def __str__(self) -> str:
        return f"{self.broker}:{self.path}"


@dataclass(frozen=True, slots=True)
class ReplicaInfo:
    """A replica's log in a directory, in bytes and records."""

    size: int
    offset_lag: int
    future: bool
    """Whether it is a copy that will take another directory's place."""


@dataclass(frozen=True, slots=True)
class LogDirDescription:
    """A log directory. Bytes are None where a broker does not tell (before Apache Kafka 3.3)."""

    replicas: Mapping[Partition, ReplicaInfo]
    total_bytes: int | None
    usable_bytes: int | None
    cordoned: bool = False
    """Whether it gets no new replicas."""


@dataclass(frozen=True, slots=True)
class ReplicaLogDir:
    """Where a replica is, and where it moves to."""

    current: str | None
    current_lag: int
    future: str | None = None
    future_lag: int | None = None


class LogDirs(Operations):
    """Operations on log directories."""

    @operation
    def describe_log_dirs(
        self, brokers: Iterable[int] | None = None
    ) -> Plan[Results[LogDirectory, LogDirDescription]]:
        """Log directories of brokers, or of all. One that is offline is an error (KafkaStorageError)."""
        ids = brokers
        if ids is None:
            answer = yield from ask(MetadataRequest([], False), MetadataResponse, lowest=4)
            ids = sorted(one.node_id for one in answer.brokers)
        found = yield from _described(list(ids), None)
        outcomes: dict[LogDirectory, Any] = {}
        for broker, directories in found.items():
            for path, outcome in directories.items():
                outcomes[LogDirectory(broker, path)] = outcome
        return Results(outcomes)

    @operation
    def describe_replica_log_dirs(self, replicas: Iterable[Replica]) -> Plan[Results[Replica, ReplicaLogDir]]:
        """In which directory each replica is."""
        wanted = [Replica(*one) for one in replicas]
        topics = by_topic({(one.topic, one.partition) for one in wanted})
        found = yield from _described(sorted({one.broker for one in wanted}), topics)
        outcomes: dict[Replica, ReplicaLogDir] = {}
        for replica in wanted:
            current = future = None
            lag, future_lag = -1, None
            for path, directory in found[replica.broker].items():
                info = (
                    directory.replicas.get((replica.topic, replica.partition))
                    if isinstance(directory, LogDirDescription)
                    else None
                )
                if info is not None and info.future:
                    future, future_lag = path, info.offset_lag
                elif info is not None:
                    current, lag = path, info.offset_lag
            outcomes[replica] = ReplicaLogDir(current, lag, future, future_lag)
        return Results(outcomes)

    @operation
    def alter_replica_log_dirs(self, paths: Mapping[Replica, str]) -> Plan[Results[Replica, None]]:
        """Moves replicas into other directories of their brokers."""
        wanted = {Replica(*replica): path for replica, path in paths.items()}

        def make(some: list[Replica]) -> AlterReplicaLogDirsRequest:
            directories: dict[str, list[Partition]] = {}
            for replica in some:
                directories.setdefault(wanted[replica], []).append((replica.topic, replica.partition))
            return AlterReplicaLogDirsRequest(
                AlterReplicaLogDir(
                    path, [AlterReplicaLogDirTopic(*one) for one in by_topic(partitions).items()]
                )
                for path, partitions in directories.items()
            )

        def read(answer: AlterReplicaLogDirsResponse, asked: Asked[Replica]) -> Iterator[tuple[Replica, Any]]:
            for topic in answer.results:
                for one in topic.partitions:
                    replica = Replica(topic.topic_name, one.partition_index, asked.node_id)
                    yield replica, error_of(one.error_code)

        return (yield from each(wanted, by_node(lambda replica: replica.broker), make, read))


Directories = dict[str, Any]
"""By path what is in it, or why it can't be known."""


def _described(brokers: list[int], topics: Mapping[str, list[int]] | None) -> Plan[Results[int, Directories]]:
    wanted = None if topics is None else [DescribableLogDirTopic(*one) for one in topics.items()]

    def read(answer: DescribeLogDirsResponse, asked: Asked[int]) -> Iterator[tuple[int, Any]]:
        yield (
            asked.node_id,
            {one.log_dir: error_of(one.error_code) or _directory(one) for one in answer.results},
        )

    return (
        yield from each(
            brokers, by_node(lambda broker: broker), lambda _: DescribeLogDirsRequest(wanted), read
        )
    )


def _directory(one: Any) -> LogDirDescription:
    def known(count: int) -> int | None:
        return None if count < 0 else count

    replicas = {
        (topic.name, it.partition_index): ReplicaInfo(it.partition_size, it.offset_lag, it.is_future_key)
        for topic in one.topics
        for it in topic.partitions
    }
    return LogDirDescription(replicas, known(one.total_bytes), known(one.usable_bytes), one.is_cordoned)
