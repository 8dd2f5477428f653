"""What DescribeConfigs and CreateTopics answer about configs: value, where it comes from, its synonyms."""

from collections.abc import Collection, Iterable, Mapping
from enum import IntEnum
from typing import NamedTuple

from .catalog import broker_keys, client_metrics_keys, group_keys, topic_keys
from .definition import ConfigKey, UpdateMode
from .resolve import BrokerConfigs, client_metrics_value, group_value, topic_value
from .synonyms import TOPIC_SYNONYMS, broker_synonyms, group_synonym
from .values import default_value, format_value


class ConfigSource(IntEnum):
    """Where a value comes from, with its code in DescribeConfigs."""

    UNKNOWN = 0
    DYNAMIC_TOPIC_CONFIG = 1
    DYNAMIC_BROKER_CONFIG = 2
    DYNAMIC_DEFAULT_BROKER_CONFIG = 3
    STATIC_BROKER_CONFIG = 4
    DEFAULT_CONFIG = 5
    DYNAMIC_BROKER_LOGGER_CONFIG = 6
    DYNAMIC_CLIENT_METRICS_CONFIG = 7
    DYNAMIC_GROUP_CONFIG = 8


_DYNAMIC = (ConfigSource.DYNAMIC_BROKER_CONFIG, ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG)


class Synonym(NamedTuple):
    """One of the places that a value could have come from; the first is where it does."""

    name: str
    value: str | None
    source: ConfigSource


class Entry(NamedTuple):
    """One config of a resource, as it is described to clients."""

    name: str
    value: str | None
    """None for null, and for what must not be shown."""
    source: ConfigSource
    read_only: bool
    sensitive: bool
    type_code: int
    """The code of its type in DescribeConfigs; 0 when the type isn't known."""
    synonyms: tuple[Synonym, ...]
    doc: str


def describe_topic(
    configs: BrokerConfigs, overrides: Mapping[str, str], names: Collection[str] | None = None
) -> list[Entry]:
    """Configs of a topic, all or those named."""
    entries = []
    for key in _shown(topic_keys().values(), overrides, names):
        value = format_value(topic_value(configs, overrides, key.name))
        synonyms = (
            _broker_sources(configs, TOPIC_SYNONYMS[key.name][0][0]) if key.name in TOPIC_SYNONYMS else []
        )
        if key.name in overrides:
            synonyms.insert(0, Synonym(key.name, value, ConfigSource.DYNAMIC_TOPIC_CONFIG))
        entries.append(_entry(key, value, synonyms))
    return entries


def describe_broker(configs: BrokerConfigs, names: Collection[str] | None = None) -> list[Entry]:
    """Configs of this broker, all or those named."""
    entries = []
    given = configs.settings.texts
    for key in _shown(broker_keys().values(), given, names):
        sources = _broker_sources(configs, key.name)
        if key.update_mode is UpdateMode.DYNAMIC_ONLY:
            # Kafka shows replication throttles where they are set, and has no default to show.
            sources = [source for source in sources if source.source in _DYNAMIC]
            if not sources:
                continue
        value = None if key.sensitive else format_value(configs.value(key.name))
        read_only = key.update_mode is UpdateMode.READ_ONLY
        entries.append(_entry(key, value, sources, read_only=read_only))
    plugins = {name: None for texts in (configs.own, configs.cluster, given) for name in texts}
    unknown = [name for name in plugins if name not in broker_keys() and (names is None or name in names)]
    return entries + [_plugin_entry(configs, name) for name in unknown]


def describe_broker_default(configs: BrokerConfigs, names: Collection[str] | None = None) -> list[Entry]:
    """The cluster's dynamic defaults of brokers, all or those named."""
    entries = []
    for name, value in configs.cluster.items():
        key = broker_keys().get(name)
        if key is None or (names is not None and name not in names):
            continue  # Kafka keeps what it doesn't know, and doesn't show it.
        shown = None if key.sensitive else value
        synonyms = [Synonym(name, shown, ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG)]
        read_only = key.update_mode is UpdateMode.READ_ONLY
        entries.append(_entry(key, shown, synonyms, read_only=read_only))
    return entries


def describe_group(
    configs: BrokerConfigs, overrides: Mapping[str, str], names: Collection[str] | None = None
) -> list[Entry]:
    """Configs of a group, all or those named."""
    entries = []
    for key in _shown(group_keys().values(), overrides, names):
        value = format_value(group_value(configs, overrides, key.name))
        synonym = group_synonym(key.name)
        synonyms = _broker_sources(configs, synonym) if synonym else _default_source(key)
        if key.name in overrides:
            synonyms.insert(0, Synonym(key.name, value, ConfigSource.DYNAMIC_GROUP_CONFIG))
        entries.append(_entry(key, value, synonyms))
    return entries


def describe_client_metrics(
    overrides: Mapping[str, str], names: Collection[str] | None = None
) -> list[Entry]:
    """Configs of a client metrics subscription, all or those named."""
    entries = []
    for key in _shown(client_metrics_keys().values(), overrides, names):
        value = format_value(client_metrics_value(overrides, key.name))
        synonyms = []
        if key.name in overrides:
            synonyms.append(Synonym(key.name, value, ConfigSource.DYNAMIC_CLIENT_METRICS_CONFIG))
        entries.append(_entry(key, value, synonyms))
    return entries


def _shown(
    keys: Iterable[ConfigKey], given: Collection[str], names: Collection[str] | None
) -> Iterable[ConfigKey]:
    """Keys to describe: internal ones stay hidden until they are set."""
    return (
        key
        for key in keys
        if (names is None or key.name in names) and (not key.internal or key.name in given)
    )


def _broker_sources(configs: BrokerConfigs, name: str) -> list[Synonym]:
    """Where a broker config's value can come from, first to last.

    As Kafka does, the list begins with the config's own name: while only `log.retention.hours` is set,
    `log.retention.ms` is described as a default without synonyms.
    """
    keys = broker_keys()
    names = broker_synonyms(name)
    found = []
    for texts, source in (
        (configs.own, ConfigSource.DYNAMIC_BROKER_CONFIG),
        (configs.cluster, ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG),
        (configs.settings.texts, ConfigSource.STATIC_BROKER_CONFIG),
    ):
        found += [Synonym(synonym, texts[synonym], source) for synonym in names if synonym in texts]
    for synonym in names:
        found += _default_source(keys[synonym])
    while found and found[0].name != name:
        found.pop(0)
    if keys[name].sensitive:
        return [synonym._replace(value=None) for synonym in found]
    return found


def _default_source(key: ConfigKey) -> list[Synonym]:
    default = format_value(default_value(key))
    return [] if default is None else [Synonym(key.name, default, ConfigSource.DEFAULT_CONFIG)]


def _entry(key: ConfigKey, value: str | None, synonyms: list[Synonym], *, read_only: bool = False) -> Entry:
    return Entry(
        name=key.name,
        value=value,
        source=synonyms[0].source if synonyms else ConfigSource.DEFAULT_CONFIG,
        read_only=read_only,
        sensitive=key.sensitive,
        type_code=int(key.type),
        synonyms=tuple(synonyms),
        doc=key.doc,
    )


def _plugin_entry(configs: BrokerConfigs, name: str) -> Entry:
    # What is not known might be a password: it is never shown.
    places = (
        (configs.own, ConfigSource.DYNAMIC_BROKER_CONFIG),
        (configs.cluster, ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG),
        (configs.settings.texts, ConfigSource.STATIC_BROKER_CONFIG),
    )
    synonyms = tuple(Synonym(name, None, source) for texts, source in places if name in texts)
    return Entry(
        name, None, synonyms[0].source, read_only=True, sensitive=True, type_code=0, synonyms=synonyms, doc=""
    )
