"""Commits to groups that are lent: written without the machine, and the same in every respect."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from barnabas.controller.topics import delete_topics
from barnabas.coordinator.group.requests import ListGroups
from barnabas.errors import KafkaError
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.delete_topics_request import DeleteTopicsRequest
from tests.support.coordinator import Reply
from tests.unit.coordinator.group.group_sim import SESSION_MS, GroupSim

GROUPS = ("g", "h")
PRODUCERS = (1000, 1001)
DAY = 24 * 60 * 60_000

groups = st.sampled_from(GROUPS)
partitions = st.integers(0, 1)
topics = st.sampled_from(("t", "u"))
members = st.integers(0, 2)


def lent(sim: GroupSim) -> int:
    """Commits that were written without the machine since this was asked last."""
    count, sim.plane.commits = sim.plane.commits, 0
    return count


def code(reply: Reply) -> int:
    return int(reply.response.topics[0].partitions[0].error_code)


def test_a_group_without_members_is_lent_with_its_first_commit() -> None:
    sim = GroupSim()
    for offset in (5, 6, 7):
        assert code(sim.commit(offset)) == 0
    assert lent(sim) == 2
    assert sim.offset() == 7
    assert code(sim.commit(8)) == 0
    assert lent(sim) == 0, "whoever asks for offsets takes the group back"
    assert code(sim.commit(9, metadata="x" * 5_000)) == ErrorCode.OFFSET_METADATA_TOO_LARGE
    assert sim.offset() == 8
    sim.restart()
    assert sim.offset() == 8


def test_steady_members_commit_and_live_on_by_it() -> None:
    sim = GroupSim()
    (member,) = sim.settled(1)
    sim.commit(1, member, 1)
    sim.commit(2, member, 1)
    assert lent(sim) == 0, "the member has not been heard of"
    sim.heartbeat(member, 1)
    sim.commit(3, member, 1)
    for offset in range(4, 8):
        sim.advance(SESSION_MS - 1)
        assert code(sim.commit(offset, member, 1)) == 0
        sim.heartbeat(member, 1)
        sim.commit(offset, member, 1)
        sim.commit(offset, member, 1)
    assert lent(sim) >= 4
    assert sim.commit(9, member, 2).error_code == ErrorCode.ILLEGAL_GENERATION
    assert sim.commit(9).error_code == ErrorCode.UNKNOWN_MEMBER_ID
    assert sim.offset() == 7


def test_nothing_is_written_without_the_machine_while_a_transaction_is_open() -> None:
    sim = GroupSim()
    sim.commit(1)
    sim.commit(2)
    assert lent(sim) == 1
    sim.commit_in_transaction(1000, 9)
    sim.commit(3)
    sim.commit(4)
    assert lent(sim) == 0
    sim.end_transaction(1000, committed=True)
    assert sim.offset() == 4, "a commit that was written later counts"
    sim.commit(5)
    sim.commit(6)
    assert lent(sim) == 1


def test_a_commit_that_fails_is_the_machine_s() -> None:
    sim = GroupSim()
    sim.commit(1)
    sim.log.error_code = ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert sim.commit(2).error_code == ErrorCode.NOT_COORDINATOR
    sim.log.error_code = 0
    sim.restart()
    assert sim.offset() == 1


def test_a_group_that_is_joined_is_no_stranger_s_any_more() -> None:
    sim = GroupSim()
    sim.commit(1)
    sim.commit(2)
    member = sim.new_member_id()
    sim.join(member)
    assert sim.commit(3).error_code == ErrorCode.UNKNOWN_MEMBER_ID
    assert lent(sim) == 1


def test_offsets_age_from_what_was_written_last() -> None:
    sim = GroupSim(offsets_retention_check_interval_ms=str(10 * DAY))
    sim.commit(1)
    sim.advance(9 * DAY)
    sim.commit(2)
    assert lent(sim) == 1
    sim.advance(DAY)
    assert sim.offset() == 2


# ---- the same as without


@st.composite
def steps(draw: st.DrawFn) -> tuple[Any, ...]:
    kind = draw(
        st.sampled_from(
            ["commit"] * 8
            + ["member commits"] * 6
            + ["heartbeat"] * 4
            + ["join", "leave", "fetch", "list", "delete offset", "delete", "transaction", "end", "pass"]
            + ["restart", "age", "topic"]
        )
    )
    group = draw(groups)
    match kind:
        case "commit":
            fields = draw(st.sampled_from([{}, {}, {}, {"metadata": "x" * 40}, {"retention_ms": DAY}]))
            return kind, group, draw(partitions), draw(topics), draw(st.integers(-1, 0)), fields
        case "member commits":
            return kind, group, draw(members), draw(partitions), draw(st.sampled_from([0, 0, 0, 1]))
        case "heartbeat" | "leave":
            return kind, group, draw(members)
        case "delete offset":
            return kind, group, draw(partitions)
        case "transaction":
            return kind, group, draw(st.sampled_from(PRODUCERS)), draw(partitions)
        case "end":
            return kind, draw(st.sampled_from(PRODUCERS)), draw(st.booleans())
        case "pass":
            return kind, draw(st.sampled_from([1, SESSION_MS // 3, SESSION_MS, DAY]))
        case "topic":
            return kind, draw(topics), draw(st.booleans())
    return kind, group


class World:
    """One coordinator and what its clients know."""

    def __init__(self, *, lends: bool) -> None:
        self.sim = GroupSim(
            lends=lends,
            offset_metadata_max_bytes="32",
            group_initial_rebalance_delay_ms="0",
            offsets_retention_check_interval_ms=str(DAY),
        )
        self.sim.cluster.create("t", 2)
        self.sim.cluster.create("u", 2)
        self.sim.metadata_changed()
        self.members: dict[str, list[str]] = {group: [] for group in GROUPS}
        self.generation: dict[str, int] = dict.fromkeys(GROUPS, 0)
        self.replies: list[Reply] = []
        self.offset = 0

    def member(self, group: str, number: int) -> str:
        known = self.members[group]
        return known[number % len(known)] if known else "nobody"

    def step(self, step: tuple[Any, ...]) -> None:
        self.offset += 1
        reply = self.take(*step)
        if reply is not None:
            self.replies.append(reply)

    def take(self, kind: str, *about: Any) -> Reply | None:
        sim = self.sim
        match kind, *about:
            case "commit", group, partition, topic, generation, fields:
                return sim.commit(
                    self.offset,
                    generation=generation,
                    group=group,
                    topic=topic,
                    partition=partition,
                    version=4 if "retention_ms" in fields else 9,
                    **fields,
                )
            case "member commits", group, number, partition, late:
                member, generation = self.member(group, number), self.generation[group] - late
                return sim.commit(self.offset, member, generation, group=group, partition=partition)
            case "heartbeat", group, number:
                return sim.heartbeat(self.member(group, number), self.generation[group], group=group)
            case "leave", group, number:
                return sim.leave(self.member(group, number), group=group)
            case "join", group:
                self.settle(group)
            case "fetch", group:
                return sim.fetch(group=group)
            case "list", _:
                return sim.call(ListGroups())
            case "delete offset", group, partition:
                return sim.delete_offset(partition, group=group)
            case "delete", group:
                self.replies.append(sim.fetch(group=group))
                sim.delete(group)
            case "transaction", group, producer, partition:
                return sim.commit_in_transaction(producer, self.offset, group=group, partition=partition)
            case "end", producer, committed:
                sim.end_transaction(producer, committed=committed)
            case "pass", ms:
                sim.advance(ms)
            case "restart", _:
                sim.restart()
            case "age", _:
                sim.advance(8 * DAY)
            case "topic", name, anew:
                self.replace(name, anew=anew)
        return None

    def settle(self, group: str) -> None:
        """Somebody joins, and all who are there come along."""
        sim = self.sim
        new = sim.new_member_id(group)
        with sim.held():
            joins = [sim.join(one, group=group) for one in (*self.members[group], new)]
        sim.advance(SESSION_MS - 1)
        self.members[group] = []
        for join in joins:
            answer = join.answers[0] if join.answers else None
            if answer is None or isinstance(answer, KafkaError) or answer.error_code:
                continue
            self.members[group].append(answer.member_id)
            self.generation[group] = answer.generation_id
            self.replies.append(sim.sync(answer.member_id, answer.generation_id, group=group))

    def replace(self, name: str, *, anew: bool) -> None:
        cluster = self.sim.cluster
        if self.sim.image.topic(name) is not None:
            cluster.apply(delete_topics(cluster.state, DeleteTopicsRequest(topic_names=[name]), 5))
        if anew or name == "t":
            cluster.create(name, 2)
        self.sim.metadata_changed()

    def told(self) -> list[Any]:
        """What was answered to each call; an error by its code."""
        return [
            [answer.error_code if isinstance(answer, KafkaError) else answer for answer in reply.answers]
            for reply in self.replies
        ]


@settings(deadline=None, max_examples=100)
@given(st.lists(steps(), max_size=40))
def test_what_is_written_without_the_machine_is_what_it_would_have_written(
    history: list[tuple[Any, ...]],
) -> None:
    ours, plain = World(lends=True), World(lends=False)
    for step in history:
        ours.step(step)
        plain.step(step)
    for group in GROUPS:
        for world in (ours, plain):
            world.replies.append(world.sim.fetch(group=group))
    assert ours.told() == plain.told()
    assert ours.sim.log.records == plain.sim.log.records
    ours.sim.machine.lending.take_back_all()
    assert ours.sim.machine.tally == plain.sim.machine.tally
    assert plain.sim.plane.commits == 0
