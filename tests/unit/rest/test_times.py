"""Times in bodies and replies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnabas.http.errors import HttpError
from barnabas.rest.times import MILLISECONDS_MAX, iso_time, milliseconds


@given(st.integers(0, MILLISECONDS_MAX))
def test_a_time_is_read_as_it_was_written(moment: int) -> None:
    assert milliseconds(iso_time(moment), "timestamp") == moment
    assert milliseconds(moment, "timestamp") == moment


def test_times_are_written_as_the_published_api_has_them() -> None:
    assert iso_time(1_612_552_482_000) == "2021-02-05T19:14:42Z"
    assert iso_time(1_612_552_482_007) == "2021-02-05T19:14:42.007Z"
    assert milliseconds("2021-02-05T20:14:42+01:00", "timestamp") == 1_612_552_482_000


@pytest.mark.parametrize(
    "value", ["", "yesterday", "2021-02-05T19:14:42", "1969-12-31T23:59:59Z", -1, True, 1.5, [], 10**18]
)
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(HttpError) as refused:
        milliseconds(value, "timestamp")
    assert refused.value.status == 400
