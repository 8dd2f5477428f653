"""The same requests about groups to two clusters, and what they answer, side by side.

Requests are written once, with names where a cluster chooses: `"m1"` stands for the member id that each of
them gave out first, `topic_id("t")` for the id of its topic. Requests that wait are sent on a connection of
their own, and received later.
"""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

from barnabas import _core
from barnabas._core import Uuid
from barnabas.protocol import Message, Struct, message_class
from barnabas.protocol.generated.consumer_group_heartbeat_request import ConsumerGroupHeartbeatRequest
from barnabas.protocol.generated.create_topics_request import CreatableTopic, CreateTopicsRequest
from barnabas.protocol.generated.delete_groups_request import DeleteGroupsRequest
from barnabas.protocol.generated.describe_groups_request import DescribeGroupsRequest
from barnabas.protocol.generated.describe_groups_response import DescribedGroup
from barnabas.protocol.generated.find_coordinator_request import FindCoordinatorRequest
from barnabas.protocol.generated.incremental_alter_configs_request import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from barnabas.protocol.generated.metadata_request import MetadataRequest, MetadataRequestTopic
from barnabas.server.coordinators import java_hash
from tests.support.wire import Connection

MEMBER = re.compile(r"^(.*)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
DROPPED = frozenset(("throttle_time_ms", "host", "port"))
PRESENCE = frozenset(("error_message",))
COORDINATOR_ERRORS = frozenset((14, 15, 16))
UNORDERED = ("member_id", "group_id", "name", "partition_index", "key")


WAIT_SECONDS_MAX = 60
OFFSETS_PARTITIONS = 50
"""`offsets.topic.num.partitions`."""
PROBE = "probe-"
"""Begins the names of groups that only wait for something."""
GROUP_RESOURCE = 32
TOPIC_ALREADY_EXISTS = 36
UNKNOWN_TOPIC = Uuid(b"\7" * 16)


def wait_for(holds: Callable[[], bool]) -> None:
    """Asks again and again, but not for ever."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"


class Side:
    """One cluster: its connections and what it has chosen."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.connections: dict[str, Connection] = {}
        self.names: dict[str, str] = {}
        """Names by member id."""
        self.members: dict[str, str] = {}
        self.topics: dict[str, Uuid] = {}

    def connection(self, name: str) -> Connection:
        if name not in self.connections:
            self.connections[name] = Connection(self.bootstrap)
        return self.connections[name]

    def close(self) -> None:
        for connection in self.connections.values():
            connection.socket.close()

    def send(self, connection: str, message: Message, version: int) -> None:
        asked = self.filled_in(copy.deepcopy(message))
        one = self.connection(connection)
        one.send_frame(one.header(message.API_KEY, version) + _core.encode(asked, version))

    def receive(self, connection: str, api_key: int, version: int) -> Any:
        frame = self.connection(connection).receive_frame()
        if frame is None:
            self.connections.pop(connection).socket.close()
            return None
        kind = message_class(api_key, response=True)
        flexible = version >= kind.LOWEST_FLEXIBLE_VERSION
        return _core.decode(kind, version, frame[5 if flexible else 4 :])

    def ask(self, message: Message, version: int, connection: str = "main") -> Any:
        self.send(connection, message, version)
        return self.receive(connection, message.API_KEY, version)

    def static_member(self, group: str, instance: str) -> str:
        """The id of a static member now."""
        described = self.ask(DescribeGroupsRequest(groups=[group]), 5).groups[0]
        return next(one.member_id for one in described.members if one.group_instance_id == instance)

    # ---- names

    def filled_in(self, value: Any) -> Any:
        """The request with this cluster's ids in place of names."""
        if isinstance(value, Struct):
            for slot in value.__slots__:
                inner = getattr(value, slot)
                if slot == "topic_id" and isinstance(inner, str):
                    setattr(value, slot, self.topics.get(inner, UNKNOWN_TOPIC))
                elif slot in ("member_id", "leader") and isinstance(inner, str):
                    setattr(value, slot, self.members.get(inner, inner))
                else:
                    self.filled_in(inner)
        elif isinstance(value, list):
            for item in value:
                self.filled_in(item)
        return value

    def shown(self, value: Any, slot: str = "") -> Any:
        """A response with names in place of this cluster's ids."""
        if isinstance(value, Struct):
            return {
                name: self.shown(getattr(value, name), name)
                for name in value.__slots__
                if name not in DROPPED
            }
        if isinstance(value, list):
            items = [self.shown(item, slot) for item in value]
            return sorted(items, key=_order) if items and isinstance(items[0], dict) else items
        if slot in PRESENCE:
            return bool(value)
        if slot == "topic_id":
            return next((name for name, topic_id in self.topics.items() if topic_id == value), str(value))
        if slot in ("member_id", "leader") and isinstance(value, str) and MEMBER.match(value):
            return self.name_of(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return int(value)
        return value

    def name_of(self, member_id: str) -> str:
        if member_id not in self.names:
            name = f"m{len(self.names) + 1}"
            self.names[member_id] = name
            self.members[name] = member_id
        return self.names[member_id]


def create_topic(side: Side, name: str, partitions: int) -> None:
    """Creates a topic unless it is there; the side knows its id from then on."""
    topic = CreatableTopic(name=name, num_partitions=partitions, replication_factor=1)
    created = side.ask(CreateTopicsRequest(topics=[topic]), 7).topics[0]
    assert created.error_code in (0, TOPIC_ALREADY_EXISTS), created
    asked = MetadataRequest(topics=[MetadataRequestTopic(name=name)], allow_auto_topic_creation=False)
    # Apache Kafka answers CreateTopics before the broker knows the topic.
    wait_for(lambda: not side.ask(asked, 12).topics[0].error_code)
    side.topics[name] = side.ask(asked, 12).topics[0].topic_id


def set_config(side: Side, name: str, value: str, group: str = "app") -> None:
    """Sets a config of a group."""
    resource = AlterConfigsResource(GROUP_RESOURCE, group, [AlterableConfig(name, 0, value)])
    side.ask(IncrementalAlterConfigsRequest([resource]), 1)


def find_coordinator(side: Side, key: str) -> None:
    """Waits until somebody coordinates the key."""
    request = FindCoordinatorRequest(coordinator_keys=[key])
    wait_for(lambda: side.ask(request, 4).coordinators[0].error_code not in COORDINATOR_ERRORS)


def await_topics(side: Side, group: str, names: Sequence[str]) -> None:
    """Waits until the group's coordinator knows topics, which Kafka tells it after it has told clients: until
    a group on the same partition of `__consumer_offsets` is assigned all of them.
    """
    find_coordinator(side, group)
    place = java_hash(group) % OFFSETS_PARTITIONS
    names_of_probes = map(f"{PROBE}{{}}".format, count())
    probe = next(name for name in names_of_probes if java_hash(name) % OFFSETS_PARTITIONS == place)
    expected = {side.topics[name] for name in names}
    assigned: set[Uuid] = set()

    epoch = 0

    def beat() -> bool:
        """Whether the coordinator is there."""
        nonlocal epoch
        request = ConsumerGroupHeartbeatRequest(
            probe,
            probe,
            epoch,
            rebalance_timeout_ms=60_000,
            subscribed_topic_names=list(names),
            topic_partitions=[],
        )
        answer = side.ask(request, 1)
        assert answer.error_code in (0, *COORDINATOR_ERRORS), answer
        if answer.error_code:
            return False
        epoch = answer.member_epoch
        if answer.assignment is not None:
            assigned.update(one.topic_id for one in answer.assignment.topic_partitions)
        return True

    wait_for(lambda: beat() and assigned == expected)
    epoch = -1
    assert beat()
    deleted = side.ask(DeleteGroupsRequest([probe]), 2).results[0]
    assert not deleted.error_code, deleted


def _order(item: dict[str, Any]) -> list[str]:
    return [str(item[key]) for key in UNORDERED if key in item]


class Duel:
    """Two sides, asked the same."""

    def __init__(self, kafka: str, barnabas: str) -> None:
        self.kafka, self.barnabas = Side(kafka), Side(barnabas)
        self.sides = (self.kafka, self.barnabas)
        self.differences: list[str] = []
        self.steps = 0

    def create_topic(self, name: str, partitions: int = 1) -> None:
        for side in self.sides:
            create_topic(side, name, partitions)

    def coordinated(self, *keys: str) -> None:
        """Waits until both sides coordinate these keys."""
        for side in self.sides:
            for key in keys:
                find_coordinator(side, key)

    def send(self, message: Message, version: int, connection: str) -> None:
        """Sends a request that is received later."""
        for side in self.sides:
            side.send(connection, message, version)

    def receive(self, message: Message, version: int, connection: str) -> Any:
        """The answers to a request that was sent before; barnabas's is returned."""
        answers = [side.receive(connection, message.API_KEY, version) for side in self.sides]
        return self._compare(message, version, answers)

    def ask(self, message: Message, version: int | None = None, connection: str = "main") -> Any:
        """The answers to a request; barnabas's is returned, with names for ids."""
        version = message.HIGHEST_VERSION if version is None else version
        self.send(message, version, connection)
        return self.receive(message, version, connection)

    def until(self, group: str, holds: Callable[[DescribedGroup], bool]) -> None:
        """Waits until a classic group is on both sides as it should be: a request that waits has arrived."""
        for side in self.sides:
            wait_for(lambda: holds(side.ask(DescribeGroupsRequest(groups=[group]), 5).groups[0]))  # noqa: B023

    def loaded(self) -> None:
        """Waits until both sides serve all partitions of `__consumer_offsets`."""
        names = {java_hash(name) % OFFSETS_PARTITIONS: name for name in map(str, range(1000))}
        assert len(names) == OFFSETS_PARTITIONS
        everywhere = DescribeGroupsRequest(groups=list(names.values()))
        for side in self.sides:
            wait_for(lambda: not any(one.error_code for one in side.ask(everywhere, 5).groups))  # noqa: B023

    def close(self) -> None:
        for side in self.sides:
            side.close()

    def _compare(self, message: Message, version: int, answers: Sequence[Any]) -> Any:
        self.steps += 1
        shown = [side.shown(answer) for side, answer in zip(self.sides, answers, strict=True)]
        if shown[0] != shown[1]:
            places = "\n".join(f"  {place}" for place in _apart(shown[0], shown[1], ""))
            self.differences.append(
                f"step {self.steps}: {type(message).__name__} v{version} {message}\n{places}"
            )
        return shown[1]


def _apart(kafka: Any, barnabas: Any, place: str) -> Iterator[str]:
    """Where two responses differ."""
    if isinstance(kafka, dict) and isinstance(barnabas, dict) and kafka.keys() == barnabas.keys():
        for key in kafka:
            yield from _apart(kafka[key], barnabas[key], f"{place}.{key}")
    elif isinstance(kafka, list) and isinstance(barnabas, list) and len(kafka) == len(barnabas):
        for index, (one, other) in enumerate(zip(kafka, barnabas, strict=True)):
            yield from _apart(one, other, f"{place}[{index}]")
    elif kafka != barnabas:
        yield f"{place or '.'}: kafka {kafka!r}, barnabas {barnabas!r}"
