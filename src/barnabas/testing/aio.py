"""The test kit for coroutines: what waits does so in a thread, so that the test's own loop goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from barnabas.serde import ConsumerRecord
    from barnabas.testing.kafka import Kafka
    from barnabas.testing.literals import Literal


class AsyncKafka:
    """`kafka.aio`: methods of `Kafka`, to be awaited."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka

    async def topic(
        self,
        name: str,
        records: Iterable[Literal] = (),
        *,
        partitions: int = 1,
        configs: Mapping[str, object] | None = None,
    ) -> str:
        """Creates a topic with these records."""
        return await asyncio.to_thread(
            self._kafka.topic, name, records, partitions=partitions, configs=configs
        )

    async def produce(self, topic: str, *records: Literal, **how: Any) -> None:
        """Writes records."""
        await asyncio.to_thread(self._kafka.produce, topic, *records, **how)

    async def records(self, topic: str, **how: Any) -> list[ConsumerRecord[Any, Any]]:
        """The records of a topic."""
        return await asyncio.to_thread(self._kafka.records, topic, **how)

    async def assert_topic(self, topic: str, expected: Sequence[Literal], **how: Any) -> None:
        """Asserts that a topic holds exactly these records."""
        await asyncio.to_thread(self._kafka.assert_topic, topic, expected, **how)

    async def restart(self, *, kill: bool = False) -> None:
        """Stops or kills the broker, and starts it again."""
        await asyncio.to_thread(self._kafka.restart, kill=kill)

    async def advance(self, **span: float) -> None:
        """Moves the broker's clock on."""
        await asyncio.to_thread(self._kafka.clock.advance, **span)

    async def expire_session(self, group: str, member_id: str | None = None) -> int:
        """Ends the sessions of a group's members."""
        return await asyncio.to_thread(self._kafka.expire_session, group, member_id)
