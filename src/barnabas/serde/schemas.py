"""What the serdes of Avro, JSON Schema and Protobuf have in common: which schema is used, either way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import Any, ClassVar, Generic, Literal, TypeVar

from barnabas.serde.base import Headers, SerializationError
from barnabas.serde.contract import Contract, Mode
from barnabas.serde.registry import Registered, Schema, SchemaRegistry
from barnabas.serde.rules import Rules, Walk, shared_rules
from barnabas.serde.schema_ids import KEY_HEADER, VALUE_HEADER, SchemaId, read_id, written_guid, written_id
from barnabas.serde.subjects import SubjectStrategy, topic_name

T = TypeVar("T")

Use = Literal["register", "known", "latest"] | int
"""Which schema values are written with: the serde's own, registered if it isn't yet (`register`) or looked up
among the subject's versions (`known`); the subject's `latest`; or that of an id."""


class SchemaSerde(ABC, Generic[T]):
    """Writes values with a schema of a registry, and reads them with the one that they were written with."""

    schema_type: ClassVar[str]
    # Whether message indexes follow the id.
    indexed: ClassVar[bool] = False

    def __init__(
        self,
        registry: SchemaRegistry | str,
        *,
        is_key: bool = False,
        use: Use = "register",
        strategy: SubjectStrategy = topic_name,
        normalize: bool = False,
        id_in_header: bool = False,
        rules: Rules | None = None,
        migrate: bool = False,
    ) -> None:
        """`id_in_header` puts the schema's GUID into a header of the record, no id before the bytes. `rules`
        runs the rules of schemas. With `migrate` values are read as the subject's latest version, or the
        serde's own schema, has them, by the migration rules from one version to the next."""
        self.registry = SchemaRegistry(registry) if isinstance(registry, str) else registry
        self.is_key = is_key
        self.use = use
        self.strategy = strategy
        self.normalize = normalize
        self.id_in_header = id_in_header
        self.rules = shared_rules() if rules is None else rules
        self.migrate = migrate
        self._walks: dict[Schema, Walk] = {}

    def serialize(self, topic: str, value: T | None, headers: Headers = ()) -> bytes | None:
        """The bytes of a value, its schema's id before them. Headers are a list if the GUID goes there."""
        if value is None:
            return None
        registered = self._registered(topic, value)
        contract = registered.schema.contract
        if contract is None or not contract.has("WRITE", "domainRules", "encodingRules"):
            payload = self.encode(value, registered.schema)
        else:
            payload = self._ruled(topic, value, registered.schema, contract, headers)
        indexes = self.indexes(value) if self.indexed else None
        if not self.id_in_header:
            return written_id(registered.id, indexes) + payload
        if registered.guid is None:
            raise SerializationError("the schema registry tells no GUIDs, which the header would have")
        if not isinstance(headers, list):
            raise SerializationError("the schema's GUID goes into the headers, which are no list")
        name = KEY_HEADER if self.is_key else VALUE_HEADER
        headers.append((name, written_guid(registered.guid, indexes)))
        return payload

    def deserialize(self, topic: str, data: bytes | None, headers: Headers = ()) -> T | None:
        """The value that the bytes stand for."""
        if data is None:
            return None
        found, payload = read_id(data, headers, self.is_key, self.indexed)
        if found.id is not None:
            schema = self.registry.by_id(found.id)
        else:
            assert found.guid is not None
            schema = self.registry.by_guid(found.guid)
        if schema.type != self.schema_type:
            raise SerializationError(
                f"the value was written with a schema of {schema.type}, not of {self.schema_type}"
            )
        contract = schema.contract
        ruled = contract is not None and contract.has("READ", "domainRules", "encodingRules")
        if not ruled and not self.migrate:
            return self.decode(payload, schema, found)
        return self._unruled(topic, data, payload, schema, found, headers)

    def _walk(self, schema: Schema) -> Walk:
        walk = self._walks.get(schema)
        if walk is None:
            walk = self._walks[schema] = self.walk_of(schema)
        return walk

    def _ruled(self, topic: str, value: T, schema: Schema, contract: Contract, headers: Headers) -> bytes:
        """The payload of a value, its rules run."""
        subject = self.strategy(topic, self.is_key, self.record_name(value))
        run = partial(
            self.rules.run,
            contract=contract,
            registry=self.registry,
            topic=topic,
            subject=subject,
            is_key=self.is_key,
            headers=headers,
            original=self.copied(value),
        )
        changed: Any = value
        if contract.has("WRITE", "domainRules"):
            changed = run("domainRules", "WRITE", self.copied(value), walk=self._walk(schema))
        payload = None if changed is None else run("encodingRules", "WRITE", self.encode(changed, schema))
        if payload is None:
            raise SerializationError("the schema's rules left nothing of the value")
        return bytes(payload)

    def _unruled(
        self, topic: str, data: bytes, payload: bytes, schema: Schema, found: SchemaId, headers: Headers
    ) -> T:
        """The value of a payload, rules of its schema run, or made one of another version before."""
        subject = self.strategy(topic, self.is_key, self.schema_name(schema, found))
        run = partial(
            self.rules.run,
            registry=self.registry,
            topic=topic,
            subject=subject,
            is_key=self.is_key,
            headers=headers,
            original=data,
        )
        if schema.contract is not None:
            payload = run("encodingRules", "READ", payload, schema.contract)
        target, steps = self._steps(subject, schema) if self.migrate else (schema, [])
        value = self.read(payload, schema, found)
        if steps:
            value = self.as_json(value)
            for mode, contract in steps:
                value = run("migrationRules", mode, value, contract)
            value = self.of_json(value, target, found)
        elif target is not schema:
            value = self.resolved(value, schema, target, found)
        if target.contract is not None and target.contract.has("READ", "domainRules"):
            value = run("domainRules", "READ", value, target.contract, walk=self._walk(target))
        if value is None:
            raise SerializationError("the schema's rules left nothing of the value")
        own = None if self.migrate else self.own_schema()
        return self.make(value if own is None else self.resolved(value, target, own, found), target)

    def _steps(self, subject: str, schema: Schema) -> tuple[Schema, list[tuple[Mode, Contract]]]:
        """The version that values are wanted in, and the rules on the way there from the one they have."""
        own = self.own_schema()
        target = (
            self.registry.latest(subject).schema
            if own is None or self.use == "latest"
            else self.registry.look_up(subject, own, self.normalize).schema
        )
        start, end = self.registry.version_of(subject, schema), self.registry.version_of(subject, target)
        # The rules between two versions are the later one's, whichever way they are gone.
        mode: Mode = "UPGRADE" if start < end else "DOWNGRADE"
        passed = range(start + 1, end + 1) if start < end else range(start, end, -1)
        contracts = [self.registry.version(subject, number).contract for number in passed]
        return target, [(mode, each) for each in contracts if each and each.has(mode, "migrationRules")]

    def _registered(self, topic: str, value: T) -> Registered:
        if isinstance(self.use, int):
            schema = self.registry.by_id(self.use)
            return Registered(self.use, None, schema)
        subject = self.strategy(topic, self.is_key, self.record_name(value))
        if self.use == "latest":
            return self.registry.latest(subject)
        schema = self.schema_of(value, topic)
        if self.use == "known":
            return self.registry.look_up(subject, schema, self.normalize)
        return self.registry.register(subject, schema, self.normalize)

    @abstractmethod
    def schema_of(self, value: T, topic: str) -> Schema:
        """The schema that a value is registered with."""

    @abstractmethod
    def record_name(self, value: T) -> str | None:
        """The name of what the value is, for strategies that ask for it."""

    @abstractmethod
    def encode(self, value: T, schema: Schema) -> bytes:
        """The payload of a value under a schema."""

    def decode(self, payload: bytes, schema: Schema, found: SchemaId) -> T:
        """The value of a payload that was written under a schema."""
        return self.make(self.read(payload, schema, found), schema)

    @abstractmethod
    def read(self, payload: bytes, schema: Schema, found: SchemaId) -> Any:
        """A payload as it was written: plain values, or a message."""

    @abstractmethod
    def make(self, value: Any, schema: Schema) -> T:
        """What users get of what was read."""

    @abstractmethod
    def own_schema(self) -> Schema | None:
        """The serde's own schema, if it has one before it sees a value."""

    @abstractmethod
    def schema_name(self, schema: Schema, found: SchemaId) -> str | None:
        """The name of what a schema describes, for strategies that ask for it."""

    @abstractmethod
    def walk_of(self, schema: Schema) -> Walk:
        """What goes through the fields of values of a schema; made once for each."""

    @abstractmethod
    def copied(self, value: T) -> Any:
        """A copy of a value for rules to change."""

    def resolved(self, value: Any, writer: Schema, reader: Schema, found: SchemaId) -> Any:
        """A value of one schema as another has it."""
        return value

    def as_json(self, value: Any) -> Any:
        """What was read, as migration rules see it."""
        return value

    def of_json(self, value: Any, schema: Schema, found: SchemaId) -> Any:
        """A value again, of what migration rules have made."""
        return value

    def indexes(self, value: T) -> tuple[int, ...]:
        """Where in its file a message stands."""
        raise NotImplementedError(f"{type(value).__name__} has no message indexes")


class LibraryMissing(SerializationError):
    """What reads and writes a format is not installed."""


def missing(package: str, extra: str) -> LibraryMissing:
    """The error where a library is not installed."""
    return LibraryMissing(f"{package} is not installed: pip install 'barnabas[{extra}]'")


def name_in_text(name: Any) -> str | None:
    """A name if it is one."""
    return name if isinstance(name, str) else None
