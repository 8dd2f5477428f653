"""The checker of histories knows the anomalies when it sees them."""

from __future__ import annotations

import pytest

from tests.support.histories import Done, Outcome, anomalies, by_place

A, B = ("t", 0), ("t", 1)


def history(outcome: Outcome) -> list[Done]:
    return [
        Done("p", 1, [(A, b"a1"), (B, b"b1")], Outcome.COMMITTED),
        Done("p", 2, [(A, b"a2"), (B, b"b2")], outcome),
    ]


@pytest.mark.parametrize(
    ("outcome", "seen", "expected"),
    [
        (Outcome.COMMITTED, {A: [b"a1", b"a2"], B: [b"b1", b"b2"]}, None),
        (Outcome.ABORTED, {A: [b"a1"], B: [b"b1"]}, None),
        (Outcome.UNKNOWN, {A: [b"a1"], B: [b"b1"]}, None),
        (Outcome.UNKNOWN, {A: [b"a1", b"a2"], B: [b"b1", b"b2"]}, None),
        (Outcome.UNKNOWN, {A: [b"a1", b"a2"], B: [b"b1"]}, "torn"),
        (Outcome.COMMITTED, {A: [b"a1"], B: [b"b1"]}, "lost"),
        (Outcome.COMMITTED, {A: [b"a1", b"a2"], B: [b"b1"]}, "lost"),
        (Outcome.ABORTED, {A: [b"a1", b"a2"], B: [b"b1"]}, "aborted read"),
        (Outcome.COMMITTED, {A: [b"a1", b"a2", b"a2"], B: [b"b1", b"b2"]}, "duplicate"),
        (Outcome.COMMITTED, {A: [b"a2", b"a1"], B: [b"b1", b"b2"]}, "reordered"),
        (Outcome.ABORTED, {A: [b"a1", b"x"], B: [b"b1"]}, "nobody"),
        (Outcome.ABORTED, {A: [b"b1"], B: [b"a1"]}, "but not to"),
    ],
)
def test_anomaly_is_named(outcome: Outcome, seen: dict[tuple[str, int], list[bytes]], expected: str) -> None:
    found = anomalies(history(outcome), seen)
    assert bool(found) == bool(expected)
    assert not expected or expected in found[0]


def test_polls_go_forward() -> None:
    values, wrong = by_place([(A, 0, b"x"), (A, 3, b"y"), (B, 1, b"z"), (A, 2, b"w")])
    assert values == {A: [b"x", b"y", b"w"], B: [b"z"]}
    assert wrong == ["non-monotone poll: offset 2 after 3 of ('t', 0)"]
