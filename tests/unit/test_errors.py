"""The exceptions of the protocol."""

from __future__ import annotations

import pytest

from barnabas import errors
from barnabas.errors import BarnabasError, InvalidRequest, KafkaError, NotController, TopicAlreadyExists
from barnabas.protocol import ErrorCode


def test_each_error_code_has_an_exception_of_its_name() -> None:
    for code in ErrorCode:
        if code != ErrorCode.NONE:
            error = KafkaError.for_code(code)
            assert error.error_code == code
            assert type(error).__name__ == code.name.title().replace("_", "")
            assert getattr(errors, type(error).__name__) is type(error)
            assert str(error) == type(error).__doc__


def test_an_exception_says_what_happened() -> None:
    error = TopicAlreadyExists("Topic 'orders' already exists.")
    assert (error.error_code, error.retriable, error.message) == (36, False, "Topic 'orders' already exists.")
    assert isinstance(error, BarnabasError)
    assert NotController().retriable
    assert str(InvalidRequest()) == "The request is not valid."


def test_a_code_that_is_not_known_keeps_its_number() -> None:
    error = KafkaError.for_code(999, "from the future")
    assert error.error_code == ErrorCode.UNKNOWN_SERVER_ERROR
    assert str(error) == "error code 999: from the future"


def test_no_error_is_no_exception() -> None:
    with pytest.raises(ValueError, match="no error"):
        KafkaError.for_code(0)
    with pytest.raises(AttributeError):
        _ = errors.NoSuchError  # type: ignore[attr-defined]
