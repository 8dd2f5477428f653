"""What a .proto file says, as a tree. Type names stand as they are written; `link` says what they mean."""

from dataclasses import dataclass, field

NUMBER_MAX = 536_870_911
ENUM_NUMBER_MAX = 2_147_483_647

SCALARS = frozenset(
    {"double", "float", "bool", "string", "bytes", "fixed32", "fixed64", "sfixed32", "sfixed64"}
)
SCALARS |= {"int32", "int64", "uint32", "uint64", "sint32", "sint64"}


@dataclass(frozen=True, slots=True)
class Constant:
    """A single value of an option. `kind` is string, number or word (true, false, an enum's constant)."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A message as value of an option: its fields in their order."""

    entries: tuple[tuple[str, "OptionValue"], ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """Several values inside an aggregate."""

    values: tuple["OptionValue", ...]


OptionValue = Constant | Aggregate | Listed


@dataclass(frozen=True, slots=True)
class Option:
    """`name` is as written, with the parentheses round an extension's name."""

    name: str
    value: OptionValue


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `start` to `end`, both included; `single` if the text has one number only."""

    start: int
    end: int
    single: bool = False


@dataclass(slots=True)
class Reserved:
    """One `reserved` statement: ranges, or names."""

    ranges: list[Range] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Extensions:
    """One `extensions` statement."""

    ranges: list[Range]
    options: list[Option]


@dataclass(slots=True)
class Field:
    """A field. For a map `type` is that of its values, `key` that of its keys; a group has its message."""

    label: str | None
    type: str
    name: str
    number: int
    options: list[Option] = field(default_factory=list)
    key: str | None = None
    group: "Message | None" = None


@dataclass(slots=True)
class OneOf:
    """Fields of which one at most is set."""

    name: str
    fields: list[Field] = field(default_factory=list)
    options: list[Option] = field(default_factory=list)


@dataclass(slots=True)
class EnumConstant:
    name: str
    number: int
    options: list[Option] = field(default_factory=list)


@dataclass(slots=True)
class Enum:
    name: str
    constants: list[EnumConstant] = field(default_factory=list)
    reserved: list[Reserved] = field(default_factory=list)
    options: list[Option] = field(default_factory=list)
    visibility: str | None = None


@dataclass(slots=True)
class Extend:
    """Fields that are added to the message called `name`."""

    name: str
    fields: list[Field] = field(default_factory=list)


@dataclass(slots=True)
class Message:
    name: str
    fields: list[Field] = field(default_factory=list)
    oneofs: list[OneOf] = field(default_factory=list)
    reserved: list[Reserved] = field(default_factory=list)
    extensions: list[Extensions] = field(default_factory=list)
    options: list[Option] = field(default_factory=list)
    extends: list[Extend] = field(default_factory=list)
    messages: list["Message"] = field(default_factory=list)
    enums: list[Enum] = field(default_factory=list)
    visibility: str | None = None

    def all_fields(self) -> list[Field]:
        """Those of its oneofs too."""
        return self.fields + [each for oneof in self.oneofs for each in oneof.fields]


@dataclass(slots=True)
class Rpc:
    name: str
    request: str
    response: str
    request_streams: bool
    response_streams: bool
    options: list[Option] = field(default_factory=list)


@dataclass(slots=True)
class Service:
    name: str
    rpcs: list[Rpc] = field(default_factory=list)
    options: list[Option] = field(default_factory=list)


@dataclass(slots=True)
class ProtoFile:
    """One file. `syntax` is None if it says none (which means proto2); `edition` excludes it."""

    syntax: str | None = None
    edition: str | None = None
    package: str = ""
    imports: list[str] = field(default_factory=list)
    public_imports: list[str] = field(default_factory=list)
    options: list[Option] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    enums: list[Enum] = field(default_factory=list)
    extends: list[Extend] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)
