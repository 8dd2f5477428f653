"""What the native part of a node is told of the configuration: plain values, by name."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from barnabas import _core
from barnabas.config import (
    BrokerConfigs,
    BrokerSettings,
    broker_keys,
    format_value,
    topic_keys,
    topic_value,
)
from barnabas.config.definition import ConfigType
from barnabas.controller.feature_levels import BOOTSTRAP_LEVELS, SUPPORTED
from barnabas.server.apis import MODULES

if TYPE_CHECKING:
    from barnabas._core import MetadataImage

BROKER_RESOURCE = 4
_NUMBERS = (ConfigType.INT, ConfigType.SHORT, ConfigType.LONG, ConfigType.BOOLEAN)


def native_settings(settings: BrokerSettings, *, memory: bool | _core.MemoryDisk) -> dict[str, Any]:
    """The argument of `barnabas._core.Node`. `memory`: whether files are in memory, or in which."""
    disk = memory if isinstance(memory, _core.MemoryDisk) else _core.MemoryDisk() if memory else None
    return {
        "node_id": settings.node_id,
        "memory": disk,
        "log_dirs": list(settings.log_dirs),
        "metadata_log_dir": settings["metadata.log.dir"] or settings.log_dirs[0],
        "listeners": [(one.name, one.host, one.port) for one in settings.broker_listeners],
        "controller_listeners": [(one.name, one.host, one.port) for one in settings.controller_listeners],
        "voter_endpoints": [
            (one.name, reachable_host(one.host), one.port) for one in settings.advertised_controller_listeners
        ],
        "max_connections_per_ip_overrides": settings["max.connections.per.ip.overrides"],
        "numbers": numbers(BrokerConfigs(settings, {}, {})),
        "doubles": doubles(BrokerConfigs(settings, {}, {})),
        "log_defaults": log_defaults(BrokerConfigs(settings, {}, {})),
        "features": dict(SUPPORTED),
        "bootstrap_features": dict(BOOTSTRAP_LEVELS),
        "bootstrap_configs": [("min.insync.replicas", str(settings["min.insync.replicas"]))],
        "cold_apis": sorted(MODULES),
    }


class AppliedConfigs:
    """Keeps the native half at the dynamic configs of the broker."""

    def __init__(self, settings: BrokerSettings, native: _core.Node) -> None:
        self._settings, self._native = settings, native
        # What it was made with.
        self._log_defaults = log_defaults(broker_configs(settings, _core.MetadataImage()))

    def apply(self) -> None:
        """Tells it what is in force now."""
        configs, native = broker_configs(self._settings, self._native.image()), self._native
        native.apply_configs(numbers(configs), str(configs.value("max.connections.per.ip.overrides")))
        native.set_cleaners(numbers(configs), doubles(configs))
        defaults = log_defaults(configs)
        if defaults != self._log_defaults:
            self._log_defaults = defaults
            native.set_log_defaults(defaults)


def broker_configs(settings: BrokerSettings, image: MetadataImage) -> BrokerConfigs:
    """What this broker's config values come from."""
    own = image.config(BROKER_RESOURCE, str(settings.node_id))
    return BrokerConfigs(settings, own, image.config(BROKER_RESOURCE, ""))


def numbers(configs: BrokerConfigs) -> dict[str, int]:
    """Broker configs that are numbers or booleans, those without a value left out."""
    values = {key.name: configs.value(key.name) for key in broker_keys().values() if key.type in _NUMBERS}
    return {name: int(value) for name, value in values.items() if isinstance(value, int)}


def doubles(configs: BrokerConfigs) -> dict[str, float]:
    """Broker configs that are fractions."""
    values = {
        key.name: configs.value(key.name) for key in broker_keys().values() if key.type is ConfigType.DOUBLE
    }
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}


def log_defaults(configs: BrokerConfigs) -> dict[str, str]:
    """Text of each topic config for a topic that overrides none."""
    texts = {name: format_value(topic_value(configs, {}, name)) for name in topic_keys()}
    return {name: text for name, text in texts.items() if text is not None}


def reachable_host(host: str) -> str:
    """What others are told for a host: this machine's name where it stands for all interfaces."""
    return socket.gethostname() if host in ("", "0.0.0.0", "::") else host
