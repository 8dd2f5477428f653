"""Finds what `$ref`s mean: in the schema itself, its embedded resources and anchors, and its references.

Nothing is ever fetched: a reference has to be registered, and is known by its name and by its `$id`.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from barnabas.schema_registry.formats.model import NODES_MAX, InvalidSchema

# A schema as JSON: an object, or true or false.
Schema = Any

# Keywords whose values are data, however much they look like schemas.
_DATA = frozenset({"enum", "const", "default", "examples", "example"})
_REFS = ("$ref", "$dynamicRef", "$recursiveRef")
# Schemas of schemas are not read: whatever is one of them is taken for any value.
_META = ("http://json-schema.org/", "https://json-schema.org/", "http://www.json-schema.org/")
# References without a base of their own are resolved against this.
_ROOT = "http://registry.invalid/"


class Resolver:
    """All documents that a schema stands on, by address."""

    def __init__(self, root: Schema, references: Mapping[str, Schema]) -> None:
        self.root = root
        self._documents: dict[str, Schema] = {}
        self._bases: dict[int, str] = {}
        self._nodes = 0
        for name, document in references.items():
            self._add(document, urljoin(_ROOT, name))
        self._add(root, _ROOT)

    def target(self, schema: Mapping[str, Any]) -> Schema | None:
        """What the `$ref` of a schema points to; None if it has none. A chain of them is followed to the
        first that says more. Raises InvalidSchema for one without end.
        """
        seen: set[int] = set()
        found: Schema | None = None
        at: Schema = schema
        settled = False
        while isinstance(at, dict) and (ref := _ref(at)) is not None:
            if id(at) in seen:
                raise InvalidSchema(f"$ref {ref!r} leads back to itself")
            seen.add(id(at))
            at = self._find(ref, self._bases.get(id(at), _ROOT))
            if not settled:
                found = at
            settled = settled or (isinstance(at, dict) and len(at) > 1)
        return found

    def check(self) -> None:
        """Raises InvalidSchema for a `$ref` of the schema that leads nowhere."""
        for each, _ in _walk(self.root, _ROOT):
            if isinstance(each, dict) and _ref(each) is not None:
                self.target(each)

    def _add(self, document: Schema, address: str) -> None:
        self._documents[address] = document
        for each, base in _walk(document, address):
            self._nodes += 1
            if self._nodes > NODES_MAX:
                raise InvalidSchema(f"schema and references have more than {NODES_MAX} parts")
            if not isinstance(each, dict):
                continue
            self._bases[id(each)] = base
            if _id(each):
                self._documents.setdefault(base, each)
            for keyword in ("$anchor", "$dynamicAnchor"):
                if isinstance(anchor := each.get(keyword), str):
                    self._documents.setdefault(f"{base}#{anchor}", each)
            if (own := _id(each)) and own.startswith("#"):
                self._documents.setdefault(f"{base}{own}", each)

    def _find(self, ref: str, base: str) -> Schema:
        address, fragment = urldefrag(urljoin(base, ref))
        fragment = unquote(fragment)
        if fragment and not fragment.startswith("/"):
            document = self._documents.get(f"{address}#{fragment}")
            pointer = ""
        else:
            document, pointer = self._documents.get(address), fragment
        if document is None and address.startswith(_META):
            return True
        if document is None:
            raise InvalidSchema(f"$ref {ref!r}: neither the schema nor a reference has it")
        return _pointed(document, pointer, ref)


def _ref(schema: Mapping[str, Any]) -> str | None:
    return next((schema[each] for each in _REFS if isinstance(schema.get(each), str)), None)


def _id(schema: Mapping[str, Any]) -> str | None:
    for keyword in ("$id", "id"):
        if isinstance(found := schema.get(keyword), str) and found:
            return found
    return None


def _walk(document: Schema, base: str) -> Iterator[tuple[Schema, str]]:
    """Every part that may be a schema, with the address that its references are relative to."""
    waiting: list[tuple[Schema, str, bool]] = [(document, base, True)]
    while waiting:
        at, base, is_schema = waiting.pop()
        if isinstance(at, list):
            waiting += [(each, base, True) for each in at]
        elif isinstance(at, dict):
            own = _id(at) if is_schema else None
            if own and not own.startswith("#"):
                base = urldefrag(urljoin(base, own))[0]
            yield at, base
            for key, each in at.items():
                if key not in _DATA or not is_schema:
                    # A property may be called "enum" or "id": what is in such a map are schemas again.
                    waiting.append((each, base, key not in _MAPS or not is_schema))
        else:
            yield at, base


# Keywords whose value maps names to schemas.
_MAPS = frozenset(
    {"properties", "patternProperties", "definitions", "$defs", "dependencies", "dependentSchemas"}
)


def _pointed(document: Schema, pointer: str, ref: str) -> Schema:
    at = document
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(at, dict) and key in at:
            at = at[key]
        elif isinstance(at, list) and key.isdecimal() and len(key) < 10 and int(key) < len(at):
            at = at[int(key)]
        else:
            raise InvalidSchema(f"$ref {ref!r}: there is no {key!r}")
    if not isinstance(at, dict | bool):
        raise InvalidSchema(f"$ref {ref!r} leads to what is no schema")
    return at
