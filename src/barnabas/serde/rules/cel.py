"""Rules in CEL, over whole values (CEL) and over each field (CEL_FIELD); evaluated by cel-python.

An expression may have a guard before a semicolon: where that is false, the rule has nothing to say.
"""

from __future__ import annotations

import datetime
import ipaddress
import re
import threading
import uuid
from collections.abc import Callable
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from barnabas.serde.base import SerializationError
from barnabas.serde.rules.protobuf_fields import is_map, is_repeated
from barnabas.serde.rules.running import PRIMITIVE, Change, Executor, FieldExecutor, FieldOf, RuleError, Run

PROGRAMS_MAX = 1_000
"""Compiled expressions that are remembered."""
_EPOCH = datetime.date(1970, 1, 1).toordinal()
_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)\Z")
_in_has = threading.local()


class Cel(Executor):
    """The value is `message`."""

    type = "CEL"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._programs: dict[str, Any] = {}

    def run(self, run: Run, value: Any) -> Any:
        found = self.evaluated(run, value, {"message": cel_of(value)})
        if run.rule.kind != "CONDITION" and hasattr(value, "DESCRIPTOR") and found is not value:
            raise RuleError(
                f"rule '{run.rule.name}': CEL makes no Protobuf messages; CEL_FIELD changes fields"
            )
        return found

    def evaluated(self, run: Run, value: Any, names: dict[str, Any]) -> Any:
        """What the rule's expression gives; `value` itself, or that a condition holds, where its guard is
        false."""
        guard, semicolon, expression = run.rule.expr.partition(";")
        if not semicolon:
            guard, expression = "", guard
        if guard.strip() and not self._of(guard, names):
            return run.rule.kind == "CONDITION" or value
        return plain_of(self._of(expression, names))

    def _of(self, expression: str, names: dict[str, Any]) -> Any:
        celpy = _celpy()
        with self._lock:
            program = self._programs.get(expression)
        if program is None:
            environment = celpy.Environment(runner_class=_runner())
            program = environment.program(environment.compile(expression), functions=_functions())
            with self._lock:
                if len(self._programs) >= PROGRAMS_MAX:
                    self._programs.clear()
                self._programs[expression] = program
        if re.search(r"\bnow\b", expression):
            moment = datetime.datetime.now(tz=datetime.UTC)
            names = {"now": celpy.celtypes.TimestampType(moment), **names}
        return program.evaluate(names)


class CelField(FieldExecutor):
    """Each field of a primitive type: `value`, `name`, `fullName`, `typeName`, `tags`, and its `message`."""

    type = "CEL_FIELD"

    def __init__(self, cel: Cel) -> None:
        self._cel = cel

    def change(self, run: Run) -> Change:
        celtypes = _celpy().celtypes

        def change(field: FieldOf, value: Any) -> Any:
            if field.type not in PRIMITIVE:
                return value
            names = {
                "value": cel_of(value),
                "name": celtypes.StringType(field.name),
                "fullName": celtypes.StringType(field.path),
                "typeName": celtypes.StringType(field.type),
                "tags": celtypes.ListType([celtypes.StringType(tag) for tag in sorted(field.tags)]),
                "message": cel_of(field.message),
            }
            return self._cel.evaluated(run, value, names)

        return change


def cel_of(value: Any) -> Any:
    """A value as CEL has it."""
    types = _celpy().celtypes
    if hasattr(value, "DESCRIPTOR"):
        return _message_of(value)
    if isinstance(value, dict):
        return types.MapType({types.StringType(key): cel_of(each) for key, each in value.items()})
    if isinstance(value, list):
        return types.ListType([cel_of(each) for each in value])
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return types.IntType(value.toordinal() - _EPOCH)
    if isinstance(value, uuid.UUID):
        return types.StringType(str(value))
    made = {
        bool: types.BoolType,
        int: types.IntType,
        float: types.DoubleType,
        str: types.StringType,
        bytes: types.BytesType,
        datetime.datetime: types.TimestampType,
        datetime.timedelta: types.DurationType,
    }.get(type(value))
    return value if made is None else made(value)


def plain_of(value: Any) -> Any:
    """What CEL gives, without CEL's own types."""
    types = _celpy().celtypes
    if isinstance(value, dict):
        return {str(key): plain_of(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain_of(each) for each in value]
    made: list[tuple[Any, Any]] = [
        (types.BoolType, bool),
        (types.IntType, int),
        (types.UintType, int),
        (types.DoubleType, float),
        (types.StringType, str),
        (types.BytesType, bytes),
    ]
    return next((plain(value) for kind, plain in made if isinstance(value, kind)), value)


def _message_of(message: Any) -> Any:
    """A Protobuf message as a map. A field that is not set is its default; `has` tells it apart."""
    types = _celpy().celtypes

    class Fields(types.MapType):  # type: ignore[misc, name-defined]
        def __getitem__(self, key: Any) -> Any:
            field = message.DESCRIPTOR.fields_by_name.get(str(key))
            if field is None or (getattr(_in_has, "now", False) and not _is_set(message, field)):
                raise KeyError(key)
            return _field_of(message, field)

    return Fields(
        {
            types.StringType(field.name): _field_of(message, field)
            for field in message.DESCRIPTOR.fields
            if field.containing_oneof is None or message.HasField(field.name)
        }
    )


def _is_set(message: Any, field: Any) -> bool:
    if is_repeated(field):
        return len(getattr(message, field.name)) > 0
    if field.has_presence:
        return bool(message.HasField(field.name))
    return bool(getattr(message, field.name) != field.default_value)


def _field_of(message: Any, field: Any) -> Any:
    value = getattr(message, field.name)
    if is_map(field):
        return cel_of(dict(value.items()))
    if is_repeated(field):
        return cel_of(list(value))
    if field.message_type is not None and not message.HasField(field.name):
        return None
    return cel_of(value)


def _celpy() -> Any:
    try:
        return import_module("celpy")
    except ImportError:
        raise SerializationError("cel-python is not installed: pip install 'barnabas[rules]'") from None


def _runner() -> Any:
    """A runner that knows when it is asked whether something is there."""
    celpy = _celpy()

    class Evaluator(celpy.Evaluator):  # type: ignore[misc, name-defined]
        def macro_has_eval(self, expressions: Any) -> Any:
            _in_has.now = True
            try:
                return super().macro_has_eval(expressions)
            finally:
                _in_has.now = False

    class Runner(celpy.InterpretedRunner):  # type: ignore[misc, name-defined]
        def evaluate(self, context: Any) -> Any:
            return Evaluator(ast=self.ast, activation=self.new_activation()).evaluate(context)

    return Runner


def _functions() -> dict[str, Any]:
    """Functions that Confluent's clients have besides CEL's own."""
    celpy = _celpy()

    def of(test: Callable[[str], bool]) -> Callable[[Any], Any]:
        return lambda value: celpy.celtypes.BoolType(test(str(value)))

    tests = {
        "isEmail": is_email,
        "isHostname": is_hostname,
        "isIpv4": lambda text: _parses(ipaddress.IPv4Address, text),
        "isIpv6": lambda text: _parses(ipaddress.IPv6Address, text),
        "isUri": is_uri,
        "isUriRef": lambda text: _parses(urlsplit, text) and not re.search(r"\s", text),
        "isUuid": lambda text: _parses(uuid.UUID, text),
    }
    return {name: of(test) for name, test in tests.items()}


def is_email(text: str) -> bool:
    """Whether a text is one address, without a name or comment."""
    local, at, host = text.rpartition("@")
    good = 0 < len(local) <= 64 and len(text) <= 254 and not re.search(r"[\s<>()\[\],;:\\\"@]", local)
    return bool(at) and good and is_hostname(host)


def is_hostname(text: str) -> bool:
    """Whether a text is the name of a host, no number."""
    labels = text.removesuffix(".").split(".")
    return len(text) <= 253 and all(map(_LABEL.match, labels)) and not labels[-1].isdigit()


def is_uri(text: str) -> bool:
    """Whether a text is a URI with scheme, host and path."""
    if not _parses(urlsplit, text):
        return False
    parts = urlsplit(text)
    return bool(parts.scheme and parts.netloc and parts.path)


def _parses(parse: Callable[[str], Any], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True
