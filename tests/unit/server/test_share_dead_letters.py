"""Dead letters that can't be written: tried again while that may help, and never lost in silence."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from barnabas._core import Uuid
from barnabas.coordinator.share.partition import Dead
from barnabas.coordinator.share.requests import ShareKey
from barnabas.protocol import ErrorCode
from barnabas.server import share_dead_letters
from barnabas.server.share_dead_letters import ATTEMPTS_MAX, DeadLetters

KEY = ShareKey("g", Uuid(b"\1" * 16), 0)
DEAD = Dead(5, 5, 1, True)


class Loop:
    """Timers that run when they are told to."""

    def __init__(self) -> None:
        self.later: list[tuple[float, Callable[..., None], tuple[Any, ...]]] = []

    def call_later(self, pause: float, what: Callable[..., None], *about: Any) -> None:
        self.later.append((pause, what, about))

    def run(self) -> float:
        """Runs the next timer; how long it has waited."""
        pause, what, about = self.later.pop(0)
        what(*about)
        return pause


class World:
    """A node whose log answers with `codes`, one after another."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *codes: int) -> None:
        self.codes, self.written = list(codes), 0
        self.loop = Loop()
        self.topic = "dlq.t"
        topic = SimpleNamespace(name="t", partition_count=1)
        image = SimpleNamespace(topic=lambda _: topic, topic_by_id=lambda _: topic, offset=1)
        native = SimpleNamespace(append_dead_letters=self.append)
        node: Any = SimpleNamespace(image=lambda: image, native=native)
        monkeypatch.setattr(asyncio, "get_running_loop", lambda: self.loop)
        monkeypatch.setattr(DeadLetters, "_problem", lambda *_: None)
        self.letters = DeadLetters(node)

    def append(self, *_: Any) -> int:
        code = self.codes.pop(0)
        self.written += not code
        return code

    def of_group(self, _image: Any, _group_id: str, name: str) -> Any:
        return self.topic if name == share_dead_letters.TOPIC_NAME else False

    def bury(self) -> None:
        settings: Any = self
        self.letters.bury(KEY, [DEAD], settings)


def test_a_letter_is_written_once_that_is_possible(monkeypatch: pytest.MonkeyPatch) -> None:
    away = ErrorCode.NOT_LEADER_OR_FOLLOWER
    world = World(monkeypatch, away, away, ErrorCode.NONE)
    world.bury()
    assert [world.loop.run(), world.loop.run()] == [1.0, 2.0]
    assert world.written == 1
    assert not world.loop.later


def test_a_letter_is_given_up_in_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(monkeypatch, *[ErrorCode.KAFKA_STORAGE_ERROR] * ATTEMPTS_MAX)
    world.bury()
    with caplog.at_level(logging.ERROR):
        assert [world.loop.run() for _ in range(ATTEMPTS_MAX - 1)] == [1.0, 2.0, 4.0, 8.0]
    assert not world.codes
    assert not world.loop.later
    assert "has given up offsets 5 to 5 without dead letters" in caplog.text


def test_what_no_attempt_can_mend_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(monkeypatch, ErrorCode.MESSAGE_TOO_LARGE)
    with caplog.at_level(logging.ERROR):
        world.bury()
    assert not world.loop.later
    assert "without dead letters" in caplog.text


def test_a_group_that_wants_no_letters_any_more_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, ErrorCode.NOT_LEADER_OR_FOLLOWER)
    world.bury()
    world.topic = ""
    world.loop.run()
    assert not world.written
    assert not world.loop.later


def test_letters_that_wait_are_bounded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(share_dead_letters, "WAITING_MAX", 1)
    world = World(monkeypatch, *[ErrorCode.NOT_LEADER_OR_FOLLOWER] * 2, ErrorCode.NONE)
    with caplog.at_level(logging.ERROR):
        world.bury()
        world.bury()
    assert len(world.loop.later) == 1
    assert "without dead letters" in caplog.text
    world.loop.run()
    assert world.written == 1
