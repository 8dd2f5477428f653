"""What the type names in .proto files mean: finds them as protoc does, from the innermost scope outwards."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from barnabas.schema_registry.formats.model import InvalidSchema
from barnabas.schema_registry.formats.protobuf.nodes import SCALARS, Enum, Message, ProtoFile


@dataclass(frozen=True, slots=True)
class Symbol:
    """A message or an enum: its names with and without the package, and the path of the file it stands in."""

    full: str
    local: str
    node: Message | Enum
    path: str


@dataclass(slots=True)
class Linked:
    """A file and all types that it sees, by full name."""

    file: ProtoFile
    path: str
    symbols: dict[str, Symbol]
    # All files that it stands on, by path, itself not among them.
    files: Mapping[str, ProtoFile]
    # The other files as they see it themselves, as far as they were asked for.
    views: dict[str, "Linked"]
    _found: dict[tuple[str, str], Symbol | None] = field(default_factory=dict)

    def resolve(self, name: str, scope: str) -> Symbol | None:
        """What a type name means inside a scope (the full name of a message, or the package)."""
        key = name, scope
        if key not in self._found:
            self._found[key] = self._resolve(name, scope)
        return self._found[key]

    def _resolve(self, name: str, scope: str) -> Symbol | None:
        if name.startswith("."):
            return self.symbols.get(name[1:])
        while scope:
            if found := self.symbols.get(f"{scope}.{name}"):
                return found
            scope = scope.rpartition(".")[0]
        return self.symbols.get(name)

    def seen_from(self, path: str) -> "Linked":
        """The same for another of the files."""
        view = self.views.get(path)
        if view is None:
            view = self.views[path] = link(self.files[path], path, self.files, self.views)
        return view


def link(
    file: ProtoFile, path: str, files: Mapping[str, ProtoFile], views: dict[str, Linked] | None = None
) -> Linked:
    """Gathers what a file sees: its own types, those of its imports, and what these import publicly."""
    symbols: dict[str, Symbol] = {}
    seen = {path}
    waiting = [*file.imports, *file.public_imports]
    for symbol in symbols_of(file, path):
        _define(symbols, symbol)
    while waiting:
        imported = waiting.pop()
        if imported in seen:
            continue
        seen.add(imported)
        other = files.get(imported)
        if other is None:
            raise InvalidSchema(f"no reference is named {imported!r}, which {path or 'the schema'} imports")
        for symbol in symbols_of(other, imported):
            _define(symbols, symbol)
        waiting += other.public_imports
    linked = Linked(file, path, symbols, files, {} if views is None else views)
    linked.views[path] = linked
    return linked


def _define(symbols: dict[str, Symbol], symbol: Symbol) -> None:
    other = symbols.setdefault(symbol.full, symbol)
    if other is not symbol:
        raise InvalidSchema(f"{symbol.full} is defined twice")


def symbols_of(file: ProtoFile, path: str) -> Iterator[Symbol]:
    """All messages and enums of a file, the nested ones included."""
    prefix = f"{file.package}." if file.package else ""
    yield from _symbols(prefix, "", file.messages, file.enums, path)


def _symbols(
    prefix: str, outer: str, messages: Sequence[Message], enums: Sequence[Enum], path: str
) -> Iterator[Symbol]:
    for enum in enums:
        yield Symbol(f"{prefix}{outer}{enum.name}", f"{outer}{enum.name}", enum, path)
    for message in messages:
        local = f"{outer}{message.name}"
        yield Symbol(f"{prefix}{local}", local, message, path)
        yield from _symbols(prefix, f"{local}.", message.messages, message.enums, path)


def is_scalar(type_name: str) -> bool:
    """Whether it names a type of the language itself."""
    return type_name in SCALARS
