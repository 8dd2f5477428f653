"""What of a type matters to compatibility, as a string: types of equal shape read one another.

New versions of a schema keep most of its fields, so this is what a comparison decides most of them by.
"""

from hashlib import blake2b

from barnabas.schema_registry.formats.avro.types import (
    NO_SHAPE,
    Array,
    AvroType,
    Enum,
    Fixed,
    Map,
    Record,
    Union,
)


def shape(kind: AvroType) -> str:
    """The shape of a type, NO_SHAPE if it refers to itself. Found once, then kept on the type.

    Names and symbols have no punctuation, so two types never share a shape by chance. A named type is
    shortened to a digest: each user of it would repeat its text otherwise.
    """
    if kind.shape is None:
        kind.shape = NO_SHAPE  # what those see that meet it again inside itself
        kind.shape = _shape(kind)
    return kind.shape


def _shape(kind: AvroType) -> str:
    if isinstance(kind, Union):
        return _joined("[", [shape(each) for each in kind.branches])
    if isinstance(kind, Array):
        return _joined("array ", [shape(kind.items)])
    if isinstance(kind, Map):
        return _joined("map ", [shape(kind.values)])
    if isinstance(kind, Record):
        fields = _joined("", [shape(each.type) for each in kind.fields])
        if fields == NO_SHAPE:
            return NO_SHAPE
        return f"{kind.name.full}:{_digest(fields + '|' + ' '.join(kind.by_name))}"
    if isinstance(kind, Enum):
        return f"{kind.name.full}:{_digest('|'.join(kind.symbols))}"
    if isinstance(kind, Fixed):
        return f"{kind.name.full}:{kind.size}"
    return kind.kind


def _joined(start: str, parts: list[str]) -> str:
    return NO_SHAPE if NO_SHAPE in parts else start + ",".join(parts) + ";"


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()
