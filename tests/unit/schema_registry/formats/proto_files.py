"""Protobuf files by chance, the small changes that people make to them, and messages of them."""

import copy
import random
from dataclasses import dataclass, field
from typing import Any

SCALARS = ["int32", "int64", "uint32", "uint64", "sint32", "sint64", "bool", "string", "bytes"]
SCALARS += ["fixed32", "fixed64", "sfixed32", "sfixed64", "float", "double"]
KEYS = ["string", "int32", "bool", "fixed64"]


@dataclass
class Field:
    number: int
    label: str
    type: str
    oneof: str = ""


@dataclass
class File:
    """One message `M` with a nested message and an enum that its fields may have."""

    fields: list[Field] = field(default_factory=list)
    inner: list[Field] = field(default_factory=list)

    def text(self) -> str:
        """As .proto."""
        plain = "\n".join(f"  {_line(each)}" for each in self.fields if not each.oneof)
        chosen = "\n".join(f"    {_line(each)}" for each in self.fields if each.oneof)
        oneof = f"  oneof one {{\n{chosen}\n  }}\n" if chosen else ""
        inner = "\n".join(f"    {_line(each)}" for each in self.inner)
        return (
            f'syntax = "proto3";\npackage p;\nmessage M {{\n{plain}\n{oneof}'
            f"  message Inner {{\n{inner}\n  }}\n}}\nenum E {{ A = 0; B = 1; }}\n"
        )


def random_file(rng: random.Random) -> File:
    """A file of up to six fields."""
    file = File()
    file.fields = [_field(rng, number) for number in rng.sample(range(1, 12), rng.randint(0, 6))]
    file.inner = [_field(rng, number, nested=True) for number in rng.sample(range(1, 5), rng.randint(0, 3))]
    return file


def evolve(rng: random.Random, file: File) -> File:
    """The file after one to three changes."""
    file = copy.deepcopy(file)
    for _ in range(rng.randint(1, 3)):
        fields = file.fields if rng.random() < 0.7 else file.inner
        chance = rng.random()
        if chance < 0.3 or not fields:
            number = rng.randint(1, 15)
            if all(each.number != number for each in fields):
                fields.append(_field(rng, number, nested=fields is file.inner))
        elif chance < 0.5:
            fields.pop(rng.randrange(len(fields)))
        elif chance < 0.85:
            changed = rng.choice(fields)
            changed.type = rng.choice(SCALARS)
        else:
            changed = rng.choice(fields)
            if not changed.oneof and not changed.type.startswith("map"):
                changed.label = rng.choice(["", "optional ", "repeated "])
    return file


def random_message(rng: random.Random, made: Any) -> Any:
    """An instance of a class, most fields set."""
    message = made()
    for each in message.DESCRIPTOR.fields:
        if rng.random() < 0.8:
            _set(rng, message, each)
    return message


def _line(each: Field) -> str:
    return f"{each.label}{each.type} f{each.number} = {each.number};"


def _field(rng: random.Random, number: int, nested: bool = False) -> Field:
    types = (
        [*SCALARS, "E"]
        if nested
        else [*SCALARS, "E", "Inner", f"map<{rng.choice(KEYS)}, {rng.choice(SCALARS)}>"]
    )
    kind = rng.choice(types)
    if kind.startswith("map"):
        return Field(number, "", kind)
    if not nested and rng.random() < 0.2:
        return Field(number, "", kind, oneof="one")
    return Field(number, rng.choice(["", "", "optional ", "repeated "]), kind)


def _set(rng: random.Random, message: Any, each: Any) -> None:
    if each.message_type is not None and each.message_type.GetOptions().map_entry:
        key, value = each.message_type.fields
        getattr(message, each.name)[_scalar(rng, key)] = _scalar(rng, value)
    elif each.message_type is not None:
        held = getattr(message, each.name)
        inner = held.add() if each.is_repeated else held
        inner.SetInParent() if not each.is_repeated else None
        for part in each.message_type.fields:
            _set(rng, inner, part)
    elif each.is_repeated:
        getattr(message, each.name).extend(_scalar(rng, each) for _ in range(rng.randint(1, 3)))
    else:
        setattr(message, each.name, _scalar(rng, each))


def _scalar(rng: random.Random, each: Any) -> Any:
    kind = each.cpp_type
    values = {
        each.CPPTYPE_STRING: b"ab" if each.type == each.TYPE_BYTES else "ab",
        each.CPPTYPE_BOOL: True,
        each.CPPTYPE_FLOAT: 1.5,
        each.CPPTYPE_DOUBLE: 2.5,
        each.CPPTYPE_ENUM: 1,
    }
    return values.get(kind, rng.randint(1, 100))
