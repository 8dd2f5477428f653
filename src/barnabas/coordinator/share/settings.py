"""The configs of the share coordinator as they are in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from barnabas.config.resolve import BrokerConfigs


class ShareSettings:
    """What the share coordinator reads of the configuration."""

    def __init__(self, configs: BrokerConfigs) -> None:
        self._configs = configs

    def integer(self, name: str) -> int:
        """The value in force of a broker config that is a number."""
        return cast(int, self._configs.value(name))
