"""Dead letters of share groups (KIP-1191): where a group's go, and how they get there.

A letter that can't be appended for a reason that may pass is tried again for some seconds, as in Kafka 4.4.
Meanwhile the record is given up already, and waits for its letter in memory alone.

Always true: a record is given up in `__share_group_state` only after its letter was appended or has failed at
least once, and each letter that is given up is logged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from barnabas.config.resolve import topic_value
from barnabas.errors import InvalidConfig, KafkaError
from barnabas.protocol.generated.create_topics_request import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from barnabas.server.native import broker_configs
from barnabas.server.share_policies import TOPIC_RESOURCE

if TYPE_CHECKING:
    from barnabas._core import MetadataImage
    from barnabas.coordinator.group.settings import GroupSettings
    from barnabas.coordinator.share.partition import Dead
    from barnabas.coordinator.share.requests import ShareKey
    from barnabas.server.handlers.context import NodeContext

logger = logging.getLogger("barnabas.shares")

ENABLED = "errors.deadletterqueue.group.enable"
TOPIC_NAME = "errors.deadletterqueue.topic.name"
COPIES = "errors.deadletterqueue.copy.record.enable"
PREFIX = "errors.deadletterqueue.topic.name.prefix"
CREATES = "errors.deadletterqueue.auto.create.topics.enable"

ATTEMPTS_MAX = 5
RETRY_SECONDS = 1.0
"""Pause before the second attempt; each further one is twice as long. Both as in Kafka 4.4."""
WAITING_MAX = 10_000
"""Letters that wait for another attempt; more are given up at once."""

REJECTED = "Offset rejected by client."
EXHAUSTED = "Offset delivery count exceeded the threshold."


class DeadLetters:
    """The dead letters of one node's share partitions."""

    def __init__(self, node: NodeContext) -> None:
        self._node = node
        self._refused: set[str] = set()
        """Topics that could not be created, until something changes."""
        self._seen = -1
        self._waiting = 0

    def topic_of(self, group_id: str, settings: GroupSettings) -> str:
        """The topic that a group has chosen; empty for none."""
        return cast(str, settings.of_group(self._node.image(), group_id, TOPIC_NAME) or "")

    async def prepare(self, group_id: str, settings: GroupSettings) -> None:
        """Creates a group's topic if it is missing and may be created: where a record is given up there is no
        time for it."""
        name, image = self.topic_of(group_id, settings), self._node.image()
        if not name or image.topic(name) is not None:
            return
        if image.offset != self._seen:
            self._seen = image.offset
            self._refused.clear()
        if name in self._refused or not settings.value(CREATES) or not self._is_allowed(name, settings):
            return
        self._refused.add(name)
        await self._create(name)

    async def _create(self, name: str) -> None:
        from barnabas.controller import topics

        configs = [
            CreatableTopicConfig(ENABLED, "true"),
            CreatableTopicConfig("message.timestamp.type", "CreateTime"),
        ]
        asked = CreatableTopic(name=name, num_partitions=-1, replication_factor=-1, configs=configs)
        response = await self._node.commit(
            topics.create_topics(self._node.state(), CreateTopicsRequest(topics=[asked]))
        )
        for result in response.topics:
            if result.error_code:
                error = KafkaError.for_code(result.error_code)
                logger.warning("dead letter topic %s could not be created: %s", name, error)

    def _is_allowed(self, name: str, settings: GroupSettings) -> bool:
        return name.startswith(str(settings.value(PREFIX))) and not name.startswith("__")

    def bury(self, key: ShareKey, dead: Sequence[Dead], settings: GroupSettings) -> None:
        """Appends the letters of records that a group has given up, where it wants them."""
        if self.topic_of(key.group_id, settings):
            for one in dead:
                self._attempt(key, one, settings, 1)

    def _attempt(self, key: ShareKey, one: Dead, settings: GroupSettings, attempt: int) -> None:
        error = self._append(key, one, settings)
        if error is None:
            return
        if error.retriable and attempt < ATTEMPTS_MAX and self._waiting < WAITING_MAX:
            self._waiting += 1
            pause = RETRY_SECONDS * 2 ** (attempt - 1)
            asyncio.get_running_loop().call_later(pause, self._again, key, one, settings, attempt + 1)
            return
        logger.error(
            "%s has given up offsets %s to %s without dead letters: %s",
            *(key, one.first_offset, one.last_offset, error),
        )

    def _again(self, key: ShareKey, one: Dead, settings: GroupSettings, attempt: int) -> None:
        self._waiting -= 1
        self._attempt(key, one, settings, attempt)

    def _append(self, key: ShareKey, one: Dead, settings: GroupSettings) -> KafkaError | None:
        """Appends the letter of one run of records; why not, otherwise."""
        image = self._node.image()
        name = self.topic_of(key.group_id, settings)
        source, target = image.topic_by_id(key.topic_id), image.topic(name)
        if not name or source is None:
            return None  # Nobody wants it any more, or there is nothing left to write of.
        problem = self._problem(image, name, settings)
        if problem is not None or target is None:
            return InvalidConfig(problem)
        code = self._node.native.append_dead_letters(
            *(key.topic_id, source.name, key.partition),
            one.first_offset,
            one.last_offset,
            key.group_id,
            one.delivery_count,
            REJECTED if one.rejected else EXHAUSTED,
            name,
            key.partition % target.partition_count,
            bool(settings.of_group(image, key.group_id, COPIES)),
        )
        return KafkaError.for_code(code) if code else None

    def _problem(self, image: MetadataImage, name: str, settings: GroupSettings) -> str | None:
        if not self._is_allowed(name, settings):
            return f"topic {name} does not begin with {PREFIX}={settings.value(PREFIX)}"
        if image.topic(name) is None:
            return f"there is no topic {name}"
        overrides = image.config(TOPIC_RESOURCE, name)
        if not topic_value(broker_configs(self._node.settings, image), overrides, ENABLED):
            return f"topic {name} has not {ENABLED}=true"
        return None
