"""Random Python messages whose shape comes from schemas/."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

from barnabas._core import Uuid
from barnabas.protocol import Message, class_named
from codegen.error_counts import ErrorCounts
from codegen.model import Field, Struct
from codegen.model import Message as Schema
from codegen.parse import load

ROOT = Path(__file__).parents[3]
BOUNDS = {
    "int8": (-(2**7), 2**7 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
}


def schemas() -> list[Schema]:
    """All messages of schemas/."""
    return load(ROOT / "schemas")


class Generator:
    """Makes messages of one schema; the same seed makes the same messages."""

    def __init__(self, schema: Schema, seed: str) -> None:
        self.schema = schema
        self.random = random.Random(seed)
        self.module = __import__(class_named(schema.name).__module__, fromlist=["*"])

    def message(self, version: int) -> Message:
        """A message that `version` can carry."""
        made: Message = self.struct(self.schema.root, version)
        return made

    def struct(self, struct: Struct, version: int) -> Any:
        made = getattr(self.module, struct.name)()
        for field in struct.fields:
            tagged = field.tag is not None
            if version in field.versions and not (tagged and self.random.random() < 0.5):
                setattr(made, field.snake_name, self.field(field, version))
        return made

    def field(self, field: Field, version: int) -> Any:
        if version in field.nullable and self.random.random() < 0.25:
            return None
        if field.is_array:
            return [self.value(field.element, version) for _ in range(self.random.randrange(4))]
        return self.value(field.type, version)

    def value(self, type_: str, version: int) -> Any:
        chance = self.random
        if bounds := BOUNDS.get(type_):
            return chance.randrange(3) if chance.random() < 0.3 else chance.randint(*bounds)
        match type_:
            case "bool":
                return chance.random() < 0.5
            case "float64":
                return chance.gauss(0, 1e9)
            case "uuid":
                return Uuid.ZERO if chance.random() < 0.2 else Uuid(chance.randbytes(16))
            case "string":
                length = 150 if chance.random() < 0.05 else chance.randrange(9)
                return "".join(chr(chance.choice((0x20, 0xA1, 0x4E00, 0x1F600)) + i) for i in range(length))
            case "bytes" | "records":
                return chance.randbytes(300 if chance.random() < 0.05 else chance.randrange(9))
            case _:
                return self.struct(self.schema.structs[type_], version)


class ErrorGenerator(Generator):
    """Makes responses whose error codes have names, many of them the same.

    What they are about differs, for some of Kafka's classes make maps of it.
    """

    def value(self, type_: str, version: int) -> Any:
        match type_:
            case "int16":
                return self.random.choice((0, 0, -1, 1, 3, 136))
            case "string":
                return f"{self.random.getrandbits(64):x}"
            case "int32":
                return self.random.getrandbits(31)
            case "int8":
                return 3  # of each of Kafka's lists that numbers of this size name
            case _:
                return super().value(type_, version)


def count_errors(
    rules: ErrorCounts, schema: Schema, struct: Struct, value: Any, version: int
) -> Counter[int]:
    """What counts as errors of a response, by what schemas/ say."""
    counts: Counter[int] = Counter()
    for counted in rules.of(schema, struct):
        code = getattr(value, counted.field.snake_name)
        missing = counted.rule == "in-version" and version not in counted.field.versions
        if missing or (counted.rule == "errors" and code == 0):
            continue
        if counted.array is None or not getattr(value, counted.array.snake_name):
            counts[code] += 1
    for field in struct.fields:
        if inner := schema.structs.get(field.element):
            of_field = getattr(value, field.snake_name)
            for one in of_field or () if field.is_array else [of_field]:
                counts += Counter() if one is None else count_errors(rules, schema, inner, one, version)
    return counts
