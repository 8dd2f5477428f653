"""Names for what each cluster makes up by itself: topic ids, producer ids, fetch sessions.

A request holds a `Symbol` where such a value belongs. It is turned into the cluster's own value when the
request is sent, and the values of responses are turned back, so that two responses compare equal when they
speak of the same thing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from barnabas._core import Uuid
from barnabas.protocol import Message, Struct
from tests.conformance.differential.batches import Records

TOPIC, PRODUCER, SESSION, INSTANCE, SUBSCRIPTION, DIRECTORY = (
    "topic", "producer", "session", "instance", "subscription", "directory",
)  # fmt: skip

UNKNOWN_NUMBER = 1_999_999_000
"""Numbers from here on stand for ids that nobody gave out."""


@dataclass(frozen=True)
class Symbol:
    """The `index`-th value of its kind that a cluster gave out under `name`; -1 is the latest."""

    kind: str
    name: str = ""
    index: int = -1

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}#{self.index}>"


class Symbols:
    """What one cluster calls things."""

    def __init__(self, salt: bytes = b"") -> None:
        self.salt = salt
        """What nobody gave out is new in each sequence: clusters remember what they were asked."""
        self.values: dict[tuple[str, str], list[Any]] = {}
        self.names: dict[tuple[str, Any], str] = {}

    def learn(self, kind: str, name: str, value: Any) -> None:
        """Notes a value that the cluster gave out; known ones keep their name."""
        if (kind, value) in self.names:
            return
        known = self.values.setdefault((kind, name), [])
        self.names[kind, value] = f"<{kind} {name}#{len(known)}>"
        known.append(value)

    def value(self, symbol: Symbol) -> Any:
        """The cluster's own value; one that nobody gave out when there is no such."""
        known = self.values.get((symbol.kind, symbol.name), [])
        if -len(known) <= symbol.index < len(known):
            return known[symbol.index]
        digest = hashlib.md5(self.salt + repr(symbol).encode()).digest()
        match symbol.kind:
            case "topic" | "instance":
                return Uuid(digest)
            case "directory":
                return "/nowhere"
        return UNKNOWN_NUMBER + digest[0]

    def shown(self, kind: str, value: Any) -> Any:
        """The name of a value; the value itself when it was never given out."""
        return self.names.get((kind, value), value if isinstance(value, int) else f"unknown {kind} {value}")

    def resolve(self, value: Any) -> Any:
        """A copy of a request with the cluster's own values."""
        if isinstance(value, Symbol):
            return self.value(value)
        if isinstance(value, Records):
            return value.encode(self.resolve)
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        if isinstance(value, Struct):
            made = type(value)()
            for slot in value.__slots__:
                setattr(made, slot, self.resolve(getattr(value, slot)))
            return made
        return value

    def learn_from(self, message: Message) -> None:
        """Notes what a response gives out."""
        name = type(message).__name__
        if name == "InitProducerIdResponse" and getattr(message, "producer_id", -1) >= 0:
            self.learn(PRODUCER, "", getattr(message, "producer_id"))  # noqa: B009
        elif name == "FetchResponse" and getattr(message, "session_id", 0) > 0:
            self.learn(SESSION, "", getattr(message, "session_id"))  # noqa: B009
        elif name == "GetTelemetrySubscriptionsResponse" and getattr(message, "error_code", 0) == 0:
            if getattr(message, "client_instance_id"):  # noqa: B009
                self.learn(INSTANCE, "", getattr(message, "client_instance_id"))  # noqa: B009
            self.learn(SUBSCRIPTION, "", getattr(message, "subscription_id"))  # noqa: B009
        elif name in ("CreateTopicsResponse", "MetadataResponse", "DescribeTopicPartitionsResponse"):
            for topic in message.topics or ():  # type: ignore[attr-defined]
                if topic.name and getattr(topic, "topic_id", None):
                    self.learn(TOPIC, topic.name, topic.topic_id)
