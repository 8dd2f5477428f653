"""JSON schemas by chance, the small changes that people make to them, and values that may be valid."""

import copy
import random
from typing import Any

NAMES = ["a", "b", "s_1", "i_1"]


def random_schema(rng: random.Random, depth: int = 0) -> Any:
    """A schema of draft 7."""
    choice = rng.random()
    if depth > 2 or choice < 0.3:
        return _scalar(rng)
    if choice < 0.65:
        return _object(rng, depth)
    if choice < 0.8:
        return _array(rng, depth)
    if choice < 0.95:
        count = rng.randint(1, 3)
        return {
            rng.choice(["allOf", "anyOf", "oneOf"]): [random_schema(rng, depth + 1) for _ in range(count)]
        }
    return {"not": random_schema(rng, depth + 1)} if choice < 0.98 else rng.choice([True, {}])


def evolve(rng: random.Random, schema: Any) -> Any:
    """The schema after one or two changes."""
    schema = copy.deepcopy(schema)
    for _ in range(rng.randint(1, 2)):
        parts = [each for each in _parts(schema) if isinstance(each, dict)]
        if parts:
            _change(rng, rng.choice(parts))
    return schema


def random_value(rng: random.Random, schema: Any, depth: int = 0) -> Any:
    """A value with a fair chance of being valid."""
    if not isinstance(schema, dict) or depth > 4 or rng.random() < 0.08:
        return rng.choice([None, True, 0, 3, 6, 1.5, "", "abc", "abcdef", [], [1, "x"], {}, {"a": 1}])
    for criterion in ("allOf", "anyOf", "oneOf"):
        if criterion in schema:
            return random_value(rng, rng.choice(schema[criterion]), depth + 1)
    if "enum" in schema:
        return rng.choice(schema["enum"])
    kind = schema.get("type") or rng.choice(["object", "array", "string", "number"])
    kind = rng.choice(kind) if isinstance(kind, list) else kind
    if kind == "object":
        return _object_value(rng, schema, depth)
    if kind == "array":
        return _array_value(rng, schema, depth)
    scalars = {"string": ["", "a", "abcd", "abcdefgh"], "integer": [0, 1, 4, 6, 12], "null": [None]}
    scalars |= {"number": [0, 1.5, 4, 6, 7.25, 12], "boolean": [True, False]}
    return rng.choice(scalars[kind])


def _scalar(rng: random.Random) -> dict[str, Any]:
    kind = rng.choice(["string", "integer", "number", "boolean", "null", "enum", "list"])
    if kind == "enum":
        return {"enum": rng.sample(["x", "y", 1, 2.0, None], rng.randint(1, 4))}
    if kind == "list":
        return {"type": rng.sample(["string", "integer", "null", "object"], rng.randint(1, 3))}
    found: dict[str, Any] = {"type": kind} if rng.random() < 0.9 else {}
    return found | {key: value for key, value in _bounds(rng, kind).items() if rng.random() < 0.4}


def _bounds(rng: random.Random, kind: str) -> dict[str, Any]:
    if kind == "string":
        return {
            "minLength": rng.randint(0, 3),
            "maxLength": rng.randint(3, 8),
            "pattern": rng.choice(["a", "b$"]),
        }
    if kind in ("integer", "number"):
        limits = {"minimum": rng.randint(0, 2), "exclusiveMaximum": rng.randint(4, 9)}
        return limits | {"multipleOf": rng.choice([1, 2, 3, 0.5, 6]), "maximum": rng.randint(4, 9)}
    return {}


def _object(rng: random.Random, depth: int) -> dict[str, Any]:
    names = rng.sample(NAMES, rng.randint(0, 3))
    found: dict[str, Any] = {"properties": {name: random_schema(rng, depth + 1) for name in names}}
    if rng.random() < 0.8:
        found["type"] = "object"
    if rng.random() < 0.5:
        found["additionalProperties"] = rng.choice([False, False, True, random_schema(rng, 3)])
    if rng.random() < 0.3 and names:
        found["required"] = rng.sample(names, 1)
    if rng.random() < 0.2:
        found["patternProperties"] = {rng.choice(["^s_", "^i_"]): random_schema(rng, 3)}
    if rng.random() < 0.1:
        found["dependencies"] = {"a": rng.choice([["b"], random_schema(rng, 3)])}
    if rng.random() < 0.1:
        found["maxProperties"] = rng.randint(1, 3)
    return found


def _array(rng: random.Random, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "array"}
    if rng.random() < 0.5:
        found["items"] = random_schema(rng, depth + 1)
    else:
        found["items"] = [random_schema(rng, depth + 1) for _ in range(rng.randint(1, 2))]
        if rng.random() < 0.6:
            found["additionalItems"] = rng.choice([False, True, random_schema(rng, 3)])
    chances = {"minItems": 1, "maxItems": 2, "uniqueItems": True, "contains": random_schema(rng, 3)}
    return found | {key: value for key, value in chances.items() if rng.random() < 0.15}


def _parts(schema: Any) -> Any:
    yield schema
    if isinstance(schema, dict):
        for each in schema.get("properties", {}).values():
            yield from _parts(each)
        for keyword in ("items", "additionalProperties", "not"):
            if isinstance(schema.get(keyword), dict):
                yield from _parts(schema[keyword])
        for keyword in ("allOf", "anyOf", "oneOf", "items"):
            if isinstance(schema.get(keyword), list):
                for each in schema[keyword]:
                    yield from _parts(each)


def _change(rng: random.Random, part: dict[str, Any]) -> None:
    chance = rng.random()
    optional = [key for key in part if key not in ("properties", "items")]
    if chance < 0.3 and optional:
        del part[rng.choice(optional)]
    elif chance < 0.45 and part.get("properties"):
        part["properties"].pop(rng.choice(list(part["properties"])))
    elif chance < 0.6 and "properties" in part:
        part["properties"][rng.choice(NAMES)] = random_schema(rng, 2)
    elif chance < 0.7:
        for criterion in ("allOf", "anyOf", "oneOf"):
            if criterion in part:
                part[criterion].append(random_schema(rng, 2))
    elif chance < 0.8 and isinstance(part.get("items"), list):
        part["items"].append(random_schema(rng, 2))
    elif chance < 0.9 and part.get("type") == "integer":
        part["type"] = "number"
    else:
        kind = part.get("type")
        bounds = _bounds(rng, kind if isinstance(kind, str) else "string")
        if bounds:
            keyword = rng.choice(list(bounds))
            part[keyword] = bounds[keyword]


def _object_value(rng: random.Random, schema: dict[str, Any], depth: int) -> dict[str, Any]:
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    found = {}
    for name in NAMES:
        if name in required or rng.random() < (0.6 if name in properties else 0.15):
            found[name] = random_value(rng, properties.get(name, {}), depth + 1)
    return found


def _array_value(rng: random.Random, schema: dict[str, Any], depth: int) -> list[Any]:
    items = schema.get("items", {})
    count = rng.randint(0, 3)
    if isinstance(items, list):
        rest = schema.get("additionalItems", {})
        return [random_value(rng, items[at] if at < len(items) else rest, depth + 1) for at in range(count)]
    return [random_value(rng, items, depth + 1) for _ in range(count)]
