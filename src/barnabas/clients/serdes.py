"""Serdes as configs of clients: what `key.serializer` and its like may be, and what is done with them.

A config takes a serde, its class, a name (`long`, or Java's
`org.apache.kafka.common.serialization.LongSerializer`), or a function of one value. Without one keys and
values are bytes. Null stays null for functions: they are not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from barnabas.config.client import SERDES
from barnabas.config.errors import InvalidValue
from barnabas.serde import BY_NAME, UUID, ByteBuffer, Bytes, ConsumerRecord, Serde, read
from barnabas.serde.base import RecordDeserializationError, SerializationError

SERIALIZERS = ("key.serializer", "value.serializer")
JAVA = "org.apache.kafka.common.serialization."
CONFLUENT = "io.confluent.kafka."
_JAVA_NAMES: dict[str, type[Any]] = {
    "ByteArray": BY_NAME["bytes"],
    "ByteBuffer": ByteBuffer,
    "Bytes": Bytes,
    "UUID": UUID,
    **{name.capitalize(): BY_NAME[name] for name in BY_NAME if name not in ("bytes", "json", "uuid")},
}
"""Java's classes, without the word for the direction."""


class _Function:
    """A function as a serde of one direction."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def serialize(self, _topic: str, value: Any, _headers: object = ()) -> Any:
        return None if value is None else self._function(value)

    deserialize = serialize


def serde_of(config: str, given: object) -> Serde[Any] | None:
    """What a config stands for; None without one. Raises InvalidValue."""
    method = "serialize" if config in SERIALIZERS else "deserialize"
    if given is None or given == "":
        return None
    if isinstance(given, str):
        given = _named(config, given)
    if isinstance(given, type) and hasattr(given, method):
        kind: type[Any] = given
        try:
            given = kind()
        except TypeError as error:
            raise InvalidValue(config, kind.__name__, f"can't be made without arguments: {error}") from error
    found: Any = given
    if callable(getattr(found, method, None)):
        is_key = getattr(found, "is_key", None)
        if is_key is not None and is_key != config.startswith("key"):
            part = "key" if is_key else "value"
            raise InvalidValue(config, found, f"is a serde for the {part}: see its argument is_key")
        serde: Serde[Any] = found
        return serde
    if callable(found):
        return _Function(found)
    raise InvalidValue(
        config, given, f"must be a serde, its class, its name or a function: it has no {method}"
    )


def _named(config: str, name: str) -> Any:
    if name in BY_NAME:
        return BY_NAME[name]()
    kind = name.removeprefix(JAVA)
    for word in ("Serializer", "Deserializer"):
        if kind.endswith(word) and config.endswith(word.lower()) and kind.removesuffix(word) in _JAVA_NAMES:
            return _JAVA_NAMES[kind.removesuffix(word)]()
    if name.startswith(CONFLUENT):
        advice = "give the serde itself, such as barnabas.serde.avro.Avro(registry)"
    elif kind.startswith("List"):
        advice = "give the serde itself, such as barnabas.serde.List(barnabas.serde.String())"
    else:
        advice = f"must be of {', '.join(sorted(BY_NAME))}, or a class of {JAVA.rstrip('.')}"
    raise InvalidValue(config, name, advice)


def refuse_serdes(names: Iterable[str], who: str) -> None:
    """Raises ValueError when one of the configs is a serde."""
    for name in names:
        if name.replace("_", ".") in SERDES:
            raise ValueError(f"{who} hands records on as the bytes that they are: {name} can't be set")


class Serializers(NamedTuple):
    """What a producer writes keys and values with."""

    key: Serde[Any] | None
    value: Serde[Any] | None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Serializers | None:
        """Those of a client's configs; None when there are none."""
        key, value = (values[name] for name in SERIALIZERS)
        return None if key is None and value is None else cls(key, value)

    def write(self, topic: str, value: Any, key: Any, headers: Any) -> tuple[Any, Any, Any]:
        """Value, key and headers of a record as they are sent. Raises SerializationError."""
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers or ())
        written_key = _written("key", topic, self.key, key, pairs)
        return _written("value", topic, self.value, value, pairs), written_key, pairs or None


def _written(what: str, topic: str, serde: Serde[Any] | None, given: Any, headers: list[Any]) -> Any:
    if serde is None:
        return given
    try:
        return serde.serialize(topic, given, headers)
    except Exception as error:
        raise SerializationError(f"the {what} of a record for {topic} can't be written: {error}") from error


class Deserializers(NamedTuple):
    """What a consumer reads keys and values with."""

    key: Serde[Any] | None
    value: Serde[Any] | None

    def read(
        self, records: Sequence[Any], advice: str
    ) -> tuple[list[ConsumerRecord[Any, Any]], RecordDeserializationError | None]:
        """Records up to the first that can't be read, and why it can't; `advice` says what to do about it."""
        done: list[ConsumerRecord[Any, Any]] = []
        for record in records:
            try:
                done.append(read(record, self.key, self.value, advice))
            except RecordDeserializationError as error:
                return done, error
        return done, None
