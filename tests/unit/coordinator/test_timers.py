"""Timers against a dictionary that is searched each time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from barnabas.coordinator.timers import Timers

keys = st.sampled_from("abcd")
steps = st.lists(
    st.one_of(
        st.tuples(st.just("set"), keys, st.integers(0, 50)),
        st.tuples(st.just("cancel"), keys, st.just(0)),
        st.tuples(st.just("wait"), st.just(""), st.integers(0, 20)),
    ),
    max_size=60,
)


@given(steps)
def test_timers_are_due_when_they_were_set_to_be(steps: list[tuple[str, str, int]]) -> None:
    timers, model, now = Timers(), dict[str, int](), 0
    for what, key, number in steps:
        if what == "set":
            timers.set(key, now + number)
            model[key] = now + number
        elif what == "cancel":
            timers.cancel(key)
            model.pop(key, None)
        else:
            now += number
            due = []
            while (taken := timers.take_due(now)) is not None:
                due.append(model.pop(str(taken)))
            assert due == sorted(due)
            assert all(deadline <= now for deadline in due)
            assert all(deadline > now for deadline in model.values())
        assert len(timers) == len(model)
        earliest = timers.next()
        assert (earliest is None) == (not model)
        assert earliest is None or earliest <= min(model.values())


def test_moving_a_timer_to_later_leaves_one_entry() -> None:
    timers = Timers()
    for deadline in range(10_000):
        timers.set("a", deadline)
    assert timers.take_due(9998) is None
    assert timers.take_due(9999) == "a"
    assert timers.next() is None
