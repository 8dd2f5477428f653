"""Reads options: their names, and values down to whole messages in text format."""

from barnabas.schema_registry.formats.model import NESTING_MAX
from barnabas.schema_registry.formats.protobuf.nodes import Aggregate, Constant, Listed, Option, OptionValue
from barnabas.schema_registry.formats.protobuf.reader import TokenReader


class OptionReader:
    """Reads options where a TokenReader stands."""

    def __init__(self, reader: TokenReader) -> None:
        self.read = reader

    def statement(self) -> Option:
        """What follows the word `option`, the semicolon included."""
        option = self.option()
        self.read.expect(";")
        return option

    def bracketed(self) -> list[Option]:
        """A list in brackets, or none."""
        found: list[Option] = []
        if self.read.skip("["):
            found.append(self.option())
            while self.read.skip(","):
                found.append(self.option())
            self.read.expect("]")
        return found

    def option(self) -> Option:
        """One name and its value."""
        name = self._name_part()
        while self.read.skip("."):
            name += "." + self._name_part()
        self.read.expect("=")
        return Option(name, self._value(0))

    def _name_part(self) -> str:
        if not self.read.skip("("):
            return self.read.word("an option's name")
        name = self.read.type_name()
        self.read.expect(")")
        return f"({name})"

    def _value(self, depth: int) -> OptionValue:
        if depth > NESTING_MAX:
            raise self.read.error(f"an option's value is nested deeper than {NESTING_MAX} levels")
        if self.read.next.kind == "string":
            return Constant("string", self.read.string())
        if self.read.skip("{"):
            return self._aggregate("}", depth)
        if self.read.skip("<"):
            return self._aggregate(">", depth)
        if self.read.skip("["):
            return self._list(depth)
        sign = "-" if self.read.skip("-") else ""
        if not sign:
            self.read.skip("+")
        token = self.read.next
        if token.kind not in ("word", "number"):
            raise self.read.error(f"expected an option's value, found {token.text[:40]!r}")
        self.read.at += 1
        kind = "number" if token.kind == "number" or sign else "word"
        return Constant(kind, sign + token.text)

    def _list(self, depth: int) -> Listed:
        values: list[OptionValue] = []
        while not self.read.skip("]"):
            if values:
                self.read.expect(",")
            values.append(self._value(depth + 1))
        return Listed(tuple(values))

    def _aggregate(self, end: str, depth: int) -> Aggregate:
        entries: list[tuple[str, OptionValue]] = []
        while not self.read.skip(end):
            key = self._key()
            if not self.read.skip(":") and self.read.next.text not in ("{", "<"):
                raise self.read.error(f"expected ':' after {key!r}")
            entries.append((key, self._value(depth + 1)))
            if not self.read.skip(","):
                self.read.skip(";")
        return Aggregate(tuple(entries))

    def _key(self) -> str:
        if not self.read.skip("["):
            return self.read.word("a field's name")
        name = self.read.full_name()
        if self.read.skip("/"):
            name += "/" + self.read.full_name()
        self.read.expect("]")
        return f"[{name}]"
