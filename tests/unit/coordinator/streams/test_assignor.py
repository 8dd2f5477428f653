"""The sticky assignor: complete, even, and no more moves than needed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from barnabas.coordinator.group.streams.assignor import MemberSpec, assign_sticky
from barnabas.coordinator.group.streams.configured import ConfiguredSubtopology, InternalTopic
from barnabas.coordinator.group.streams.tasks import NO_TASKS, Task, Tasks, each

STORE = {"store": InternalTopic("store", 1, 0, {})}


def subtopologies(*counts: tuple[int, bool]) -> dict[str, ConfiguredSubtopology]:
    """Tasks of each subtopology, and whether it has a store."""
    return {
        str(index): ConfiguredSubtopology(tasks, {}, STORE if stateful else {})
        for index, (tasks, stateful) in enumerate(counts)
    }


SUBTOPOLOGIES = st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=3).map(
    lambda counts: subtopologies(*counts)
)
MEMBERS = st.dictionaries(
    st.sampled_from([f"m{index}" for index in range(8)]), st.sampled_from(["p", "q", "r"]), min_size=1
)


def assign(
    members: dict[str, str],
    topology: dict[str, ConfiguredSubtopology],
    replicas: int = 0,
    before: dict[str, Tasks] | None = None,
) -> dict[str, Tasks]:
    specs = [MemberSpec(one, process, (before or {}).get(one, NO_TASKS)) for one, process in members.items()]
    return assign_sticky(specs, topology, replicas)


def active(assigned: dict[str, Tasks]) -> dict[str, set[Task]]:
    return {member: set(each(tasks.active)) for member, tasks in assigned.items()}


@given(MEMBERS, MEMBERS, SUBTOPOLOGIES, st.integers(0, 2))
def test_every_task_has_one_owner_and_standbys_elsewhere(
    first: dict[str, str],
    then: dict[str, str],
    topology: dict[str, ConfiguredSubtopology],
    replicas: int,
) -> None:
    assigned = assign(then, topology, replicas, assign(first, topology, replicas))
    assert assigned.keys() == then.keys()
    tasks = [task for owned in active(assigned).values() for task in owned]
    wanted = [Task(one, index) for one in topology for index in range(topology[one].task_count)]
    assert sorted(tasks) == sorted(wanted)
    for process in set(then.values()):
        held = [
            task
            for member, of in then.items()
            if of == process
            for role in assigned[member].roles()
            for task in each(role)
        ]
        assert len(held) == len(set(held)), "a process has a task twice"
    processes = len(set(then.values()))
    for task in wanted:
        standbys = sum(task in set(each(one.standby)) for one in assigned.values())
        stateful = topology[task.subtopology_id].is_stateful
        assert standbys == (min(replicas, processes - 1) if stateful else 0)


@given(st.integers(1, 8), SUBTOPOLOGIES)
def test_tasks_are_even(members: int, topology: dict[str, ConfiguredSubtopology]) -> None:
    counts = [
        len(owned)
        for owned in active(assign({f"m{index}": f"p{index}" for index in range(members)}, topology)).values()
    ]
    assert max(counts) - min(counts) <= 1


@given(MEMBERS, SUBTOPOLOGIES, st.integers(0, 2))
def test_nothing_moves_without_a_reason(
    members: dict[str, str], topology: dict[str, ConfiguredSubtopology], replicas: int
) -> None:
    first = assign(members, topology)
    assert active(assign(members, topology, 0, first)) == active(first)


def test_a_new_member_takes_only_its_part() -> None:
    topology = subtopologies((6, True))
    before = assign({"a": "p", "b": "q"}, topology)
    after = active(assign({"a": "p", "b": "q", "c": "r"}, topology, 0, before))
    assert [len(after[member]) for member in "abc"] == [2, 2, 2]
    for member in "ab":
        assert after[member] <= active(before)[member]


def test_who_stood_by_takes_over() -> None:
    topology = subtopologies((4, True))
    before = assign({"a": "p", "b": "q"}, topology, 1)
    after = active(assign({"b": "q", "c": "r"}, topology, 1, before))
    assert after["b"] == active(before)["b"]
    before["c"] = NO_TASKS
    three = assign({"a": "p", "b": "q", "c": "r"}, topology, 1)
    lost = active(three)["a"]
    stood_by = {task: who for who in "bc" for task in each(three[who].standby) if task in lost}
    taken = active(assign({"b": "q", "c": "r"}, topology, 1, three))
    assert any(task in taken[who] for task, who in stood_by.items())


def test_threads_of_a_process_share_what_it_has() -> None:
    assigned = active(assign({"a1": "p", "a2": "p", "b": "q"}, subtopologies((6, False))))
    assert {member: len(owned) for member, owned in assigned.items()} == {"a1": 2, "a2": 2, "b": 2}
