"""An Avro schema as a program. `crates/datum/src/avro.rs` says what its parts are."""

from __future__ import annotations

from barnabas.schema_registry.formats.avro.types import Array, AvroType, Enum, Fixed, Map, Record, Union
from barnabas.serde.programs.numbers import number, places

_FORMAT = b"\x01"
_PRIMITIVES = {
    "null": b"\x00",
    "boolean": b"\x01",
    "int": b"\x02",
    "long": b"\x03",
    "float": b"\x04",
    "double": b"\x05",
    "bytes": b"\x06",
    "string": b"\x07",
}
_FIXED, _ENUM, _ARRAY, _MAP, _UNION, _RECORD = b"\x08", b"\x09", b"\x0a", b"\x0b", b"\x0c", b"\x0d"


def avro_program(root: AvroType) -> bytes:
    """The program of a type. Logical types are what they stand on."""
    table = _Table()
    table.place(root)
    # Grows while it is gone through.
    types = b"".join(table.written(kind) for kind in table.kinds)
    return _FORMAT + number(len(table.kinds)) + types + number(0)


class _Table:
    """Types in the order in which they were met; primitives once each."""

    def __init__(self) -> None:
        self.kinds: list[AvroType] = []
        self._places: dict[str | int, int] = {}

    def place(self, kind: AvroType) -> int:
        key = kind.kind if kind.kind in _PRIMITIVES else id(kind)
        if key not in self._places:
            self._places[key] = len(self.kinds)
            self.kinds.append(kind)
        return self._places[key]

    def written(self, kind: AvroType) -> bytes:
        if isinstance(kind, Record):
            return _RECORD + places([self.place(field.type) for field in kind.fields])
        if isinstance(kind, Union):
            return _UNION + places([self.place(branch) for branch in kind.branches])
        if isinstance(kind, Array):
            return _ARRAY + number(self.place(kind.items))
        if isinstance(kind, Map):
            return _MAP + number(self.place(kind.values))
        if isinstance(kind, Enum):
            return _ENUM + number(len(kind.symbols))
        if isinstance(kind, Fixed):
            return _FIXED + number(kind.size)
        return _PRIMITIVES[kind.kind]
