"""Whether a reader's Avro schema reads what a writer's wrote, by the rules of schema resolution.

Verdicts, types and places are those of SchemaCompatibility in Apache Avro's Java. A pair of types that is
being compared already counts as compatible: what is wrong with it is found where it was met first.
"""

from barnabas.schema_registry.formats.avro.shape import shape
from barnabas.schema_registry.formats.avro.types import (
    NO_SHAPE,
    Array,
    AvroType,
    Enum,
    Field,
    Fixed,
    Map,
    Named,
    Record,
    Union,
)
from barnabas.schema_registry.formats.model import REPEATED_MAX, Effort, Incompatibility, Roles

# What else a reader of the type takes.
_PROMOTED = {
    "long": frozenset({"int"}),
    "float": frozenset({"int", "long"}),
    "double": frozenset({"int", "long", "float"}),
    "bytes": frozenset({"string"}),
    "string": frozenset({"bytes"}),
}
_NOTHING: frozenset[str] = frozenset()
# One place in a schema: the keys that lead to it.
_Path = tuple[str, ...]


def compare_avro(reader: AvroType, writer: AvroType, roles: Roles) -> list[Incompatibility]:
    """What stands against reading; empty if nothing does."""
    return _Comparison(roles).types(reader, writer, ())


class _Comparison:
    def __init__(self, roles: Roles) -> None:
        self.roles = roles
        self.compared: dict[tuple[int, int], list[Incompatibility]] = {}
        self.effort = Effort()

    def types(self, reader: AvroType, writer: AvroType, path: _Path) -> list[Incompatibility]:
        if reader.kind == writer.kind and type(reader) is AvroType:
            return []
        pair = (id(reader), id(writer))
        known = self.compared.get(pair)
        if known is not None:
            return known[:REPEATED_MAX]
        self.compared[pair] = []
        self.effort.enter()
        found = self.compared[pair] = self.compare(reader, writer, path)
        self.effort.leave()
        return found

    def compare(self, reader: AvroType, writer: AvroType, path: _Path) -> list[Incompatibility]:
        if isinstance(writer, Union):
            return self.writer_union(reader, writer, path)
        if isinstance(reader, Union):
            if any(not self.types(branch, writer, path) for branch in reader.branches):
                return []
            return [self.missing_branch(writer, path)]
        if isinstance(reader, Record) and isinstance(writer, Record):
            return self.names(reader, writer, path) + self.fields(reader, writer, path)
        if isinstance(reader, Enum) and isinstance(writer, Enum):
            return self.names(reader, writer, path) + self.symbols(reader, writer, path)
        if isinstance(reader, Fixed) and isinstance(writer, Fixed):
            return self.names(reader, writer, path) + self.sizes(reader, writer, path)
        if isinstance(reader, Array) and isinstance(writer, Array):
            return self.types(reader.items, writer.items, (*path, "items"))
        if isinstance(reader, Map) and isinstance(writer, Map):
            return self.types(reader.values, writer.values, (*path, "values"))
        if reader.kind == writer.kind or writer.kind in _PROMOTED.get(reader.kind, _NOTHING):
            return []
        return [self.type_mismatch(reader, writer, path)]

    def writer_union(self, reader: AvroType, writer: Union, path: _Path) -> list[Incompatibility]:
        found: list[Incompatibility] = []
        for at, branch in enumerate(writer.branches):
            if not isinstance(reader, Union):
                found += self.types(reader, branch, (*path, str(at)))
            elif all(self.types(each, branch, path) for each in reader.branches):
                found.append(self.missing_branch(branch, (*path, str(at))))
        return found

    def names(self, reader: Named, writer: Named, path: _Path) -> list[Incompatibility]:
        if reader.name.simple == writer.name.simple or writer.name in reader.aliases:
            return []
        where = _text((*path, "name"))
        message = (
            f"at {where} the {self.roles.reader} schema has the name {reader.name.full},"
            f" the {self.roles.writer} one {writer.name.full}, which is none of its aliases"
        )
        return [Incompatibility("NAME_MISMATCH", where, message, f"expected: {writer.name.full}")]

    def fields(self, reader: Record, writer: Record, path: _Path) -> list[Incompatibility]:
        found: list[Incompatibility] = []
        for at, each in enumerate(reader.fields):
            written = writer.by_name.get(each.name) or _by_alias(each, writer)
            if written is not None:
                kept = shape(each.type)
                if kept == NO_SHAPE or kept != shape(written.type):
                    found += self.types(each.type, written.type, (*path, "fields", str(at), "type"))
            elif each.has_default:
                continue
            elif isinstance(each.type, Enum) and each.type.default is not None:
                # Avro 1.12 compares the enum with the whole record here (seen in its answers).
                found += self.types(each.type, writer, (*path, "fields", str(at), "type"))
            else:
                found.append(self.missing_field(each, (*path, "fields", str(at))))
        return found

    def symbols(self, reader: Enum, writer: Enum, path: _Path) -> list[Incompatibility]:
        missing = sorted(set(writer.symbols) - set(reader.symbols))
        if not missing or reader.default is not None:
            return []
        where, names = _text((*path, "symbols")), ", ".join(missing)
        message = (
            f"the enum at {where} of the {self.roles.reader} schema lacks"
            f" {names} of the {self.roles.writer} one"
        )
        return [Incompatibility("MISSING_ENUM_SYMBOLS", where, message, f"[{names}]")]

    def sizes(self, reader: Fixed, writer: Fixed, path: _Path) -> list[Incompatibility]:
        if reader.size == writer.size:
            return []
        where = _text((*path, "size"))
        message = (
            f"the fixed type at {where} has {reader.size} bytes in the {self.roles.reader} schema"
            f" and {writer.size} in the {self.roles.writer} one"
        )
        sizes = f"expected: {writer.size}, found: {reader.size}"
        return [Incompatibility("FIXED_SIZE_MISMATCH", where, message, sizes)]

    def missing_field(self, each: Field, path: _Path) -> Incompatibility:
        where = _text(path)
        message = (
            f"the field {each.name!r} at {where} of the {self.roles.reader} schema has no default value"
            f" and is missing in the {self.roles.writer} one"
        )
        return Incompatibility("READER_FIELD_MISSING_DEFAULT_VALUE", where, message, each.name)

    def missing_branch(self, writer: AvroType, path: _Path) -> Incompatibility:
        where = _text(path)
        message = (
            f"the union at {where} of the {self.roles.reader} schema has no branch for {_called(writer)}"
            f" of the {self.roles.writer} one"
        )
        lacking = f"reader union lacking writer type: {_java_kind(writer)}"
        return Incompatibility("MISSING_UNION_BRANCH", where, message, lacking)

    def type_mismatch(self, reader: AvroType, writer: AvroType, path: _Path) -> Incompatibility:
        where = _text(path)
        message = (
            f"the type at {where} is {_called(reader)} in the {self.roles.reader} schema,"
            f" which does not read {_called(writer)} of the {self.roles.writer} one"
        )
        kinds = f"reader type: {_java_kind(reader)} not compatible with writer type: {_java_kind(writer)}"
        return Incompatibility("TYPE_MISMATCH", where, message, kinds)


def _by_alias(reader: Field, writer: Record) -> Field | None:
    return next((writer.by_name[alias] for alias in reader.aliases if alias in writer.by_name), None)


def _text(path: _Path) -> str:
    return "/" + "/".join(path)


def _called(kind: AvroType) -> str:
    return f"{kind.kind} {kind.name.full}" if isinstance(kind, Named) else kind.kind


def _java_kind(kind: AvroType) -> str:
    return "RECORD" if kind.kind == "error" else kind.kind.upper()
