"""Topics: created, listed, described, deleted, given more partitions."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from barnabas._core import Uuid
from barnabas.clients.admin.acl_operation import AclOperation, authorized
from barnabas.clients.operation import Operations, operation
from barnabas.clients.plan import (
    ANY,
    CONTROLLER,
    Ask,
    Asks,
    Plan,
    ask,
    at,
    each,
    either,
    error_of,
)
from barnabas.clients.results import Results
from barnabas.errors import KafkaError, UnknownTopicOrPartition
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.create_partitions_request import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from barnabas.protocol.generated.create_partitions_response import CreatePartitionsResponse
from barnabas.protocol.generated.create_topics_request import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from barnabas.protocol.generated.create_topics_response import CreateTopicsResponse
from barnabas.protocol.generated.delete_topics_request import DeleteTopicsRequest, DeleteTopicState
from barnabas.protocol.generated.delete_topics_response import DeleteTopicsResponse
from barnabas.protocol.generated.describe_topic_partitions_request import (
    Cursor,
    DescribeTopicPartitionsRequest,
    TopicRequest,
)
from barnabas.protocol.generated.metadata_request import MetadataRequest, MetadataRequestTopic
from barnabas.protocol.generated.metadata_response import MetadataResponse

BROKER_DEFAULT = -1
"""As many partitions or replicas as the broker's `num.partitions` and `default.replication.factor` say."""


@dataclass(frozen=True, slots=True)
class NewTopic:
    """A topic to be created."""

    name: str
    partitions: int = BROKER_DEFAULT
    replication_factor: int = BROKER_DEFAULT
    configs: Mapping[str, str | None] = field(default_factory=dict)
    assignments: Mapping[int, Sequence[int]] | None = None
    """Brokers of each partition, instead of the two numbers."""


@dataclass(frozen=True, slots=True)
class CreatedTopic:
    """A topic that was created; -1 where a broker does not tell."""

    topic_id: Uuid = field(repr=False)
    partitions: int
    replication_factor: int
    configs: Mapping[str, str | None] = field(repr=False)


@dataclass(frozen=True, slots=True)
class TopicListing:
    """A topic that there is."""

    name: str = field(repr=False)
    topic_id: Uuid
    partitions: int
    replication_factor: int
    internal: bool


@dataclass(frozen=True, slots=True)
class PartitionDescription:
    """Who has a partition. Brokers are named by their ids."""

    partition: int
    leader: int | None
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    offline_replicas: tuple[int, ...] = ()
    eligible_leader_replicas: tuple[int, ...] | None = None
    """None where the broker does not tell (before Apache Kafka 3.7)."""
    last_known_elr: tuple[int, ...] | None = None
    leader_epoch: int = -1

    def __str__(self) -> str:
        return f"{self.partition}@{'none' if self.leader is None else self.leader}"


@dataclass(frozen=True, slots=True)
class TopicDescription:
    """A topic with its partitions."""

    name: str = field(repr=False)
    topic_id: Uuid
    internal: bool
    partitions: tuple[PartitionDescription, ...]
    authorized_operations: frozenset[AclOperation] | None = field(default=None, repr=False)


class Topics(Operations):
    """Operations on topics."""

    @operation
    def create_topics(
        self, topics: str | NewTopic | Iterable[str | NewTopic], *, validate_only: bool = False
    ) -> Plan[Results[str, CreatedTopic]]:
        """Creates topics; a name alone makes one with the broker's defaults. `validate_only` changes nothing
        and tells what would be."""
        wanted = {topic.name: topic for topic in _new_topics(topics)}

        def make(names: list[str]) -> CreateTopicsRequest:
            creatable = [_creatable(wanted[name]) for name in names]
            return CreateTopicsRequest(creatable, self.request_timeout_ms, validate_only)

        return (yield from each(wanted, at(CONTROLLER), make, _created))

    @operation
    def delete_topics(self, topics: str | Uuid | Iterable[str | Uuid]) -> Plan[Results[str | Uuid, None]]:
        """Deletes topics, by name or id."""
        names = [topics] if isinstance(topics, str | Uuid) else list(topics)
        Deleted = Plan[Results[str | Uuid, None]]
        by_id: Deleted = each(names, at(CONTROLLER), self._delete, _deleted, lowest=6)
        by_name: Deleted = each(names, at(CONTROLLER), self._delete_by_name, _deleted, highest=5)
        if any(isinstance(name, Uuid) for name in names):
            return (yield from by_id)
        results = yield from by_id
        return (yield from by_name) if _too_old(results) else results

    def _delete(self, names: list[str | Uuid]) -> DeleteTopicsRequest:
        states = [
            DeleteTopicState(topic_id=name) if isinstance(name, Uuid) else DeleteTopicState(name)
            for name in names
        ]
        return DeleteTopicsRequest(topics=states, timeout_ms=self.request_timeout_ms)

    def _delete_by_name(self, names: list[str | Uuid]) -> DeleteTopicsRequest:
        return DeleteTopicsRequest(topic_names=map(str, names), timeout_ms=self.request_timeout_ms)

    @operation
    def list_topics(self, *, internal: bool = False) -> Plan[Results[str, TopicListing]]:
        """All topics that the caller may see; those of Kafka itself only when they are asked for."""
        answer = yield from ask(MetadataRequest(None, False), MetadataResponse, lowest=4)
        listed: dict[str, TopicListing] = {}
        for topic in sorted(answer.topics, key=lambda topic: topic.name or ""):
            if topic.name is None or topic.error_code or (topic.is_internal and not internal):
                continue
            replicas = max((len(one.replica_nodes) for one in topic.partitions), default=0)
            listing = TopicListing(
                topic.name, topic.topic_id, len(topic.partitions), replicas, topic.is_internal
            )
            listed[topic.name] = listing
        return Results(listed)

    @operation
    def describe_topics(
        self, topics: str | Uuid | Iterable[str | Uuid], *, include_authorized_operations: bool = False
    ) -> Plan[Results[str | Uuid, TopicDescription]]:
        """Who has which partition of topics, by name or id."""
        names = [topics] if isinstance(topics, str | Uuid) else list(topics)
        by_metadata = _described_by_metadata(names, include_authorized_operations)
        if include_authorized_operations or any(isinstance(name, Uuid) for name in names):
            return (yield from by_metadata)
        return (yield from either(_described(names), by_metadata))

    @operation
    def create_partitions(
        self,
        counts: Mapping[str, int],
        *,
        assignments: Mapping[str, Sequence[Sequence[int]]] | None = None,
        validate_only: bool = False,
    ) -> Plan[Results[str, None]]:
        """Gives topics more partitions: how many each is to have in all. `assignments` says which brokers get
        each new one."""

        def assigned(name: str) -> list[CreatePartitionsAssignment] | None:
            brokers = (assignments or {}).get(name)
            return None if brokers is None else [CreatePartitionsAssignment(one) for one in brokers]

        def make(names: list[str]) -> CreatePartitionsRequest:
            wanted = [CreatePartitionsTopic(name, counts[name], assigned(name)) for name in names]
            return CreatePartitionsRequest(wanted, self.request_timeout_ms, validate_only)

        def read(answer: CreatePartitionsResponse, _: list[str]) -> Iterator[tuple[str, KafkaError | None]]:
            return ((one.name, error_of(one.error_code, one.error_message)) for one in answer.results)

        return (yield from each(counts, at(CONTROLLER), make, read))


def _new_topics(topics: str | NewTopic | Iterable[str | NewTopic]) -> Iterator[NewTopic]:
    for topic in [topics] if isinstance(topics, str | NewTopic) else topics:
        yield NewTopic(topic) if isinstance(topic, str) else topic


def _creatable(topic: NewTopic) -> CreatableTopic:
    configs = [CreatableTopicConfig(name, value) for name, value in topic.configs.items()]
    if topic.assignments is None:
        return CreatableTopic(topic.name, topic.partitions, topic.replication_factor, (), configs)
    assignments = [CreatableReplicaAssignment(index, brokers) for index, brokers in topic.assignments.items()]
    return CreatableTopic(topic.name, BROKER_DEFAULT, BROKER_DEFAULT, assignments, configs)


def _created(answer: CreateTopicsResponse, _: list[str]) -> Iterator[tuple[str, CreatedTopic | KafkaError]]:
    for topic in answer.topics:
        configs = {config.name: config.value for config in topic.configs or ()}
        created = CreatedTopic(topic.topic_id, topic.num_partitions, topic.replication_factor, configs)
        yield topic.name, error_of(topic.error_code, topic.error_message) or created


def _deleted(
    answer: DeleteTopicsResponse, asked: list[str | Uuid]
) -> Iterator[tuple[str | Uuid, KafkaError | None]]:
    for topic in answer.responses:
        error = error_of(topic.error_code, topic.error_message)
        # A topic that was asked for by its id is answered with both.
        yield (topic.topic_id if topic.topic_id in asked else topic.name or ""), error


def _too_old(results: Results[Any, Any]) -> bool:
    errors = results.errors.values()
    return any(
        isinstance(error, KafkaError) and error.error_code == ErrorCode.UNSUPPORTED_VERSION
        for error in errors
    )


def _described(names: Sequence[str | Uuid]) -> Plan[Results[str | Uuid, TopicDescription]]:
    """A page of partitions after the other; tells of eligible leaders."""
    outcomes: dict[str | Uuid, Any] = {
        name: UnknownTopicOrPartition(f"topic {name} is not known") for name in names
    }
    topics: dict[str, tuple[Any, list[PartitionDescription]]] = {}
    cursor = None
    while True:
        rest = [name for name in sorted(map(str, names)) if cursor is None or name >= cursor.topic_name]
        request = DescribeTopicPartitionsRequest([TopicRequest(name) for name in rest], cursor=cursor)
        (reply,) = yield Asks([Ask(request, ANY)])
        if isinstance(reply, Exception):
            raise reply
        for topic in reply.message.topics:
            if error := error_of(topic.error_code):
                outcomes[topic.name] = type(error)(f"topic {topic.name}: {error.message}")
            else:
                _, partitions = topics.setdefault(topic.name, (topic, []))
                partitions += [_partition(one) for one in topic.partitions]
        found = reply.message.next_cursor
        if found is None:
            break
        cursor = Cursor(found.topic_name, found.partition_index)
    for name, (topic, partitions) in topics.items():
        outcomes[name] = TopicDescription(name, topic.topic_id, topic.is_internal, tuple(partitions))
    return Results(outcomes)


def _described_by_metadata(
    names: Sequence[str | Uuid], include_operations: bool
) -> Generator[Asks, list[Any], Results[str | Uuid, TopicDescription]]:
    wanted = [
        MetadataRequestTopic(name, None) if isinstance(name, Uuid) else MetadataRequestTopic(name=name)
        for name in names
    ]
    request = MetadataRequest(wanted, False, False, include_operations)
    answer = yield from ask(request, MetadataResponse, lowest=4)
    outcomes: dict[str | Uuid, Any] = {
        name: UnknownTopicOrPartition(f"topic {name} is not known") for name in names
    }
    for topic in answer.topics:
        key = topic.topic_id if topic.topic_id in outcomes else topic.name or ""
        partitions = sorted(map(_partition, topic.partitions), key=lambda partition: partition.partition)
        outcomes[key] = error_of(topic.error_code) or TopicDescription(
            topic.name or "",
            topic.topic_id,
            topic.is_internal,
            tuple(partitions),
            authorized(topic.topic_authorized_operations),
        )
    return Results(outcomes)


def _partition(found: Any) -> PartitionDescription:
    eligible = getattr(found, "eligible_leader_replicas", None)
    last = getattr(found, "last_known_elr", None)
    return PartitionDescription(
        found.partition_index,
        None if found.leader_id < 0 else found.leader_id,
        tuple(found.replica_nodes),
        tuple(found.isr_nodes),
        tuple(found.offline_replicas),
        None if eligible is None else tuple(eligible),
        None if last is None else tuple(last),
        found.leader_epoch,
    )
