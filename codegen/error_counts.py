"""Which error codes of a response Apache Kafka counts (ErrorsPerSec).

Every field called ErrorCode counts, but for the exceptions of schemas/error_counts.txt.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from codegen.facts import facts
from codegen.model import Field, Message, SchemaError, Struct

ERROR_CODE = "ErrorCode"
RULES = ("always", "never", "errors", "in-version", "when-empty")


@dataclass(frozen=True)
class Counted:
    """A field that counts."""

    field: Field
    rule: str
    """`always`; `errors`: when it is not NONE; `in-version`: when the version has it; `when-empty`: when
    `array` has no element."""
    array: Field | None = None


@dataclass(frozen=True)
class ErrorCounts:
    """What is not as everywhere: by message, struct and field the rule and what it names."""

    exceptions: dict[tuple[str, str, str], tuple[str, str]]

    def of(self, message: Message, struct: Struct) -> list[Counted]:
        """The fields of a struct that count, in their order."""
        if message.kind != "response":
            return []
        found = []
        for item in struct.fields:
            plain = ("always" if item.name == ERROR_CODE else "never", "")
            rule, argument = self.exceptions.get((message.name, struct.name, item.name), plain)
            if rule != "never":
                array = next((other for other in struct.fields if other.name == argument), None)
                found.append(Counted(item, rule, array))
        return found


def load(schemas: Path, messages: list[Message]) -> ErrorCounts:
    """The exceptions; each must name an error code that there is."""
    structs = {
        (message.name, struct.name): struct for message in messages for struct in message.all_structs()
    }
    exceptions: dict[tuple[str, str, str], tuple[str, str]] = {}
    for line in facts(schemas / "error_counts.txt"):
        message, path, rule, *arguments = line.split()
        owner, _, name = path.rpartition(".")
        struct = structs.get((message, owner or message))
        fields = {item.name: item for item in struct.fields} if struct else {}
        if name not in fields or fields[name].type != "int16":
            raise SchemaError(f"{message} has no error code {path}")
        argument = arguments[0] if arguments else ""
        is_array = argument in fields and fields[argument].is_array
        if rule not in RULES or is_array != (rule == "when-empty"):
            raise SchemaError(f"{message} {path}: no such rule: {rule} {argument}")
        exceptions[message, owner or message, name] = (rule, argument)
    return ErrorCounts(exceptions)
