"""Avro schemas by chance, and the small changes that people make to them."""

import copy
import random
from typing import Any

PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]
NUMBERS = ["int", "long", "float", "double"]


def random_type(rng: random.Random, names: list[str], depth: int = 0) -> Any:
    """A type; the names that it defines are added to `names`."""
    choice = rng.random()
    if depth > 3 or choice < 0.45:
        return rng.choice(PRIMITIVES[1:])
    if choice < 0.55:
        return {"type": "array", "items": random_type(rng, names, depth + 1)}
    if choice < 0.62:
        return {"type": "map", "values": random_type(rng, names, depth + 1)}
    if choice < 0.72:
        return random_union(rng, names, depth)
    if choice < 0.80:
        symbols = rng.sample("ABCDEF", rng.randint(1, 4))
        found = {"type": "enum", "name": _new(rng, names, "E"), "symbols": symbols}
        return found | ({"default": rng.choice(symbols)} if rng.random() < 0.3 else {})
    if choice < 0.86:
        return {"type": "fixed", "name": _new(rng, names, "F"), "size": rng.randint(0, 4)}
    if choice < 0.91 and names:
        return rng.choice(names)
    return random_record(rng, names, depth + 1)


def random_record(rng: random.Random, names: list[str], depth: int = 0) -> dict[str, Any]:
    """A record of up to five fields."""
    record: dict[str, Any] = {"type": "record", "name": _new(rng, names, "R")}
    record["fields"] = [random_field(rng, names, f"f{at}", depth) for at in range(rng.randint(0, 5))]
    return record


def random_field(rng: random.Random, names: list[str], name: str, depth: int = 0) -> dict[str, Any]:
    """A field, with a default if one is easily found."""
    kind = random_type(rng, names, depth + 1)
    field: dict[str, Any] = {"name": name, "type": kind}
    defaults = {
        "int": 7,
        "long": 8,
        "float": 1.5,
        "double": 2.5,
        "string": "s",
        "boolean": True,
        "bytes": "b",
    }
    if isinstance(kind, str) and kind in defaults and rng.random() < 0.6:
        field["default"] = defaults[kind]
    if isinstance(kind, list) and "null" in kind and rng.random() < 0.6:
        kind.sort(key=lambda branch: branch != "null")
        field["default"] = None
    return field


def random_union(rng: random.Random, names: list[str], depth: int) -> list[Any]:
    """Branches of different kinds."""
    branches: list[Any] = rng.sample(PRIMITIVES, rng.randint(1, 3))
    if rng.random() < 0.5:
        extra = random_type(rng, names, depth + 1)
        if isinstance(extra, dict):
            branches.insert(rng.randint(0, len(branches)), extra)
    return branches


def evolve(rng: random.Random, schema: Any) -> Any:
    """The schema after one to three changes."""
    schema = copy.deepcopy(schema)
    for _ in range(rng.randint(1, 3)):
        parts = list(_parts(schema))
        if parts:
            _change(rng, schema, *rng.choice(parts))
    return schema


def _new(rng: random.Random, names: list[str], prefix: str) -> str:
    name = f"{prefix}{len(names)}"
    name = f"n{rng.randint(0, 1)}.{name}" if rng.random() < 0.3 else f"top.{name}"
    names.append(name)
    return name


def _parts(schema: Any, holder: Any = None, key: Any = None) -> Any:
    """Every type with where it stands."""
    if holder is not None:
        yield holder, key
    if isinstance(schema, list):
        for at in range(len(schema)):
            yield from _parts(schema[at], schema, at)
    elif isinstance(schema, dict):
        for at in ("items", "values"):
            if at in schema:
                yield from _parts(schema[at], schema, at)
        for field in schema.get("fields", ()):
            yield from _parts(field["type"], field, "type")


def _change(rng: random.Random, root: Any, holder: Any, key: Any) -> None:
    found = holder[key]
    if isinstance(found, dict) and found["type"] == "enum":
        return _change_enum(rng, found)
    if isinstance(found, dict) and found["type"] == "fixed":
        found["size"] += rng.choice([0, 0, 1])
    elif isinstance(found, dict) and found["type"] == "record":
        _change_record(rng, found)
    elif isinstance(found, list):
        if rng.random() < 0.5 and len(found) > 1:
            found.pop(rng.randrange(len(found)))
        else:
            missing = [each for each in PRIMITIVES if each not in found]
            found.append(rng.choice(missing))
    elif isinstance(found, str) and found in NUMBERS and rng.random() < 0.7:
        holder[key] = rng.choice(NUMBERS)
    elif isinstance(found, str) and not isinstance(holder, list):
        holder[key] = ["null", found] if rng.random() < 0.5 and found != "null" else rng.choice(PRIMITIVES)
    if isinstance(holder, dict):
        holder.pop("default", None)
    if isinstance(root, dict) and root["type"] == "record" and rng.random() < 0.5:
        _change_record(rng, root)
    return None


def _change_enum(rng: random.Random, enum: dict[str, Any]) -> None:
    if rng.random() < 0.5 and len(enum["symbols"]) > 1:
        gone = enum["symbols"].pop()
        if enum.get("default") == gone:
            del enum["default"]
    else:
        enum["symbols"].append(f"N{len(enum['symbols'])}")


def _change_record(rng: random.Random, record: dict[str, Any]) -> None:
    fields, chance = record["fields"], rng.random()
    if chance < 0.3 and fields:
        fields.pop(rng.randrange(len(fields)))
    elif chance < 0.6:
        new = random_field(rng, ["top.X"], f"g{rng.randint(0, 9)}", 9)
        if all(each["name"] != new["name"] for each in fields):
            fields.insert(rng.randint(0, len(fields)), new)
    elif chance < 0.75 and fields:
        field = rng.choice(fields)
        old, field["name"] = field["name"], f"h{rng.randint(0, 99)}"
        if rng.random() < 0.7:
            field["aliases"] = [old]
    elif chance < 0.85:
        old, record["name"] = record["name"], f"top.Z{rng.randint(0, 99)}"
        if rng.random() < 0.7:
            record["aliases"] = [old]
    elif fields:
        rng.shuffle(fields)
