"""What a registry holds: schemas, and the versions of subjects under which they are registered."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from barnabas.schema_registry.guid import guid_of
from barnabas.schema_registry.records import UnreadableRecord

NO_GUID = bytes(16)


class Reference(NamedTuple):
    """A schema that another refers to by `name`: a version of a subject."""

    name: str
    subject: str
    version: int

    def told(self) -> dict[str, Any]:
        """As it stands in records and responses."""
        return {"name": self.name, "subject": self.subject, "version": self.version}


@dataclass(frozen=True, slots=True)
class Schema:
    """What an id stands for. Two are the same when type and GUID are."""

    schema_type: str
    text: str
    references: tuple[Reference, ...] = ()
    metadata: Mapping[str, Any] | None = None
    rule_set: Mapping[str, Any] | None = None
    guid: bytes = NO_GUID

    @staticmethod
    def of(
        schema_type: str,
        text: str,
        references: tuple[Reference, ...] = (),
        metadata: Mapping[str, Any] | None = None,
        rule_set: Mapping[str, Any] | None = None,
    ) -> Schema:
        """The schema with these parts, and its GUID."""
        guid = guid_of(text, references, metadata, rule_set)
        return Schema(schema_type, text, references, metadata, rule_set, guid)

    @property
    def identity(self) -> tuple[str, bytes]:
        """What tells two schemas apart."""
        return self.schema_type, self.guid

    def told(self) -> dict[str, Any]:
        """Its members in responses, in their order."""
        digits = self.guid.hex()
        parts = digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]
        guid = "-".join(parts)
        members: dict[str, Any] = {"guid": guid, "schemaType": self.schema_type}
        if self.references:
            members["references"] = [reference.told() for reference in self.references]
        if self.metadata is not None:
            members["metadata"] = self.metadata
        if self.rule_set is not None:
            members["ruleSet"] = self.rule_set
        members["schema"] = self.text
        return members


@dataclass(frozen=True, slots=True)
class Version:
    """A schema under a version of a subject."""

    subject: str
    number: int
    id: int
    schema: Schema
    deleted: bool = False
    timestamp: int | None = None
    """When its record was written, in milliseconds since the Unix epoch."""

    def told(self) -> dict[str, Any]:
        """As it stands in responses."""
        members = {"subject": self.subject, "version": self.number, "id": self.id, **self.schema.told()}
        if self.timestamp is not None:
            members["ts"] = self.timestamp
        members["deleted"] = self.deleted
        return members

    def at(self, timestamp: int | None) -> Version:
        """It, registered at this time."""
        return Version(self.subject, self.number, self.id, self.schema, self.deleted, timestamp)

    def record_value(self) -> dict[str, Any]:
        """The value of its record in `_schemas`."""
        schema = self.schema
        value: dict[str, Any] = {
            "subject": self.subject,
            "version": self.number,
            "id": self.id,
            "md5": base64.b64encode(schema.guid).decode(),
        }
        # Readers of before there were types know Avro only, and want no such member.
        if schema.schema_type != "AVRO":
            value["schemaType"] = schema.schema_type
        if schema.references:
            value["references"] = [reference.told() for reference in schema.references]
        if schema.metadata is not None:
            value["metadata"] = schema.metadata
        if schema.rule_set is not None:
            value["ruleSet"] = schema.rule_set
        value["schema"] = schema.text
        value["deleted"] = self.deleted
        return value


def version_of(value: Mapping[str, Any], timestamp: int | None) -> Version:
    """The version that a record's value tells of. Raises UnreadableRecord."""
    try:
        subject, number, identifier, text = value["subject"], value["version"], value["id"], value["schema"]
        references: tuple[Reference, ...] = ()
        if referred := value.get("references"):
            references = tuple(Reference(each["name"], each["subject"], each["version"]) for each in referred)
        well_typed = (
            isinstance(subject, str)
            and isinstance(number, int)
            and isinstance(identifier, int)
            and isinstance(text, str)
        )
        if not well_typed:
            raise UnreadableRecord("subject, version, id or schema of the value is of a wrong type")
        contracts = value.get("metadata"), value.get("ruleSet")
        guid = _written_guid(value) or guid_of(text, references, *contracts)
        schema = Schema(value.get("schemaType") or "AVRO", text, references, *contracts, guid)
        return Version(subject, number, identifier, schema, bool(value.get("deleted")), timestamp)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise UnreadableRecord(f"the value of a schema lacks something: {error!r}") from error


def _written_guid(value: Mapping[str, Any]) -> bytes | None:
    """The GUID that the record has; older ones have none."""
    try:
        guid = binascii.a2b_base64(value["md5"], strict_mode=True)
    except (KeyError, TypeError, ValueError):
        return None
    return guid if len(guid) == len(NO_GUID) else None
