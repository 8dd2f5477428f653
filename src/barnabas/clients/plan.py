"""What is to be asked of a cluster, and what is made of the answers: plans, which know no socket, clock or
thread.

A plan is a generator. It yields `Asks`, gets the replies in their order, and returns its result. Who carries
it out (`calls`, `barnabas.aio.calls`) decides how to wait. Here is what plans have in common: whom to ask,
and asking again where an answer says that it may help.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from barnabas.clients.results import Results
from barnabas.errors import KafkaError, UnknownServerError, UnknownTopicOrPartition, UnsupportedVersion
from barnabas.protocol import ErrorCode, Message

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")
R = TypeVar("R", bound=Message)

VERSION_MAX = 32767
UNKNOWN_RETRIES_MAX = 3
"""How often a topic is looked for that a broker does not know: it may have been created a moment ago."""

RETRIED = frozenset(
    {
        ErrorCode.LEADER_NOT_AVAILABLE,
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.NOT_COORDINATOR,
        ErrorCode.NOT_CONTROLLER,
        ErrorCode.BROKER_NOT_AVAILABLE,
        ErrorCode.KAFKA_STORAGE_ERROR,
        ErrorCode.CONCURRENT_TRANSACTIONS,
        ErrorCode.FENCED_LEADER_EPOCH,
        ErrorCode.UNKNOWN_LEADER_EPOCH,
        ErrorCode.OFFSET_NOT_AVAILABLE,
        ErrorCode.THROTTLING_QUOTA_EXCEEDED,
    }
)
"""After these the same is asked again, of whoever is the right one by then, until time is over."""


class Target(NamedTuple):
    """Who is asked."""

    kind: str
    node: int = -1


ANY = Target("any")
CONTROLLER = Target("controller")


def node(node_id: int) -> Target:
    """One broker."""
    return Target("node", node_id)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, and the versions that it may be sent in."""

    request: Message
    to: Target = ANY
    lowest: int = 0
    highest: int = VERSION_MAX


class Answered(NamedTuple):
    """A broker's answer; errors in it are for the plan to find."""

    message: Any
    node: int
    version: int


Reply = Answered | Exception
"""An answer, or why there is none: ClientTimeout, UnsupportedVersion, an error of authentication, …"""


class Asks(NamedTuple):
    """Requests that are made at once, each of its own broker."""

    asks: Sequence[Ask]
    attempt: int = 0
    """How often this was tried: before the next attempt comes a pause."""


Plan = Generator[Asks, list[Reply], T]

Placed = tuple[list[tuple[Target, list[K]]], dict[K, KafkaError]]
"""Who is to be asked for what; and what nobody can be asked for, with the reason."""


class Asked(list[K]):
    """What was asked for by one request, and of which broker."""

    def __init__(self, keys: Iterable[K], node_id: int) -> None:
        super().__init__(keys)
        self.node_id = node_id


Read = Callable[[Any, Asked[K]], Iterable[tuple[K, V | KafkaError | None]]]
"""Takes an answer to pieces."""

Place = Callable[[list[K]], Plan[Placed[K]]]


def error_of(code: int, message: str | None = None) -> KafkaError | None:
    """The error of an answer; None when its code says that there is none."""
    return KafkaError.for_code(code, message or None) if code else None


def check(code: int, message: str | None = None) -> None:
    """Raises the error of an answer, if it is one."""
    if error := error_of(code, message):
        raise error


def ask(
    request: Message,
    response: type[R],
    to: Target = ANY,
    *,
    lowest: int = 0,
    highest: int = VERSION_MAX,
    allowed: Collection[int] = (),
) -> Plan[R]:
    """One answer. Raises the error that stands for the whole of it, unless its code is `allowed`."""
    attempt, error = 0, None
    while True:
        (reply,) = yield Asks([Ask(request, to, lowest, highest)], attempt)
        if isinstance(reply, Exception):
            raise error or reply
        message = reply.message
        assert isinstance(message, response)
        code = getattr(message, "error_code", 0)
        if not code or code in allowed:
            return message
        error = KafkaError.for_code(code, getattr(message, "error_message", None) or None)
        if code not in RETRIED:
            raise error
        attempt += 1


def answered(
    request: Message, to: Target = ANY, lowest: int = 0, highest: int = VERSION_MAX
) -> Plan[Message]:
    """One answer as it is, whatever errors it tells of. Raises why there is none."""
    (reply,) = yield Asks([Ask(request, to, lowest, highest)])
    if isinstance(reply, Exception):
        raise reply
    message: Message = reply.message
    return message


def ask_all(asks: Sequence[Ask]) -> Plan[list[Any]]:
    """The answers of several brokers. Raises what any of them says of the whole."""
    answers: list[Any] = []
    waiting, attempt = list(asks), 0
    while waiting:
        replies = yield Asks(waiting, attempt)
        again = []
        for one, reply in zip(waiting, replies, strict=True):
            if isinstance(reply, Exception):
                raise reply
            code = getattr(reply.message, "error_code", 0)
            if code in RETRIED:
                again.append(one)
            else:
                check(code, getattr(reply.message, "error_message", None))
                answers.append(reply.message)
        waiting, attempt = again, attempt + 1
    return answers


def each(
    keys: Iterable[K],
    place: Place[K],
    make: Callable[[list[K]], Message],
    read: Read[K, V],
    *,
    lowest: int = 0,
    highest: int = VERSION_MAX,
) -> Plan[Results[K, V]]:
    """A result for each key, asked for by as few requests as can be: `place` says of whom, `make` makes the
    request for some keys, `read` takes the answer to pieces. What can be tried again is."""
    asked = list(dict.fromkeys(keys))
    outcomes: dict[K, Any] = {}
    waiting, attempt = asked, 0
    while waiting:
        if attempt:
            yield Asks((), attempt)
        try:
            placed, impossible = yield from place(waiting)
            replies = yield Asks([Ask(make(some), target, lowest, highest) for target, some in placed])
        except TimeoutError as error:
            # What a broker said last tells more than that time is over.
            return Results({key: outcomes.get(key, error) for key in asked})
        again = [key for key, error in impossible.items() if _may_be_found(error, attempt)]
        outcomes.update(impossible)
        for (_, some), reply in zip(placed, replies, strict=True):
            found = _outcomes(reply, some, read)
            for key in some:
                if isinstance(reply, TimeoutError) and key in outcomes:
                    continue
                outcomes[key] = found.get(key, _silence(reply))
                if _may_be_retried(outcomes[key]):
                    again.append(key)
        waiting, attempt = again, attempt + 1
    return Results({key: outcomes[key] for key in asked})


def _outcomes(reply: Reply, keys: list[K], read: Read[K, Any]) -> dict[K, Any]:
    if isinstance(reply, Exception):
        return dict.fromkeys(keys, reply)
    code = getattr(reply.message, "error_code", 0)
    if code:
        error = KafkaError.for_code(code, getattr(reply.message, "error_message", None) or None)
        return dict.fromkeys(keys, error)
    return dict(read(reply.message, Asked(keys, reply.node)))


def _silence(reply: Reply) -> KafkaError:
    broker = f"broker {reply.node}" if isinstance(reply, Answered) else "the broker"
    return UnknownServerError(f"{broker} has answered, but has not said what became of this")


def _may_be_retried(outcome: Any) -> bool:
    return isinstance(outcome, KafkaError) and outcome.error_code in RETRIED


def _may_be_found(error: KafkaError, attempt: int) -> bool:
    if isinstance(error, UnknownTopicOrPartition):
        return attempt < UNKNOWN_RETRIES_MAX
    return _may_be_retried(error)


def at(target: Target) -> Place[Any]:
    """All of one broker."""

    def place(keys: list[Any]) -> Plan[Placed[Any]]:
        return [(target, keys)], {}
        yield  # A plan that asks nothing.

    return place


def by_node(node_of: Callable[[K], int]) -> Place[K]:
    """Each of the broker that the key names."""

    def place(keys: list[K]) -> Plan[Placed[K]]:
        placed: dict[Target, list[K]] = {}
        for key in keys:
            placed.setdefault(node(node_of(key)), []).append(key)
        return list(placed.items()), {}
        yield  # A plan that asks nothing.

    return place


def separately(place: Place[K]) -> Place[K]:
    """As `place`, with a request for each key: for those that speak of one thing."""

    def place_each(keys: list[K]) -> Plan[Placed[K]]:
        placed, impossible = yield from place(keys)
        return [(target, [key]) for target, some in placed for key in some], impossible

    return place_each


def by_leader() -> Place[tuple[str, int]]:
    """Each partition of its leader."""

    def place(keys: list[tuple[str, int]]) -> Plan[Placed[tuple[str, int]]]:
        leaders = yield from partition_leaders({topic for topic, _ in keys})
        placed: dict[Target, list[tuple[str, int]]] = {}
        impossible: dict[tuple[str, int], KafkaError] = {}
        for key in keys:
            topic = leaders[key[0]]
            leader = topic if isinstance(topic, KafkaError) else topic.get(key[1])
            if isinstance(leader, int):
                placed.setdefault(node(leader), []).append(key)
            else:
                missing = f"topic {key[0]} has no partition {key[1]}"
                impossible[key] = leader or UnknownTopicOrPartition(missing)
        return list(placed.items()), impossible

    return place


def partition_leaders(
    topics: Collection[str],
) -> Plan[Mapping[str, dict[int, int | KafkaError] | KafkaError]]:
    """For each topic the leaders by partition; or why the topic, or a partition, has none."""
    from barnabas.protocol.generated.metadata_request import MetadataRequest, MetadataRequestTopic
    from barnabas.protocol.generated.metadata_response import MetadataResponse

    names = [MetadataRequestTopic(name=name) for name in sorted(topics)]
    request = MetadataRequest(topics=names, allow_auto_topic_creation=False)
    message = yield from ask(request, MetadataResponse, lowest=4)
    found: dict[str, dict[int, int | KafkaError] | KafkaError] = {
        name: UnknownTopicOrPartition(f"topic {name} is not known") for name in topics
    }
    for topic in message.topics:
        if topic.name is None:
            continue
        if error := error_of(topic.error_code):
            found[topic.name] = type(error)(f"topic {topic.name}: {error.message}")
            continue
        found[topic.name] = {
            partition.partition_index: partition.leader_id
            if partition.leader_id >= 0
            else KafkaError.for_code(ErrorCode.LEADER_NOT_AVAILABLE, "the partition has no leader")
            for partition in topic.partitions
        }
    return found


GROUP, TRANSACTION, SHARE = 0, 1, 2
"""What a coordinator is looked for by."""


def by_coordinator(kind: int = GROUP) -> Place[str]:
    """Each of its coordinator; keys are ids of groups or transactions."""

    def place(keys: list[str]) -> Plan[Placed[str]]:
        return (yield from either(_coordinators(kind, keys), _coordinators_one_by_one(kind, keys)))

    return place


def either(first: Plan[T], second: Plan[T]) -> Plan[T]:
    """`second` where a broker is too old for `first`."""
    try:
        return (yield from first)
    except UnsupportedVersion:
        return (yield from second)


def _coordinators(kind: int, keys: list[str]) -> Plan[Placed[str]]:
    from barnabas.protocol.generated.find_coordinator_request import FindCoordinatorRequest
    from barnabas.protocol.generated.find_coordinator_response import FindCoordinatorResponse

    placed: dict[Target, list[str]] = {}
    impossible: dict[str, KafkaError] = {}
    request = FindCoordinatorRequest(key_type=kind, coordinator_keys=keys)
    for one in (yield from ask(request, FindCoordinatorResponse, lowest=4)).coordinators:
        if error := error_of(one.error_code, one.error_message):
            impossible[one.key] = error
        else:
            placed.setdefault(node(one.node_id), []).append(one.key)
    return list(placed.items()), impossible


def _coordinators_one_by_one(kind: int, keys: list[str]) -> Plan[Placed[str]]:
    """Before Apache Kafka 3.0 one key is asked for at a time."""
    from barnabas.protocol.generated.find_coordinator_request import FindCoordinatorRequest
    from barnabas.protocol.generated.find_coordinator_response import FindCoordinatorResponse

    placed: dict[Target, list[str]] = {}
    impossible: dict[str, KafkaError] = {}
    for key in keys:
        request = FindCoordinatorRequest(key=key, key_type=kind)
        try:
            found = yield from ask(request, FindCoordinatorResponse, highest=3)
        except KafkaError as error:
            impossible[key] = error
        else:
            placed.setdefault(node(found.node_id), []).append(key)
    return list(placed.items()), impossible
