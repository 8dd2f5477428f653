"""Where a reset moves a group."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnabas.cli.errors import CommandFailed
from barnabas.cli.groups.plan import (
    Bounds,
    Destination,
    Move,
    Selection,
    Way,
    moves_of,
    parse_selection,
    plan,
)

PLACE = ("orders", 0)
BOUNDS = Bounds({PLACE: 10}, {PLACE: 100}, {})


@pytest.mark.parametrize(
    ("destination", "target"),
    [
        (Destination(Way.EARLIEST), 10),
        (Destination(Way.LATEST), 100),
        (Destination(Way.CURRENT), 50),
        (Destination(Way.OFFSET, 42), 42),
        (Destination(Way.OFFSET, 5), 10),
        (Destination(Way.OFFSET, 500), 100),
        (Destination(Way.SHIFT, 7), 57),
        (Destination(Way.SHIFT, -7), 43),
        (Destination(Way.SHIFT, -70), 10),
        (Destination(Way.SHIFT, 70), 100),
    ],
)
def test_each_way_ends_within_the_partition(destination: Destination, target: int) -> None:
    assert plan(destination, [PLACE], {PLACE: 50}, BOUNDS) == [Move("orders", 0, 50, target)]


def test_a_time_without_younger_records_is_the_end() -> None:
    destination = Destination(Way.TIME, 1_795_248_000_000)
    assert plan(destination, [PLACE], {}, BOUNDS._replace(at_time={PLACE: 77}))[0].new == 77
    assert plan(destination, [PLACE], {}, BOUNDS)[0].new == 100


def test_without_an_offset_current_is_the_end_and_a_shift_is_refused() -> None:
    assert plan(Destination(Way.CURRENT), [PLACE], {}, BOUNDS) == [Move("orders", 0, None, 100)]
    with pytest.raises(CommandFailed, match="no offset in partition 0 of orders from which to shift"):
        plan(Destination(Way.SHIFT, 1), [PLACE], {}, BOUNDS)


def test_partition_without_a_leader_is_refused() -> None:
    with pytest.raises(CommandFailed, match="Partition 1 of orders has no leader"):
        plan(Destination(Way.EARLIEST), [("orders", 1)], {}, BOUNDS)


@pytest.mark.parametrize(
    ("move", "text"),
    [
        (Move("t", 0, None, 5), "new"),
        (Move("t", 0, 5, 5), "stays"),
        (Move("t", 0, 5, 2), "3 again"),
        (Move("t", 0, 5, 9), "4 skipped"),
    ],
)
def test_a_move_says_which_records_it_is_about(move: Move, text: str) -> None:
    assert str(move) == text


@pytest.mark.parametrize(
    ("text", "selection"),
    [
        ("orders", Selection("orders", None)),
        ("orders:3", Selection("orders", (3,))),
        ("a.b-c_d:4,0-2,1", Selection("a.b-c_d", (0, 1, 2, 4))),
    ],
)
def test_selection_is_a_topic_with_or_without_partitions(text: str, selection: Selection) -> None:
    assert parse_selection(text) == selection


@pytest.mark.parametrize(
    "text", ["", ":0", "orders:", "orders:x", "orders:-1", "orders:1-", "orders:1,,2", "o:²"]
)
def test_other_selections_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be written as|is no partition"):
        parse_selection(text)


def test_plans_are_read_as_json_and_as_kafkas_csv() -> None:
    lines = [
        '{"group": "g", "topic": "orders", "partition": 0, "from": null, "to": 7}',
        "",
        "orders,1,8",
        '"g","orders",2,9',
        "other,orders,3,10",
    ]
    assert moves_of(lines, "g") == {("orders", 0): 7, ("orders", 1): 8, ("orders", 2): 9}


@pytest.mark.parametrize(
    "line", ["orders", "orders,x,1", '{"topic": "orders"}', "[1]", "a,b,c,d,e", '{"to": ']
)
def test_other_lines_are_named(line: str) -> None:
    with pytest.raises(ValueError, match="line 2 is no line of a plan"):
        moves_of(["orders,0,0", line], "g")


@given(
    st.dictionaries(
        st.tuples(st.text("abc.-_", min_size=1), st.integers(0, 99)),
        st.integers(0, 2**63 - 1),
        max_size=5,
    )
)
def test_a_printed_plan_is_read_again(offsets: dict[tuple[str, int], int]) -> None:
    import json

    lines = [json.dumps(Move(*place, None, to).as_document("g")) for place, to in offsets.items()]
    assert moves_of(lines, "g") == offsets
