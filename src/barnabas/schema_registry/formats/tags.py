"""Tags of parts of a schema, which stand in its own text: what Confluent's registry calls inline tags.

A part is a record or a field, named by a path: of full names in Avro (`ns.Record.field`), of names in
Protobuf (`Message.field`, the package left out), of the places of types in JSON Schema
(`object.list.array.object.field`).
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from barnabas.schema_registry.formats.model import InvalidSchema

TAGS = "confluent:tags"
"""The member of a record or field that has its tags, in Avro and JSON Schema."""
RECORD, FIELD = "sr_record", "sr_field"

T = TypeVar("T")


class Entity(NamedTuple):
    """A record or a field of a schema."""

    path: str
    type: str
    """`sr_record` or `sr_field`."""


Tagged = Mapping[Entity, Sequence[str]]
"""Tags of parts; without a part that has none."""


class TagChange(NamedTuple):
    """Tags to add to parts, and tags to take from them."""

    add: Tagged = MappingProxyType({})
    remove: Tagged = MappingProxyType({})

    def places(self, parts: Mapping[Entity, T], *, strict: bool) -> Iterator[tuple[Entity, T]]:
        """The parts that are changed. If `strict`, raises InvalidSchema for one that there is not."""
        for entity in dict.fromkeys((*self.add, *self.remove)):
            if entity not in parts:
                if not strict:
                    continue
                kind = "record" if entity.type == RECORD else "field"
                raise InvalidSchema(f"the schema has no {kind} '{entity.path}' that could have tags")
            yield entity, parts[entity]

    def applied(self, entity: Entity, tags: Sequence[str]) -> list[str]:
        """What becomes of a part's tags, each once."""
        removed = self.remove.get(entity, ())
        return [tag for tag in dict.fromkeys((*tags, *self.add.get(entity, ()))) if tag not in removed]


def json_tags(node: Mapping[str, Any]) -> list[str]:
    """The tags of a part that is an object of JSON."""
    found = node.get(TAGS)
    return [str(each) for each in found] if isinstance(found, list) else []


def tagged_json(parts: Mapping[Entity, dict[str, Any]]) -> Tagged:
    """The parts that have tags."""
    return {entity: tags for entity, node in parts.items() if (tags := json_tags(node))}


def change_json(parts: Mapping[Entity, dict[str, Any]], change: TagChange, *, strict: bool) -> None:
    """Changes the tags of parts in place. Raises InvalidSchema."""
    for entity, node in change.places(parts, strict=strict):
        tags = change.applied(entity, json_tags(node))
        if tags:
            node[TAGS] = tags
        else:
            node.pop(TAGS, None)


UNCHANGED = TagChange()
"""No change."""
