"""Plans without a broker: what is asked of whom, what is asked again, and what comes of it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from barnabas.clients.plan import (
    ANY,
    CONTROLLER,
    Answered,
    Ask,
    Asks,
    Plan,
    Reply,
    Target,
    ask,
    at,
    by_coordinator,
    by_leader,
    each,
    error_of,
    node,
    separately,
)
from barnabas.errors import (
    ClientTimeout,
    CoordinatorLoadInProgress,
    KafkaError,
    NotController,
    NotLeaderOrFollower,
    TopicAlreadyExists,
    UnknownServerError,
    UnknownTopicOrPartition,
    UnsupportedVersion,
)
from barnabas.protocol import ErrorCode, Message
from barnabas.protocol.generated import find_coordinator_response as coordinators
from barnabas.protocol.generated import metadata_response as metadata
from barnabas.protocol.generated.delete_groups_request import DeleteGroupsRequest
from barnabas.protocol.generated.delete_groups_response import DeletableGroupResult, DeleteGroupsResponse
from barnabas.protocol.generated.find_coordinator_request import FindCoordinatorRequest
from barnabas.protocol.generated.metadata_request import MetadataRequest


class Brokers:
    """Carries a plan out with answers that a test makes up, and keeps what was asked."""

    def __init__(self, answer: Callable[[Ask], Message | Exception]) -> None:
        self._answer = answer
        self.asked: list[Ask] = []
        self.pauses: list[int] = []

    def run(self, plan: Plan[Any]) -> Any:
        try:
            asks = next(plan)
            while True:
                asks = plan.send(self._replies(asks))
        except StopIteration as done:
            return done.value

    def _replies(self, asks: Asks) -> list[Reply]:
        if asks.attempt:
            self.pauses.append(asks.attempt)
        self.asked += asks.asks
        found = ((one, self._answer(one)) for one in asks.asks)
        return [it if isinstance(it, Exception) else Answered(it, one.to.node, 0) for one, it in found]


def deleted(codes: dict[str, list[int]]) -> Callable[[Ask], Message | Exception]:
    """Answers to DeleteGroups: each group's codes, one after the other."""

    def answer(one: Ask) -> Message | Exception:
        assert isinstance(one.request, DeleteGroupsRequest)
        results = []
        for name in one.request.groups_names:
            if not codes[name]:
                return ClientTimeout("time is over")
            results.append(DeletableGroupResult(name, codes[name].pop(0)))
        return DeleteGroupsResponse(results=results)

    return answer


def read(answer: DeleteGroupsResponse, _: list[str]) -> Iterator[tuple[str, KafkaError | None]]:
    return ((one.group_id, error_of(one.error_code)) for one in answer.results)


def delete(*names: str) -> Plan[Any]:
    return each(names, at(CONTROLLER), DeleteGroupsRequest, read)


def test_only_what_may_be_retried_is_asked_again() -> None:
    brokers = Brokers(
        deleted({"a": [0], "b": [ErrorCode.NOT_CONTROLLER, 0], "c": [ErrorCode.TOPIC_ALREADY_EXISTS]})
    )
    results = brokers.run(delete("a", "b", "c", "b"))
    assert list(results) == ["a", "b", "c"]
    assert results["a"] is results["b"] is None
    assert isinstance(results.errors["c"], TopicAlreadyExists)
    assert [one.request for one in brokers.asked] == [
        DeleteGroupsRequest(["a", "b", "c"]),
        DeleteGroupsRequest(["b"]),
    ]
    assert brokers.pauses == [1]


def test_the_last_error_of_a_broker_tells_more_than_that_time_is_over() -> None:
    results = Brokers(deleted({"a": [ErrorCode.NOT_CONTROLLER], "b": []})).run(delete("a"))
    assert isinstance(results.errors["a"], NotController)
    results = Brokers(deleted({"b": []})).run(delete("b"))
    assert isinstance(results.errors["b"], ClientTimeout)


def test_what_a_broker_says_nothing_of_has_failed() -> None:
    results = Brokers(lambda _: DeleteGroupsResponse()).run(delete("a"))
    assert isinstance(results.errors["a"], UnknownServerError)


def test_an_error_of_the_whole_answer_is_that_of_each() -> None:
    answers: list[Message] = [
        coordinators.FindCoordinatorResponse(error_code=ErrorCode.NOT_CONTROLLER),
        DeleteGroupsResponse(results=[DeletableGroupResult("a")]),
    ]
    assert Brokers(lambda _: answers.pop(0)).run(delete("a")) == {"a": None}


def test_one_answer_is_asked_for_until_it_is_there() -> None:
    codes = [ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, 0]
    brokers = Brokers(lambda _: coordinators.FindCoordinatorResponse(error_code=codes.pop(0), node_id=3))
    found = brokers.run(ask(FindCoordinatorRequest("g"), coordinators.FindCoordinatorResponse))
    assert (found.node_id, brokers.pauses) == (3, [1, 2])
    codes[:] = [ErrorCode.COORDINATOR_LOAD_IN_PROGRESS]

    def late(_: Ask) -> Message | Exception:
        if codes:
            return coordinators.FindCoordinatorResponse(error_code=codes.pop(0))
        return ClientTimeout("time is over")

    with pytest.raises(CoordinatorLoadInProgress):
        Brokers(late).run(ask(FindCoordinatorRequest("g"), coordinators.FindCoordinatorResponse))


def leaders(**topics: list[int]) -> metadata.MetadataResponse:
    """Leaders of partitions, -1 for none; no partitions for a topic that is not known."""

    def topic(name: str, nodes: list[int]) -> metadata.MetadataResponseTopic:
        code = 0 if nodes else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        partitions = [
            metadata.MetadataResponsePartition(0, index, leader) for index, leader in enumerate(nodes)
        ]
        return metadata.MetadataResponseTopic(code, name, partitions=partitions)

    return metadata.MetadataResponse(topics=[topic(*item) for item in topics.items()])


def partitions_asked(asks: list[Ask]) -> list[tuple[Target, list[str]]]:
    return [
        (one.to, one.request.groups_names) for one in asks if isinstance(one.request, DeleteGroupsRequest)
    ]


def by_leaders(known: list[metadata.MetadataResponse], refused: list[str]) -> tuple[Brokers, Any]:
    """Asks the leaders of some partitions, written as names of groups; `refused` by who leads no more."""

    def answer(one: Ask) -> Message:
        if isinstance(one.request, MetadataRequest):
            return known.pop(0) if len(known) > 1 else known[0]
        assert isinstance(one.request, DeleteGroupsRequest)
        found = []
        for name in one.request.groups_names:
            code = ErrorCode.NOT_LEADER_OR_FOLLOWER if name in refused else 0
            found.append(DeletableGroupResult(name, code))
            refused[:] = [other for other in refused if other != name]
        return DeleteGroupsResponse(results=found)

    def make(keys: list[tuple[str, int]]) -> DeleteGroupsRequest:
        return DeleteGroupsRequest([f"{topic}-{index}" for topic, index in keys])

    def read(answer: DeleteGroupsResponse, _: list[Any]) -> Iterator[tuple[Any, Any]]:
        for one in answer.results:
            topic, _, index = one.group_id.rpartition("-")
            yield (topic, int(index)), error_of(one.error_code)

    brokers = Brokers(answer)
    keys = [("a", 0), ("a", 1), ("b", 0)]
    return brokers, brokers.run(each(keys, by_leader(), make, read))


def test_each_leader_is_asked_once_for_all_that_it_leads() -> None:
    brokers, results = by_leaders([leaders(a=[1, 2], b=[1])], [])
    assert partitions_asked(brokers.asked) == [(node(1), ["a-0", "b-0"]), (node(2), ["a-1"])]
    assert not results.errors


def test_a_leader_that_has_changed_is_looked_up_again() -> None:
    brokers, results = by_leaders([leaders(a=[1, 2], b=[1]), leaders(a=[1, 3], b=[1])], ["a-1"])
    assert partitions_asked(brokers.asked)[2:] == [(node(3), ["a-1"])]
    assert not results.errors


def test_a_topic_that_is_not_known_is_looked_for_some_times_only() -> None:
    brokers, results = by_leaders([leaders(a=[1], b=[])], [])
    assert [type(error) for error in results.errors.values()] == [UnknownTopicOrPartition] * 2
    assert results["a", 0] is None
    assert brokers.pauses == [1, 2, 3]
    assert isinstance(NotLeaderOrFollower(), KafkaError)


def test_a_partition_may_get_a_leader_meanwhile() -> None:
    _, results = by_leaders([leaders(a=[1, -1], b=[1]), leaders(a=[1, 2], b=[1])], [])
    assert not results.errors


def coordinated(batches: bool) -> Callable[[Ask], Message | Exception]:
    """Brokers that coordinate groups by the length of their names; old ones are asked for one at a time."""

    def answer(one: Ask) -> Message | Exception:
        request = one.request
        if isinstance(request, DeleteGroupsRequest):
            return DeleteGroupsResponse(results=[DeletableGroupResult(name) for name in request.groups_names])
        assert isinstance(request, FindCoordinatorRequest)
        if one.lowest == 4 and not batches:
            return UnsupportedVersion("too old")
        found = [coordinators.Coordinator(key, len(key)) for key in request.coordinator_keys]
        return coordinators.FindCoordinatorResponse(node_id=len(request.key), coordinators=found)

    return answer


@pytest.mark.parametrize("batches", [True, False])
def test_each_coordinator_is_asked_for_its_own(batches: bool) -> None:
    brokers = Brokers(coordinated(batches))
    results = brokers.run(each(["a", "bb", "c"], by_coordinator(), DeleteGroupsRequest, read))
    assert not results.errors
    assert partitions_asked(brokers.asked) == [(node(1), ["a", "c"]), (node(2), ["bb"])]
    assert len([one for one in brokers.asked if isinstance(one.request, FindCoordinatorRequest)]) == (
        1 if batches else 4
    )


def test_what_speaks_of_one_thing_is_asked_one_by_one() -> None:
    brokers = Brokers(coordinated(True))
    brokers.run(each(["a", "b"], separately(by_coordinator()), DeleteGroupsRequest, read))
    assert partitions_asked(brokers.asked) == [(node(1), ["a"]), (node(1), ["b"])]
    assert brokers.asked[0].to == ANY
