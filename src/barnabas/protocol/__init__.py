"""Messages of Kafka. Their classes are imported when they are asked for, one module each."""

from __future__ import annotations

from importlib import import_module

from barnabas.protocol.generated.api_key import ApiKey
from barnabas.protocol.generated.error_code import ErrorCode
from barnabas.protocol.generated.index import API_NAMES, METADATA_RECORDS, MODULES
from barnabas.protocol.message import Message, Struct

__all__ = [
    "ApiKey",
    "ErrorCode",
    "Message",
    "Struct",
    "class_named",
    "message_class",
    "metadata_record_class",
]


def class_named(name: str) -> type[Message]:
    """The class of a message by Kafka's name, e.g. `FetchRequest` or `TopicRecord`; KeyError when unknown."""
    module = import_module(f"barnabas.protocol.generated.{MODULES[name]}")
    found: type[Message] = getattr(module, name)
    return found


def message_class(api_key: int, *, response: bool) -> type[Message]:
    """The class of an API's request or response; KeyError when the key is unknown."""
    return class_named(API_NAMES[api_key] + ("Response" if response else "Request"))


def metadata_record_class(record_type: int) -> type[Message]:
    """The class of a record of the metadata log; KeyError when the type is unknown."""
    return class_named(METADATA_RECORDS[record_type])
