"""Streams groups: topologies, internal topics, tasks, and what members are told."""

from __future__ import annotations

from typing import Any

import pytest

from barnabas.coordinator.group.requests import DeleteGroup, DescribeGroup, ListGroups
from barnabas.coordinator.group.streams.configured import Status
from barnabas.coordinator.group.streams.tasks import Task
from barnabas.errors import (
    FencedMemberEpoch,
    GroupIdNotFound,
    GroupMaxSizeReached,
    InconsistentGroupProtocol,
    InvalidRequest,
    KafkaError,
    StaleMemberEpoch,
    StreamsInvalidTopology,
    UnknownMemberId,
)
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.consumer_group_heartbeat_request import ConsumerGroupHeartbeatRequest
from barnabas.protocol.generated.join_group_request import JoinGroupRequest, JoinGroupRequestProtocol
from barnabas.protocol.generated.leave_group_request import LeaveGroupRequest, MemberIdentity
from barnabas.protocol.generated.offset_commit_request import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from barnabas.protocol.generated.streams_group_heartbeat_request import KeyValue, TaskIds, TaskOffset
from tests.support.coordinator import CoordinatorSim, Reply
from tests.unit.coordinator.streams.clients import (
    REBALANCE_TIMEOUT_MS,
    SESSION_MS,
    Client,
    Tasks,
    delete_topic,
    describe,
    group_sim,
    set_config,
    settle,
    subtopology,
    topology,
    word_count,
)


def one_subtopology(source: str = "lines", changelog: str = "app-store-changelog") -> Any:
    return topology(subtopology("0", source, changelogs=[changelog]))


def all_tasks(*counts: int) -> set[Task]:
    return {Task(str(index), task) for index, count in enumerate(counts) for task in range(count)}


# ---- topics


def test_internal_topics_are_made_with_as_many_partitions_as_the_topology_needs() -> None:
    sim = group_sim(lines=3)
    client = Client(sim, "a", word_count()).beat()
    assert client.statuses[Status.MISSING_INTERNAL_TOPICS].endswith(
        "app-counts-changelog, app-words-repartition"
    )
    assert describe(sim).group_state == "NotReady"
    assert sim.cluster.topic("app-words-repartition").partition_count == 3
    assert sim.cluster.topic("app-counts-changelog").partition_count == 3
    client.beat().move()
    assert client.statuses == {}
    assert client.owned.active == all_tasks(3, 3)
    assert describe(sim).group_state == "Stable"


def test_a_missing_source_topic_is_waited_for() -> None:
    sim = group_sim()
    client = Client(sim, "a", word_count()).beat()
    assert client.statuses == {Status.MISSING_SOURCE_TOPICS: "Source topics lines are missing."}
    assert client.told == Tasks()
    assert client.interval_ms == 5_000, "an application gives up after two of them"
    sim.cluster.create("lines", 2)
    settle(sim, client)
    assert client.owned.active == all_tasks(2, 2)


def test_a_changelog_with_another_number_of_partitions_stops_the_group() -> None:
    sim = group_sim(lines=3, **{"app-store-changelog": 2})
    client = Client(sim, "a", one_subtopology()).beat()
    assert Status.INCORRECTLY_PARTITIONED_TOPICS in client.statuses
    assert client.told == Tasks()


def test_a_group_goes_back_to_not_ready_when_a_source_topic_is_deleted() -> None:
    sim = group_sim(lines=1)
    client = Client(sim, "a", topology(subtopology("0", "lines")))
    settle(sim, client)
    assert describe(sim).group_state == "Stable"
    delete_topic(sim, "lines")
    settle(sim, client)
    assert client.statuses == {Status.MISSING_SOURCE_TOPICS: "Source topics lines are missing."}
    assert client.owned.active == set()
    assert describe(sim).group_state == "NotReady"


# ---- tasks


def test_tasks_are_shared_between_processes_and_threads() -> None:
    sim = group_sim(lines=4)
    clients = [Client(sim, f"m{index}", one_subtopology(), process_id=f"p{index // 2}") for index in range(4)]
    settle(sim, *clients)
    assert [len(client.owned.active) for client in clients] == [1, 1, 1, 1]
    assert set().union(*(client.owned.active for client in clients)) == all_tasks(4)


def test_a_task_moves_when_its_owner_has_given_it_up() -> None:
    sim = group_sim(lines=2)
    first = Client(sim, "a", one_subtopology())
    settle(sim, first)
    second = Client(sim, "b", one_subtopology())
    sim.advance(1_000)
    second.beat().move()
    assert second.owned.active == set(), "the first member has both"
    first.beat()
    second.beat().move()
    assert second.owned.active == set(), "the first member has not given it up"
    settle(sim, first, second)
    assert first.owned.active | second.owned.active == all_tasks(2)
    assert len(first.owned.active) == len(second.owned.active) == 1


def test_who_leaves_gives_its_tasks_to_the_others() -> None:
    sim = group_sim(lines=2)
    clients = [Client(sim, "a", one_subtopology()), Client(sim, "b", one_subtopology())]
    settle(sim, *clients)
    assert clients[1].leave().response.member_epoch == -1
    settle(sim, clients[0])
    assert clients[0].owned.active == all_tasks(2)


def test_who_is_silent_loses_its_tasks() -> None:
    sim = group_sim(lines=2)
    clients = [Client(sim, "a", one_subtopology()), Client(sim, "b", one_subtopology())]
    settle(sim, *clients)
    for _ in range(SESSION_MS // 1_000 + 2):
        sim.advance(1_000)
        clients[0].beat().move()
    assert clients[0].owned.active == all_tasks(2)
    with pytest.raises(UnknownMemberId):
        raise clients[1].send().error


def test_who_does_not_give_up_its_tasks_in_time_is_removed() -> None:
    sim = group_sim(lines=2)
    first, second = Client(sim, "a", one_subtopology()), Client(sim, "b", one_subtopology())
    settle(sim, first)
    second.beat()
    for _ in range(REBALANCE_TIMEOUT_MS // 1_000 + 3):
        sim.advance(1_000)
        first.beat()  # Never moves.
        second.beat().move()
    assert isinstance(first.errors[0], UnknownMemberId)


def test_standbys_are_with_other_processes() -> None:
    sim = group_sim({"group.streams.num.standby.replicas": "1"}, lines=2)
    clients = [Client(sim, "a", one_subtopology()), Client(sim, "b", one_subtopology())]
    settle(sim, *clients)
    for client in clients:
        assert len(client.owned.active) == len(client.owned.standby) == 1
        assert not client.owned.active & client.owned.standby


def test_more_standbys_begin_with_a_groups_config() -> None:
    sim = group_sim(lines=1)
    clients = [Client(sim, "a", one_subtopology()), Client(sim, "b", one_subtopology())]
    settle(sim, *clients)
    assert not any(client.owned.standby for client in clients)
    set_config(sim, "streams.num.standby.replicas", "1")
    settle(sim, *clients)
    assert sum(len(client.owned.standby) for client in clients) == 1


def test_the_first_assignment_waits_for_more_members() -> None:
    sim = group_sim({"group.streams.initial.rebalance.delay.ms": "3000"}, lines=2)
    first = Client(sim, "a", one_subtopology()).beat()
    assert Status.ASSIGNMENT_DELAYED in first.statuses
    assert (first.epoch, first.told) == (1, Tasks())
    sim.advance(500)
    second = Client(sim, "b", one_subtopology()).beat()
    assert second.interval_ms == 2_500
    sim.advance(2_500)
    first.beat().move()
    second.beat().move()
    assert len(first.owned.active) == len(second.owned.active) == 1
    assert describe(sim).group_state == "Stable"


# ---- what members say


def test_members_of_an_older_topology_are_told_so() -> None:
    sim = group_sim(lines=1)
    new = Client(sim, "a", topology(subtopology("0", "lines"), epoch=1))
    settle(sim, new)
    old = Client(sim, "b", topology(subtopology("0", "lines"), epoch=0)).beat()
    assert Status.STALE_TOPOLOGY in old.statuses


def test_a_group_keeps_its_topology() -> None:
    sim = group_sim(lines=1, others=1)
    settle(sim, Client(sim, "a", topology(subtopology("0", "lines"))))
    for other in (topology(subtopology("0", "others")), topology(subtopology("0", "lines"), epoch=1)):
        with pytest.raises(InvalidRequest, match="Topology updates"):
            raise Client(sim, "b", other).send().error


def test_shutting_down_the_application_is_told_to_all() -> None:
    sim = group_sim(lines=2)
    clients = [Client(sim, "a", one_subtopology()), Client(sim, "b", one_subtopology())]
    settle(sim, *clients)
    clients[1].leave(shutdown_application=True)
    assert Status.SHUTDOWN_APPLICATION in clients[0].beat().statuses
    clients[0].leave()
    assert Client(sim, "c", one_subtopology()).beat().statuses.keys() <= {Status.ASSIGNMENT_DELAYED}


def test_members_hear_where_partitions_can_be_queried() -> None:
    sim = group_sim({"group.streams.num.standby.replicas": "1"}, lines=2)
    clients = [
        Client(sim, "a", one_subtopology(), endpoint=("host-a", 1)),
        Client(sim, "b", one_subtopology(), endpoint=("host-b", 2)),
    ]
    settle(sim, *clients)
    for client in clients:
        assert client.endpoints.keys() == {("host-a", 1), ("host-b", 2)}
        one = client.endpoints["host-a", 1]
        partitions = [(topic.topic, topic.partitions) for topic in one.active_partitions]
        assert partitions == [("lines", [task for _, task in sorted(clients[0].owned.active)])]
        assert [topic.topic for topic in one.standby_partitions] == ["lines"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"member_id": " "}, InvalidRequest),
        ({"group_id": ""}, InvalidRequest),
        ({"rack_id": ""}, InvalidRequest),
        ({"instance_id": "i"}, InvalidRequest),
        ({"rebalance_timeout_ms": -1}, InvalidRequest),
        ({"topology": None}, InvalidRequest),
        ({"active_tasks": [TaskIds("0", [0])]}, InvalidRequest),
        ({"warmup_tasks": [TaskIds("0", [0])]}, InvalidRequest),
        ({"active_tasks": None}, InvalidRequest),
        ({"task_offsets": [TaskOffset("0", 0, 1)]}, InvalidRequest),
        ({"member_epoch": -3}, InvalidRequest),
        ({"member_epoch": -2}, InvalidRequest),
        ({"member_epoch": 1}, InvalidRequest),
        ({"member_epoch": 1, "topology": None}, GroupIdNotFound),
        ({"member_epoch": -1, "topology": None}, GroupIdNotFound),
    ],
)
def test_heartbeats_that_are_wrong_by_themselves_are_refused(
    changes: dict[str, Any], error: type[KafkaError]
) -> None:
    sim = group_sim(lines=1)
    with pytest.raises(error):
        raise Client(sim, "a", one_subtopology()).send(**changes).error
    assert sim.log.records == []


def test_topologies_that_cannot_work_are_refused() -> None:
    sim = group_sim(lines=1)
    loop = topology(
        subtopology("0", sinks=["r-repartition"], repartition=one_subtopology().subtopologies[0:0]),
    )
    fixed_changelog = one_subtopology()
    fixed_changelog.subtopologies[0].state_changelog_topics[0].partitions = 3
    twice = topology(subtopology("0", "lines"), subtopology("0", "lines"))
    for wrong in (loop, fixed_changelog, twice):
        with pytest.raises(StreamsInvalidTopology):
            raise Client(sim, "a", wrong).send().error
    assert sim.log.records == []


def test_tasks_that_do_not_exist_are_refused() -> None:
    sim = group_sim(lines=1)
    client = Client(sim, "a", topology(subtopology("0", "lines")))
    settle(sim, client)
    for wrong in (TaskIds("0", [1]), TaskIds("7", [0])):
        reply = client.send(active_tasks=[wrong], standby_tasks=[], warmup_tasks=[])
        with pytest.raises(InvalidRequest):
            raise reply.error


def test_epochs_are_checked() -> None:
    sim = group_sim(lines=2)
    client = Client(sim, "a", one_subtopology())
    settle(sim, client)
    for epoch in (client.epoch - 1, client.epoch + 1):
        with pytest.raises(FencedMemberEpoch):
            raise client.send(member_epoch=epoch).error
    with pytest.raises(UnknownMemberId):
        raise Client(sim, "b", one_subtopology()).send(member_epoch=1, topology=None).error


def test_a_lost_answer_is_made_up_for() -> None:
    sim = group_sim(lines=1)
    client = Client(sim, "a", topology(subtopology("0", "lines")))
    client.beat(lost=True)
    client.beat().move()
    assert client.owned.active == all_tasks(1)


def test_a_group_has_room_for_so_many_members() -> None:
    sim = group_sim({"group.streams.max.size": "1"}, lines=2)
    client = Client(sim, "a", one_subtopology())
    settle(sim, client)
    with pytest.raises(GroupMaxSizeReached):
        raise Client(sim, "b", one_subtopology()).send().error
    client.beat()


def test_reports_of_how_far_tasks_are_belong_to_the_newer_version() -> None:
    sim = group_sim(lines=1)
    client = Client(sim, "a", topology(subtopology("0", "lines")))
    settle(sim, client)
    offsets = [TaskOffset("0", 0, 5)]
    answer = sim.call(client.request(task_offsets=offsets, task_end_offsets=offsets), version=1).response
    assert (answer.task_offset_interval_ms, answer.acceptable_recovery_lag) == (60_000, 10_000)
    assert (client.send().response.task_offset_interval_ms, answer.topology_description_required) == (
        0,
        False,
    )


# ---- other kinds and administrators


def commit(sim: CoordinatorSim, member_id: str, epoch: int, topic: str = "lines", *, version: int = 9) -> Any:
    topics = [
        OffsetCommitRequestTopic(topic, partitions=[OffsetCommitRequestPartition(0, committed_offset=5)])
    ]
    request = OffsetCommitRequest("app", epoch, member_id, topics=topics)
    return sim.call(request, version=version)


def test_offsets_are_committed_by_member_epoch() -> None:
    sim = group_sim(lines=1, others=1)
    client = Client(sim, "a", topology(subtopology("0", "lines")))
    settle(sim, client)
    assert commit(sim, "a", client.epoch).response.topics[0].partitions[0].error_code == ErrorCode.NONE
    for reply, error in (
        (commit(sim, "a", client.epoch + 1), StaleMemberEpoch),
        (commit(sim, "a", 1), StaleMemberEpoch),
        (commit(sim, "nobody", client.epoch), UnknownMemberId),
        (commit(sim, "a", client.epoch, version=8), KafkaError),
    ):
        with pytest.raises(error):
            raise reply.error
    second = Client(sim, "b", topology(subtopology("0", "lines")))
    before = client.epoch
    settle(sim, client, second)
    owner = client if client.owned.active else second
    if owner is client:
        assert client.epoch > before
        assert commit(sim, "a", before).response.topics[0].partitions[0].error_code == ErrorCode.NONE
        with pytest.raises(StaleMemberEpoch):
            raise commit(sim, "a", before, "others").error


def test_groups_of_other_kinds_are_told_apart() -> None:
    sim = group_sim(lines=1)
    client = Client(sim, "a", topology(subtopology("0", "lines")))
    settle(sim, client)
    consumer = ConsumerGroupHeartbeatRequest(
        "app", "c", 0, rebalance_timeout_ms=1_000, subscribed_topic_names=["lines"], topic_partitions=[]
    )
    with pytest.raises(GroupIdNotFound, match="is not a consumer group"):
        raise sim.call(consumer, version=1).error
    assert sim.call(DescribeGroup("app"), version=6).response.error_code == ErrorCode.GROUP_ID_NOT_FOUND
    other = ConsumerGroupHeartbeatRequest(
        "others", "c", 0, rebalance_timeout_ms=1_000, subscribed_topic_names=["lines"], topic_partitions=[]
    )
    sim.call(other, version=1)
    with pytest.raises(GroupIdNotFound, match="is not a streams group"):
        raise Client(sim, "a", word_count(), group="others").send().error


def test_groups_are_listed_described_and_deleted() -> None:
    sim = group_sim(lines=2)
    client = Client(sim, "a", word_count(), process_id="p", endpoint=("h", 9))
    settle(sim, client)
    listed = sim.call(ListGroups(kinds=frozenset({"streams"}))).response
    assert [(one.group_id, one.protocol_type, one.group_state) for one in listed] == [
        ("app", "streams", "Stable")
    ]
    described = describe(sim)
    assert (described.group_epoch, described.assignment_epoch) == (client.epoch, client.epoch)
    assert described.assignor_name == "sticky"
    counts = {
        topic.name: topic.partitions
        for one in described.topology.subtopologies
        for topic in (*one.repartition_source_topics, *one.state_changelog_topics)
    }
    assert counts == {"app-words-repartition": 2, "app-counts-changelog": 2}
    member = described.members[0]
    assert (member.process_id, member.user_endpoint.port, member.topology_epoch) == ("p", 9, 0)
    assert member.assignment == member.target_assignment
    assert sim.call(DeleteGroup("app")).response.error_code == ErrorCode.NON_EMPTY_GROUP
    client.leave()
    assert describe(sim).group_state == "Empty"
    assert sim.call(DeleteGroup("app")).response.error_code == ErrorCode.NONE
    assert describe(sim).error_code == ErrorCode.GROUP_ID_NOT_FOUND
    sim.log.compact()
    assert sim.log.records == []


def test_client_tags_are_described() -> None:
    sim = group_sim(lines=1)
    client = Client(sim, "a", topology(subtopology("0", "lines")))
    client.send(client_tags=[KeyValue("zone", "b"), KeyValue("az", "1")])
    tags = describe(sim).members[0].client_tags
    assert [(tag.key, tag.value) for tag in tags] == [("az", "1"), ("zone", "b")]


def join(sim: CoordinatorSim) -> Reply:
    """A member of the classic protocol joins."""
    request = JoinGroupRequest(
        "app",
        45_000,
        60_000,
        "",
        protocol_type="consumer",
        protocols=[JoinGroupRequestProtocol("range", b"")],
    )
    return sim.call(request, version=3)


def test_a_classic_group_takes_the_place_of_an_empty_streams_group_and_back() -> None:
    sim = group_sim(lines=1)
    client = Client(sim, "a", topology(subtopology("0", "lines")))
    settle(sim, client)
    with pytest.raises(InconsistentGroupProtocol):
        raise join(sim).error
    client.leave()
    joined = join(sim)
    assert describe(sim).error_code == ErrorCode.GROUP_ID_NOT_FOUND
    sim.advance(5_000)
    member_id = joined.response.member_id
    with pytest.raises(GroupIdNotFound, match="is not a streams group"):
        raise client.send().error
    sim.call(LeaveGroupRequest("app", members=[MemberIdentity(member_id)]), version=3)
    settle(sim, client)
    assert client.owned.active == all_tasks(1)
    sim.log.compact()
    sim.restart()
    assert describe(sim).group_state == "Stable"
