"""The assignors of consumer groups: who gets what, and what stays where it is."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnabas._core import Uuid
from barnabas.coordinator.group.consumer.assignor import Assign, Assignment, GroupSpec, MemberSpec
from barnabas.coordinator.group.consumer.range import assign_range
from barnabas.coordinator.group.consumer.uniform import assign_uniform
from tests.support.cluster import numbered

A, B, C = (numbered(index) for index in range(3))


def spec(counts: dict[Uuid, int], members: dict[str, tuple[set[Uuid], Assignment]]) -> GroupSpec:
    specs = [
        MemberSpec(member_id, None, frozenset(topics), assigned)
        for member_id, (topics, assigned) in sorted(members.items())
    ]
    same = len({one.topics for one in specs}) <= 1
    return GroupSpec(specs, same, counts)


def again(before: GroupSpec, given: dict[str, Assignment]) -> GroupSpec:
    """The same group, with what it was just given."""
    members = [member._replace(assigned=given[member.member_id]) for member in before.members]
    return GroupSpec(members, before.same_topics, before.partition_counts)


def partitions(assignment: Assignment) -> set[tuple[Uuid, int]]:
    return {(topic, index) for topic, indexes in assignment.items() for index in indexes}


@st.composite
def groups(draw: st.DrawFn, *, same_topics: bool | None = None) -> GroupSpec:
    """Groups whose members have had something before, of topics that may be theirs no more."""
    topics = [numbered(index) for index in range(draw(st.integers(1, 5)))]
    counts = {topic: draw(st.integers(1, 12)) for topic in topics}
    some = st.sets(st.sampled_from(topics))
    same = draw(st.booleans()) if same_topics is None else same_topics
    shared = draw(some)
    owned: dict[str, dict[Uuid, set[int]]] = {f"m{index}": {} for index in range(draw(st.integers(1, 7)))}
    gone = [numbered(99)]
    for topic in topics + gone:
        for index in range(counts.get(topic, 3)):
            owner = draw(st.sampled_from([*owned, None]))
            if owner is not None:
                owned[owner].setdefault(topic, set()).add(index)
    return spec(
        counts,
        {
            member: (
                shared if same else draw(some),
                {topic: frozenset(indexes) for topic, indexes in assigned.items()},
            )
            for member, assigned in owned.items()
        },
    )


def check_complete(group: GroupSpec, given: dict[str, Assignment]) -> None:
    assert given.keys() == {member.member_id for member in group.members}
    owners = Counter(one for assignment in given.values() for one in partitions(assignment))
    subscribed = {topic for member in group.members for topic in member.topics}
    wanted = {(topic, index) for topic in subscribed for index in range(group.partition_counts[topic])}
    assert owners == Counter(wanted)
    for member in group.members:
        assert given[member.member_id].keys() <= member.topics
        assert all(given[member.member_id].values()), "a topic without partitions"


@pytest.mark.parametrize("assign", [assign_uniform, assign_range])
@given(group=groups())
def test_every_partition_has_one_owner_who_subscribes(assign: Assign, group: GroupSpec) -> None:
    given = assign(group)
    check_complete(group, given)
    assert assign(group) == given


@pytest.mark.parametrize("assign", [assign_uniform, assign_range])
@given(group=groups())
def test_nothing_moves_when_nothing_has_changed(assign: Assign, group: GroupSpec) -> None:
    given = assign(group)
    repeated = assign(again(group, given))
    assert all(repeated[member] is given[member] for member in given)


@given(group=groups(same_topics=True))
def test_uniform_gives_everybody_the_same_number_and_moves_no_more_than_it_must(group: GroupSpec) -> None:
    given = assign_uniform(group)
    sizes = sorted(len(partitions(assignment)) for assignment in given.values())
    assert sizes[-1] - sizes[0] <= 1
    # Whoever has fewer than before had more than anybody may have; whoever has more gave nothing away.
    for member in group.members:
        mine = given[member.member_id]
        had = {one for one in partitions(member.assigned) if one[0] in member.topics}
        if len(had) <= sizes[0]:
            assert had <= partitions(mine)
        else:
            assert partitions(mine) <= had or len(had) < sizes[-1]
            assert len(partitions(mine) & had) == min(len(had), len(partitions(mine)))


@given(group=groups(same_topics=False))
def test_uniform_leaves_no_partition_that_another_subscriber_should_rather_have(group: GroupSpec) -> None:
    given = assign_uniform(group)
    load = {member: len(partitions(assignment)) for member, assignment in given.items()}
    for member in group.members:
        for topic in given[member.member_id]:
            others = [other.member_id for other in group.members if topic in other.topics]
            assert all(load[member.member_id] - load[other] <= 1 for other in others)


def test_uniform_takes_from_those_who_have_most_when_somebody_joins() -> None:
    before = assign_uniform(spec({A: 6, B: 3}, {"m1": ({A, B}, {}), "m2": ({A, B}, {})}))
    joined = {member: ({A, B}, assignment) for member, assignment in before.items()}
    after = assign_uniform(spec({A: 6, B: 3}, {**joined, "m3": ({A, B}, {})}))
    assert [len(partitions(after[member])) for member in ("m1", "m2", "m3")] == [3, 3, 3]
    assert partitions(after["m1"]) < partitions(before["m1"])
    assert partitions(after["m2"]) < partitions(before["m2"])


def test_uniform_with_different_topics_fills_the_narrow_ones_first() -> None:
    given = assign_uniform(
        spec({A: 3, B: 2, C: 3}, {"m1": ({A}, {}), "m2": ({A, B}, {}), "m3": ({A, C}, {})})
    )
    assert given == {
        "m1": {A: frozenset({0, 1, 2})},
        "m2": {B: frozenset({0, 1})},
        "m3": {C: frozenset({0, 1, 2})},
    }


def test_range_gives_neighbours_and_the_same_places_in_each_topic() -> None:
    given = assign_range(spec({A: 5, B: 5}, {"m1": ({A, B}, {}), "m2": ({A, B}, {}), "m3": ({A}, {})}))
    assert given == {
        "m1": {A: frozenset({0, 1}), B: frozenset({0, 1, 2})},
        "m2": {A: frozenset({2, 3}), B: frozenset({3, 4})},
        "m3": {A: frozenset({4})},
    }


def test_range_keeps_the_places_of_static_members() -> None:
    def group(*members: tuple[str, str | None]) -> GroupSpec:
        topics = frozenset({A})
        return GroupSpec([MemberSpec(who, instance, topics, {}) for who, instance in members], True, {A: 3})

    before = assign_range(group(("m9", "i1"), ("m1", "i2"), ("m5", None)))
    after = assign_range(group(("m0", None), ("m9", "i2"), ("x", "i1")))
    assert before == {"m9": {A: frozenset({0})}, "m1": {A: frozenset({1})}, "m5": {A: frozenset({2})}}
    assert after == {"x": {A: frozenset({0})}, "m9": {A: frozenset({1})}, "m0": {A: frozenset({2})}}


def test_more_members_than_partitions_leaves_some_without() -> None:
    members: dict[str, tuple[set[Uuid], Assignment]] = {f"m{index}": ({A}, {}) for index in range(4)}
    for assign in (assign_uniform, assign_range):
        given = assign(spec({A: 2}, members))
        assert sorted(len(partitions(assignment)) for assignment in given.values()) == [0, 0, 1, 1]
