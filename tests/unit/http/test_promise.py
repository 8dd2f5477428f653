"""Promises: whoever asks is told once, with a task or without one."""

from __future__ import annotations

import asyncio

import pytest

from barnabas.http.promise import Promise


def test_who_asks_is_told_in_the_same_turn() -> None:
    told: list[object] = []
    promise: Promise[int] = Promise()
    promise.tell(told.append, told.append)
    assert told == []
    promise.keep(1)
    promise.fail(ValueError())
    promise.keep(2)
    assert told == [1]


def test_who_asks_later_is_told_at_once() -> None:
    told: list[object] = []
    promise: Promise[int] = Promise()
    error = ValueError("too late")
    promise.fail(error)
    promise.tell(told.append, lambda problem: told.append(problem))
    assert told == [error]


def test_one_gives_another() -> None:
    told: list[object] = []
    promise: Promise[None] = Promise()
    promise.giving("answer").tell(told.append, told.append)
    promise.keep(None)
    assert told == ["answer"]


def test_it_may_be_awaited() -> None:
    async def wait(*, fails: bool) -> int:
        promise: Promise[int] = Promise()
        loop = asyncio.get_running_loop()
        if fails:
            loop.call_soon(promise.fail, ValueError("no"))
        else:
            loop.call_soon(promise.keep, 3)
        return await promise

    assert asyncio.run(wait(fails=False)) == 3
    with pytest.raises(ValueError, match="no"):
        asyncio.run(wait(fails=True))


def test_who_has_gone_is_not_told() -> None:
    async def run() -> None:
        promise: Promise[int] = Promise()

        async def wait() -> int:
            return await promise

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        promise.keep(1)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
