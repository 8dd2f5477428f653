"""The static configuration of one node: properties files, overrides, and defaults that suit one node.

What is set here wins over nothing but defaults: dynamic configs, which live in the metadata log, stand above
it (`resolve`). Values are parsed once; a `BrokerSettings` that exists is valid as a whole.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import cast

from .catalog import broker_keys
from .cross_checks import check_together
from .definition import ConfigKey, UpdateMode
from .errors import ConfigError, MissingConfig, UnknownConfig
from .listeners import Listener, check_advertised, check_bound, parse_listeners, parse_protocol_map
from .properties import read_properties
from .values import Value, default_value, parse_value

ONE_NODE_DEFAULTS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listeners": "PLAINTEXT://127.0.0.1:9092",
    "controller.listener.names": "CONTROLLER",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.streams.initial.rebalance.delay.ms": "0",
}
"""What a node takes for configs that nobody has set, where Kafka's own default needs a cluster of three."""

PLUGIN_PREFIXES = ("config.providers.", "listener.name.", "metrics.jmx.", "sasl.", "ssl.")
"""Names that begin like this are handed to plugins and to single listeners: any of them may be set."""

PLUGIN_NAMES = frozenset({"super.users", "allow.everyone.if.no.acl.found"})
"""Names that the authorizer of Apache Kafka reads, though they are no configs of the broker."""

REMOVED = frozenset(
    {
        "broker.id.generation.enable",
        "control.plane.listener.name",
        "delegation.token.master.key",
        "inter.broker.protocol.version",
        "log.message.downconversion.enable",
        "log.message.format.version",
        "log.message.timestamp.difference.max.ms",
        "offsets.commit.required.acks",
        "reserved.broker.max.id",
    }
)
"""Configs of Kafka 3 that Kafka 4.0 took away, and that are still found in files."""

_REMOVED_PREFIXES = ("zookeeper.", "password.encoder.")


class BrokerSettings(Mapping[str, Value]):
    """Every broker config with its static value, set or default."""

    def __init__(self, texts: Mapping[str, str], *, one_node: bool = True) -> None:
        """Validates `texts`; with `one_node`, ONE_NODE_DEFAULTS fill what is not set."""
        self.given = dict(texts)
        """What the user has set, as written."""
        self.texts = {**ONE_NODE_DEFAULTS, **texts} if one_node else dict(texts)
        """What is set, by the user or by the defaults of one node."""
        if "node.id" in self.texts:
            self.texts.setdefault("broker.id", self.texts["node.id"])
        keys = broker_keys()
        for name in texts:
            _check_known(name, self.texts)
        self._set = {name: parse_value(keys[name], text) for name, text in self.texts.items() if name in keys}
        for key in keys.values():
            if key.required and key.name not in self._set:
                raise MissingConfig(key.name)
        self.listeners, self.advertised_listeners, self._advertised_controllers = self._parse_listeners()
        check_together(self)

    @classmethod
    def load(cls, files: Sequence[str] = (), overrides: Mapping[str, str] | None = None) -> "BrokerSettings":
        """Settings from properties files, later ones winning, and from overrides, which win over files."""
        texts: dict[str, str] = {}
        for path in files:
            texts.update(read_properties(path))
        texts.update(overrides or {})
        return cls(texts)

    def note(self, name: str, text: str) -> None:
        """Takes what a config that left something open has become, such as the port for 0."""
        self.texts[name] = text
        self._set[name] = parse_value(broker_keys()[name], text)

    def __getitem__(self, name: str) -> Value:
        if name in self._set:
            return self._set[name]
        return default_value(broker_keys()[name])

    def __iter__(self) -> Iterator[str]:
        return iter(broker_keys())

    def __len__(self) -> int:
        return len(broker_keys())

    def get_bool(self, name: str) -> bool:
        """The value of a boolean config."""
        return cast(bool, self[name])

    def get_int(self, name: str) -> int:
        """The value of an integer config that is not null."""
        return cast(int, self[name])

    def get_float(self, name: str) -> float:
        """The value of a double config."""
        return cast(float, self[name])

    def get_str(self, name: str) -> str:
        """The value of a text config that is not null."""
        return cast(str, self[name])

    def get_list(self, name: str) -> tuple[str, ...]:
        """The value of a list config; empty for null."""
        return cast("tuple[str, ...]", self[name] or ())

    @property
    def node_id(self) -> int:
        """This node's id."""
        return self.get_int("node.id")

    @property
    def log_dirs(self) -> tuple[str, ...]:
        """Directories of the data, as written."""
        return self.get_list("log.dirs") or self.get_list("log.dir")

    @property
    def broker_listeners(self) -> list[Listener]:
        """Listeners for clients and brokers."""
        controllers = self.get_list("controller.listener.names")
        return [listener for listener in self.listeners if listener.name not in controllers]

    @property
    def controller_listeners(self) -> list[Listener]:
        """Listeners for the controller: those among `listeners`, or else one that only this machine reaches.

        Kafka's own combined node refuses to start without one. Here nobody has to know of it, so its port is
        whatever is free: `barnabas up` never fails for a second port that somebody else has.
        """
        names = self.get_list("controller.listener.names")
        configured = [listener for listener in self.listeners if listener.name in names]
        return configured or [Listener(names[0], "127.0.0.1", 0, "PLAINTEXT")]

    def is_controller_listener(self, name: str) -> bool:
        """Whether a listener is the controller's."""
        return name in self.get_list("controller.listener.names")

    @property
    def advertised_controller_listeners(self) -> list[Listener]:
        """Where others find the controller: as advertised, else as bound."""
        told = {listener.name: listener for listener in self._advertised_controllers}
        return [told.get(listener.name, listener) for listener in self.controller_listeners]

    @cached_property
    def without_effect(self) -> list[ConfigKey]:
        """Configs that the user has set and that nothing reads, for a warning."""
        keys = broker_keys()
        return [keys[name] for name in self.given if name in keys and not keys[name].effective]

    def _parse_listeners(self) -> tuple[list[Listener], list[Listener], list[Listener]]:
        """`listeners`, and the addresses that clients of the broker and of the controller are told."""
        protocols = parse_protocol_map(
            "listener.security.protocol.map", self.get_str("listener.security.protocol.map")
        )
        controllers = self.get_list("controller.listener.names")
        if "listener.security.protocol.map" not in self.given:
            for name in controllers:
                protocols.setdefault(name, "PLAINTEXT")
        bound = parse_listeners("listeners", self.get_list("listeners"), protocols)
        check_bound("listeners", bound)
        config = "advertised.listeners" if self["advertised.listeners"] else "listeners"
        told = bound if config == "listeners" else parse_listeners(config, self.get_list(config), protocols)
        advertised = [listener for listener in told if listener.name not in controllers]
        check_advertised("advertised.listeners", advertised, bound)
        own = [listener for listener in told if listener.name in controllers]
        if told is not bound:
            check_advertised("advertised.listeners", own, bound)
        return bound, advertised, own


def _check_known(name: str, texts: Mapping[str, str]) -> None:
    key = broker_keys().get(name)
    if key is not None and key.update_mode is not UpdateMode.DYNAMIC_ONLY:
        return
    if key is not None:
        raise UnknownConfig(
            name, note="It can be set dynamically only, with kafka-configs or an admin client."
        )
    prefixes = (*PLUGIN_PREFIXES, *(_plugin_prefix(texts, kind) for kind in ("storage", "metadata")))
    if name.startswith(prefixes) or name in PLUGIN_NAMES:
        return
    if name in REMOVED or name.startswith(_REMOVED_PREFIXES):
        raise UnknownConfig(name, note="Kafka 4.0 removed it: take it out.")
    raise UnknownConfig(name, note=_nearest(name))


def _plugin_prefix(texts: Mapping[str, str], kind: str) -> str:
    name = f"remote.log.{kind}.manager.impl.prefix"
    return texts.get(name) or cast(str, broker_keys()[name].default_text)


def _nearest(name: str) -> str:
    from difflib import get_close_matches  # Imported here: a start without mistakes should not pay for it.

    nearest = get_close_matches(name, broker_keys(), n=1, cutoff=0.75)
    return f"Did you mean {nearest[0]}?" if nearest else ""


def parse_override(text: str) -> tuple[str, str]:
    """Name and value of a `key=value` argument."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ConfigError(f"'{text}' must be written as key=value")
    return name.strip(), value
