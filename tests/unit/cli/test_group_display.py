"""Groups as they are printed."""

import pytest

from barnabas.cli.groups.model import Group, Member, Position, total_lag
from barnabas.cli.groups.show import group_document, partition_list

MEMBER = Member("m-1", "app", "/10.0.0.1", epoch=3, subscription=("orders",), assignment={"orders": [0, 1]})


@pytest.mark.parametrize(
    ("assignment", "text"),
    [
        ({}, "-"),
        ({"a": []}, "-"),
        ({"a": [0]}, "a:0"),
        ({"b": [5, 0, 1, 2], "a": [3, 1]}, "a:1,3 b:0-2,5"),
    ],
)
def test_partitions_are_written_as_ranges(assignment: dict[str, list[int]], text: str) -> None:
    assert partition_list(assignment) == text


def test_lag_is_the_sum_of_what_is_known() -> None:
    positions = [Position("t", 0, 5, 9, 4), Position("t", 1, None, 9, None), Position("t", 2, 1, 2, 1)]
    assert total_lag(positions) == 5
    assert total_lag(positions[1:2]) is None
    assert total_lag([]) is None


def test_partition_of_a_share_group_has_several_owners() -> None:
    other = Member("m-2", "app", "/10.0.0.2", assignment={"orders": [1]})
    group = Group("g", "share", "Stable", 1, "simple", (MEMBER, other))
    assert group.owners() == {("orders", 0): ["m-1"], ("orders", 1): ["m-1", "m-2"]}


def test_document_has_everything_that_is_known() -> None:
    moving = Member(
        "m-2", "app", "/10.0.0.2", assignment={}, target={"orders": [1]}, tasks={"active": {"0": [1]}}
    )
    group = Group("g", "consumer", "Reconciling", 1, "uniform", (MEMBER, moving), 4, 3)
    document = group_document(
        group, [Position("orders", 0, 5, 9, 4, "note"), Position("orders", 1, None, 9, None)]
    )
    assert document["lag"] == 4
    assert (document["epoch"], document["assignment_epoch"], document["assignor"]) == (4, 3, "uniform")
    assert document["offsets"] == [
        {"topic": "orders", "partition": 0, "offset": 5, "end": 9, "lag": 4, "metadata": "note"},
        {"topic": "orders", "partition": 1, "offset": None, "end": 9, "lag": None},
    ]
    first, second = document["members"]
    assert first["assignment"] == {"orders": [0, 1]}
    assert "target" not in first
    assert (second["target"], second["tasks"]) == ({"orders": [1]}, {"active": {"0": [1]}})
