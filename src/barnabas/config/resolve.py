"""Values in force: overrides of a resource, dynamic configs of the broker, static settings, defaults.

Precedence, highest first: the resource's own override; the broker's dynamic config; the cluster's dynamic
default of brokers; the properties file; the default.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .catalog import broker_keys, client_metrics_keys, group_keys, topic_keys
from .definition import ConfigKey, UpdateMode
from .errors import InvalidValue
from .settings import BrokerSettings
from .synonyms import TOPIC_SYNONYMS, group_synonym, scaled
from .values import Value, default_value, parse_value


class BrokerConfigs(NamedTuple):
    """What a broker's values come from: its settings and what the metadata log adds to them."""

    settings: BrokerSettings
    own: Mapping[str, str]
    """Dynamic configs of this broker."""
    cluster: Mapping[str, str]
    """Dynamic defaults of all brokers."""

    def value(self, name: str) -> Value:
        """A broker config's value in force."""
        key = broker_keys()[name]
        if key.update_mode is not UpdateMode.READ_ONLY:
            for source in (self.own, self.cluster):
                if name in source and (parsed := _parsed(key, source[name])) is not None:
                    return parsed
        return self.settings[name]


def broker_values(configs: BrokerConfigs) -> dict[str, Value]:
    """Every broker config's value in force."""
    return {name: configs.value(name) for name in broker_keys()}


def topic_value(configs: BrokerConfigs, overrides: Mapping[str, str], name: str) -> Value:
    """A topic config's value in force for a topic with these overrides."""
    key = topic_keys()[name]
    if name in overrides and (parsed := _parsed(key, overrides[name])) is not None:
        return parsed
    synonyms = TOPIC_SYNONYMS.get(name)
    if synonyms is None:
        return default_value(key)
    for synonym, factor in synonyms:
        if (value := configs.value(synonym)) is not None:
            return scaled(value, factor)
    return None


def topic_values(
    configs: BrokerConfigs, overrides: Mapping[str, str], names: Iterable[str] | None = None
) -> dict[str, Value]:
    """Topic configs' values in force, all or those named."""
    return {
        name: topic_value(configs, overrides, name) for name in (topic_keys() if names is None else names)
    }


def group_value(configs: BrokerConfigs, overrides: Mapping[str, str], name: str) -> Value:
    """A group config's value in force for a group with these overrides."""
    key = group_keys()[name]
    if name in overrides and (parsed := _parsed(key, overrides[name])) is not None:
        return parsed
    synonym = group_synonym(name)
    if synonym is None:
        return default_value(key)
    value = configs.value(synonym)
    if isinstance(value, tuple) and name == "streams.assignor.name":
        return value[0] if value else None
    return value


def client_metrics_value(overrides: Mapping[str, str], name: str) -> Value:
    """A client metrics config's value in force for a subscription."""
    key = client_metrics_keys()[name]
    return parse_value(key, overrides[name]) if name in overrides else default_value(key)


def _parsed(key: ConfigKey, text: str) -> Value:
    # Overrides were valid when they were made; one that an older or newer release let in is passed over.
    try:
        return parse_value(key, text)
    except InvalidValue:
        return None
