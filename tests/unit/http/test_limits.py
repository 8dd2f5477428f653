"""What clients may ask for in a second."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnabas.http.errors import HttpError
from barnabas.http.limits import CLIENTS_MAX, Limits, Rates


def test_a_client_is_refused_and_told_when_to_come_again() -> None:
    limits = Limits(Rates(requests=2))
    for _ in range(2):
        limits.check("one", 0, 10.0)
    with pytest.raises(HttpError) as refused:
        limits.check("one", 0, 10.0)
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "1")
    limits.check("another", 0, 10.0)
    limits.check("one", 0, 10.5)


def test_a_large_body_is_paid_for_afterwards() -> None:
    limits = Limits(Rates(bytes=100))
    limits.check("one", 1_000, 0.0)
    with pytest.raises(HttpError) as refused:
        limits.check("one", 1, 1.0)
    assert refused.value.headers["Retry-After"] == "9"
    limits.check("one", 1, 10.0)


@given(st.floats(0.5, 1000), st.floats(0, 1e6), st.integers(1, 50))
def test_whoever_asks_no_more_than_it_may_is_never_refused(rate: float, begin: float, count: int) -> None:
    limits = Limits(Rates(requests=rate))
    for number in range(count):
        limits.check("one", 0, begin + number * 1.001 / rate)


def test_what_is_remembered_is_bounded() -> None:
    limits = Limits(Rates(requests=1))
    for number in range(CLIENTS_MAX + 10):
        limits.check(str(number), 0, 0.0)
    assert len(limits._clients) == CLIENTS_MAX
