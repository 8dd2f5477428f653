"""The configs of groups as they are in force: the broker's, and on top the overrides of single groups.

`GroupSettings` is a snapshot: a new one is made when the broker's configs change. Overrides of a group come
from the image with each question, through a small cache that the next image empties.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from barnabas.config.resolve import BrokerConfigs, group_value
from barnabas.config.synonyms import group_synonym

if TYPE_CHECKING:
    from barnabas._core import MetadataImage
    from barnabas.config.values import Value

GROUP_RESOURCE = 32
MINUTE_MS = 60_000


class GroupSettings:
    """What the group coordinator reads of the configuration."""

    def __init__(self, configs: BrokerConfigs) -> None:
        self._configs = configs
        self._image: MetadataImage | None = None
        self._overridden: dict[tuple[str, str], Value] = {}
        value = self.integer
        self.initial_rebalance_delay_ms = value("group.initial.rebalance.delay.ms")
        self.min_session_timeout_ms = value("group.min.session.timeout.ms")
        self.max_session_timeout_ms = value("group.max.session.timeout.ms")
        self.max_size = value("group.max.size")
        """Most members of a classic group."""
        self.offset_metadata_max_bytes = value("offset.metadata.max.bytes")
        self.offsets_retention_ms = value("offsets.retention.minutes") * MINUTE_MS
        self.offsets_retention_check_interval_ms = value("offsets.retention.check.interval.ms")
        self.consumer_max_size = value("group.consumer.max.size")
        """Most members of a consumer group."""
        self.consumer_assignors = cast("tuple[str, ...]", self.value("group.consumer.assignors"))
        """Assignors of consumer groups; the first is that of members that ask for none."""
        self.consumer_migration_policy = cast(str, self.value("group.consumer.migration.policy")).lower()
        self.consumer_pattern_refresh_ms = value("group.consumer.regex.refresh.interval.ms")
        self.protocols = cast("tuple[str, ...]", self.value("group.coordinator.rebalance.protocols"))
        """Kinds of groups that are served, by name."""

    def value(self, name: str) -> Value:
        """A broker config's value in force."""
        return self._configs.value(name)

    def integer(self, name: str) -> int:
        """The value in force of a broker config that is a number."""
        return cast(int, self._configs.value(name))

    def of_group(self, image: MetadataImage, group_id: str, name: str) -> Value:
        """The value in force for one group of a config of groups, such as `consumer.session.timeout.ms`:
        the group's own within the broker's bounds (`group.consumer.min.session.timeout.ms`, …), else the
        broker's."""
        if image is not self._image:
            self._image = image
            self._overridden.clear()
        key = (group_id, name)
        if key not in self._overridden:
            self._overridden[key] = self._resolve(image.config(GROUP_RESOURCE, group_id), name)
        return self._overridden[key]

    def group_integer(self, image: MetadataImage, group_id: str, name: str) -> int:
        """`of_group` for a config that is a number."""
        return cast(int, self.of_group(image, group_id, name))

    def _resolve(self, overrides: dict[str, str], name: str) -> Value:
        value = group_value(self._configs, overrides, name)
        if name not in overrides or type(value) is not int:
            return value
        # Kafka keeps an override that a changed broker config has put out of bounds, and clamps it.
        lowest, highest = self._bound(name, "min"), self._bound(name, "max")
        if highest is not None:
            value = min(value, highest)
        return value if lowest is None else max(value, lowest)

    def _bound(self, name: str, which: str) -> int | None:
        synonym = group_synonym(name)
        if synonym is None:
            return None
        prefix, _, rest = name.partition(".")
        bound = f"group.{prefix}.{which}.{rest.removeprefix('num.')}"
        try:
            return self.integer(bound)
        except KeyError:
            return None
