"""What groups ask for beyond Kafka, from their configs and those of their topics."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from barnabas.config.resolve import topic_value
from barnabas.coordinator.share.schedule import Policy
from barnabas.server.native import broker_configs

if TYPE_CHECKING:
    from barnabas._core import MetadataImage, Uuid
    from barnabas.coordinator.group.settings import GroupSettings
    from barnabas.coordinator.share.requests import ShareKey
    from barnabas.server.handlers.context import NodeContext

TOPIC_RESOURCE = 2


class SharePolicies:
    """The policies of groups and topics, worked out once for each image."""

    def __init__(self, node: NodeContext) -> None:
        self._node = node
        self._offset = -1
        self._known: dict[tuple[str, Uuid], Policy | None] = {}

    def of(self, key: ShareKey, settings: GroupSettings) -> Policy | None:
        """The policy of a group in a topic; None where it asks for nothing that Kafka does not do."""
        image = self._node.image()
        if image.offset != self._offset:
            self._offset = image.offset
            self._known.clear()
        place = (key.group_id, key.topic_id)
        if place not in self._known:
            policy = self._resolve(image, key, settings)
            self._known[place] = None if policy.is_kafka() else policy
        return self._known[place]

    def _resolve(self, image: MetadataImage, key: ShareKey, settings: GroupSettings) -> Policy:
        topic = image.topic_by_id(key.topic_id)
        overrides = image.config(TOPIC_RESOURCE, topic.name) if topic is not None else {}
        configs = broker_configs(self._node.settings, image)

        def of_group(name: str) -> int:
            return settings.group_integer(image, key.group_id, name)

        def of_topic(name: str) -> int:
            return cast(int, topic_value(configs, overrides, name))

        headers = cast("tuple[str, ...]", settings.of_group(image, key.group_id, "share.delivery.headers"))
        ttl_ms = of_topic("barnabas.delivery.ttl.ms")
        return Policy(
            by_key=settings.of_group(image, key.group_id, "share.ordering") == "key",
            deliver_at="deliver-at" in headers,
            expires_at="expires-at" in headers,
            priority="priority" in headers,
            delay_ms=of_topic("barnabas.delivery.delay.ms"),
            ttl_ms=ttl_ms if ttl_ms >= 0 else None,
            backoff_ms=of_group("share.retry.backoff.ms"),
            backoff_ms_max=of_group("share.retry.backoff.max.ms"),
            waiting_max=of_group("share.partition.max.waiting.records"),
        )
