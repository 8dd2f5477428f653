"""`barnabas.retries`: what fails is tried again, and given up, and nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

import barnabas
from barnabas.retries import Failure, Retrying
from tests.integration.clients.topics import create, read_all

SECONDS_MAX = 60


def fill(bootstrap: str, topic: str, count: int, partitions: int) -> None:
    """Values "0", "1", … in all partitions in turn, each with a header."""
    create(bootstrap, topic, partitions=partitions)
    with barnabas.Producer(bootstrap_servers=bootstrap) as producer:
        for n in range(count):
            producer.produce(topic, str(n), f"key {n}", n % partitions, headers=[("own", b"kept")])


def process_until(retrying: Retrying, done: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS_MAX
    while not done():
        assert time.monotonic() < end
        retrying.process(0.1)


def test_each_record_is_tried_after_each_delay_and_then_given_up(bootstrap: str, topic: str) -> None:
    fill(bootstrap, topic, 12, 3)
    tried: list[int] = []

    def handle(record: barnabas.Record) -> None:
        number = int(record.value or b"")
        tried.append(number)
        if number == 7 or (number == 4 and tried.count(4) < 3):
            raise TimeoutError(f"{number} failed")

    with Retrying(handle, topic, group_id=topic, bootstrap_servers=bootstrap, delays=(0.05, 0.1)) as retrying:
        process_until(retrying, lambda: len(tried) == 12 + 4)
    assert (tried.count(4), tried.count(7)) == (3, 3)
    assert sorted(set(tried)) == list(range(12))
    [letter] = read_all(bootstrap, f"{topic}-dead-letters", 1)
    failure = Failure.of(letter)
    assert failure is not None
    assert (letter.key, letter.value, letter.partition) == (b"key 7", b"7", 1)
    assert ("own", b"kept") in letter.headers
    assert (failure.topic, failure.partition, failure.offset) == (topic, 1, 2)
    assert (failure.tries, failure.error, failure.message) == (3, "TimeoutError", "7 failed")
    with Retrying(handle, topic, group_id=topic, bootstrap_servers=bootstrap) as again:
        assert again.process(1.0) == 0


def test_what_is_not_worth_a_try_is_given_up_at_once(bootstrap: str, topic: str) -> None:
    fill(bootstrap, topic, 2, 1)

    def handle(record: barnabas.Record) -> None:
        raise ValueError("never")

    with Retrying(
        handle, topic, group_id=topic, bootstrap_servers=bootstrap, give_up_on=(ValueError,)
    ) as retrying:
        done = 0
        while done < 2:
            done += retrying.process(1.0)
    letters = read_all(bootstrap, f"{topic}-dead-letters", 2)
    assert [failure.tries for letter in letters if (failure := Failure.of(letter))] == [1, 1]


def test_one_that_is_not_due_holds_up_nobody_else(bootstrap: str, topic: str) -> None:
    fill(bootstrap, topic, 2, 1)
    tried: list[bytes | None] = []

    def handle(record: barnabas.Record) -> None:
        tried.append(record.value)
        if record.value == b"0":
            raise OSError

    with Retrying(handle, topic, group_id=topic, bootstrap_servers=bootstrap, delays=(3600.0,)) as retrying:
        process_until(retrying, lambda: len(tried) == 2)
        process_until(retrying, lambda: bool(retrying._waiting))
        with barnabas.Producer(bootstrap_servers=bootstrap) as producer:
            producer.produce(topic, "2")
        process_until(retrying, lambda: len(tried) == 3)
    assert tried == [b"0", b"1", b"2"]


def test_who_is_interrupted_gets_the_record_again(bootstrap: str, topic: str) -> None:
    fill(bootstrap, topic, 5, 1)
    tried: list[bytes | None] = []

    def handle(record: barnabas.Record) -> None:
        tried.append(record.value)
        if tried == [b"0", b"1", b"2"]:
            raise KeyboardInterrupt

    with Retrying(handle, topic, group_id=topic, bootstrap_servers=bootstrap) as retrying:
        with pytest.raises(KeyboardInterrupt):
            process_until(retrying, lambda: False)
        process_until(retrying, lambda: len(tried) == 6)
    assert tried == [b"0", b"1", b"2", b"2", b"3", b"4"]
