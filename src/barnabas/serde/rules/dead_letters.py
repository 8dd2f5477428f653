"""Action DLQ: what a rule refuses is sent to a dead-letter topic, and refused."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from importlib import import_module
from typing import Any, Protocol

from barnabas.serde.models import dump
from barnabas.serde.rules.running import NAME_HEADER, FieldOf, RuleError, Run, refuse

TOPIC = "dlq.topic"
"""The parameter of a rule, or property of the metadata, that names the topic."""
REDACTED = "<REDACTED>"
"""Stands in a dead letter for a field that is to be encrypted."""


class Produces(Protocol):
    """A producer: `barnabas.Producer` is one."""

    def produce(self, topic: str, value: Any = None, key: Any = None, *, headers: Any = None) -> Any:
        """Sends a record."""


class DeadLetters:
    """Sends what was given to be written or read, with headers that say which rule refused it and why."""

    def __init__(self, producer: Produces | None, topic: str | None = None) -> None:
        """`topic` for all rules, whatever they say."""
        self._producer = producer
        self._topic = topic

    def __call__(self, run: Run, failure: Exception | None) -> None:
        """The action. Raises RuleError, always."""
        topic = self._topic or run.parameter(TOPIC)
        if self._producer is None or not topic:
            missing = "a producer for dead letters" if topic else f"{TOPIC}, the topic of dead letters"
            raise RuleError(f"rule '{run.rule.name}' failed, and there is not {missing}") from failure
        data, said = _bytes(run), {"mode": run.mode, "subject": run.subject, "topic": run.topic}
        if failure is not None:
            said["exception"] = str(failure)
        headers = [*run.headers, (NAME_HEADER, run.rule.name.encode())]
        headers += [(f"__rule.{name}", text.encode()) for name, text in said.items()]
        key, value = (data, None) if run.is_key else (None, data)
        self._producer.produce(topic, value, key=key, headers=headers)
        refuse(run, failure)


def _bytes(run: Run) -> bytes:
    if isinstance(run.original, bytes | bytearray | memoryview):
        return bytes(run.original)
    value = _redacted(run)
    if isinstance(value, str):
        return value.encode()
    if hasattr(value, "DESCRIPTOR"):
        json_format = import_module("google.protobuf.json_format")
        return str(json_format.MessageToJson(value)).encode()
    try:
        return dump(value)
    except (TypeError, ValueError):  # what JSON does not have, as a text
        return json.dumps(value, default=str).encode()


def _redacted(run: Run) -> Any:
    """The value without what was to be encrypted: it is not encrypted yet."""
    if any(rule.type == "ENCRYPT_PAYLOAD" for rule in run.contract.rules("encodingRules", "WRITE")):
        return REDACTED
    tags = [rule.tags for rule in run.rules if rule.type == "ENCRYPT"]
    if not tags or run.walk is None:
        return run.original

    def redacted(field: FieldOf, value: Any) -> Any:
        if any(not each or not each.isdisjoint(field.tags) for each in tags):
            return {"STRING": REDACTED, "BYTES": REDACTED.encode()}.get(field.type, value)
        return value

    every = replace(run, rule=replace(run.rule, kind="TRANSFORM", tags=frozenset()))
    return run.walk(every, deepcopy(run.original), redacted)
