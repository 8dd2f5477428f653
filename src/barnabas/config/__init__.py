"""Every config of Kafka and of barnabas: its definition, its value in force, and how it may change.

`catalog` has the definitions, `settings` one node's static configuration, `resolve` and `describe` the values
in force, `alter` the changes. Pure: nothing here reads a clock or a socket; only `properties` reads files.
"""

from .alter import Operation, OpType, ResourceType, incremental_alter, replace_configs
from .catalog import broker_keys, client_metrics_keys, group_keys, topic_keys
from .definition import ConfigKey, ConfigType, UpdateMode
from .describe import (
    ConfigSource,
    Entry,
    Synonym,
    describe_broker,
    describe_broker_default,
    describe_client_metrics,
    describe_group,
    describe_topic,
)
from .errors import ConfigError, InvalidValue, MissingConfig, PropertiesError, UnknownConfig
from .listeners import Listener, format_address
from .resolve import BrokerConfigs, broker_values, group_value, topic_value, topic_values
from .settings import ONE_NODE_DEFAULTS, BrokerSettings, parse_override
from .values import Value, default_value, format_value, parse_value

__all__ = [
    "ONE_NODE_DEFAULTS",
    "BrokerConfigs",
    "BrokerSettings",
    "ConfigError",
    "ConfigKey",
    "ConfigSource",
    "ConfigType",
    "Entry",
    "InvalidValue",
    "Listener",
    "MissingConfig",
    "OpType",
    "Operation",
    "PropertiesError",
    "ResourceType",
    "Synonym",
    "UnknownConfig",
    "UpdateMode",
    "Value",
    "broker_keys",
    "broker_values",
    "client_metrics_keys",
    "default_value",
    "describe_broker",
    "describe_broker_default",
    "describe_client_metrics",
    "describe_group",
    "describe_topic",
    "format_address",
    "format_value",
    "group_keys",
    "group_value",
    "incremental_alter",
    "parse_override",
    "parse_value",
    "replace_configs",
    "topic_keys",
    "topic_value",
    "topic_values",
]
