"""A record from the JSON of a request to the producer."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from barnabas._core import RecordTarget
from barnabas.http.errors import HttpError
from barnabas.http.response import json_bytes
from barnabas.rest import fields
from barnabas.rest.errors import payload_error
from barnabas.rest.times import milliseconds
from barnabas.rest.values import EMBEDDED, WITH_SCHEMA, Written, base64_bytes, plain

if TYPE_CHECKING:
    from barnabas._core import RecordMetadata
    from barnabas.aio.producer import Producer
    from barnabas.rest.cluster import Counts
    from barnabas.rest.registry import RegistryAt
    from barnabas.rest.schemas import Schemas, Wanted

HEADERS_MAX = 1_000


@dataclass(slots=True)
class Offered:
    """A record that is ready to be sent."""

    key: Written | None
    value: Written | None
    partition: int | None
    timestamp: int
    headers: list[tuple[str, bytes | None]]


class Sender:
    """Sends records for one principal."""

    def __init__(self, producer: Producer, registry: RegistryAt | None, counts: Counts) -> None:
        """`registry`: for records with schemas, if there is one."""
        self._counts = counts
        self._producer = producer
        self._registry = registry
        self._schemas: Schemas | None = None

    @property
    def schemas(self) -> Schemas:
        """What writes with schemas."""
        if self._schemas is None:
            if self._registry is None:
                raise HttpError(422, "No Schema Registry is configured for this proxy", 42207)
            from barnabas.rest.schemas import Schemas

            self._schemas = Schemas(self._registry)
        return self._schemas

    def target(self, cluster_id: str, topic: str) -> RecordTarget | None:
        """Where records of a topic go without Python; None where they can't."""
        producer = self._producer._for_bytes()
        if producer is None:
            return None
        names = (json_bytes(cluster_id).decode(), json_bytes(topic).decode())
        return RecordTarget(producer, topic, names, self._counts.produced)

    async def send(self, topic: str, offered: Offered) -> asyncio.Future[RecordMetadata]:
        """Hands a record in; what comes back says where it lies, once it does."""
        self._counts.produced.note()
        return await self._producer.produce(
            topic,
            offered.value.data if offered.value else None,
            offered.key.data if offered.key else None,
            offered.partition,
            offered.timestamp,
            offered.headers or None,
        )

    async def with_schema(self, topic: str, is_key: bool, wanted: Wanted, value: Any) -> Written:
        """A key or value under a schema. `null` is null, without asking for one."""
        return (await self.all_with_schema(topic, is_key, wanted, [value]))[0]

    async def all_with_schema(
        self, topic: str, is_key: bool, wanted: Wanted, values: list[Any]
    ) -> list[Written]:
        """Keys or values under one schema."""
        null = Written(None, None)
        if all(value is None for value in values):
            return [null] * len(values)
        schemas = self.schemas

        def write() -> list[Written]:
            chosen = schemas.choose(topic, is_key, wanted)
            return [null if value is None else schemas.write(value, chosen) for value in values]

        return await asyncio.to_thread(write)


async def offered_of(sender: Sender, topic: str, body: dict[str, Any]) -> Offered:
    """The record that a body of API v3 stands for."""
    partition = fields.number(body, "partition_id")
    if partition is not None and partition < 0:
        raise HttpError(400, "partition_id must not be negative")
    stamp = body.get("timestamp")
    return Offered(
        await _written(sender, topic, body, "key"),
        await _written(sender, topic, body, "value"),
        partition,
        int(time.time() * 1000) if stamp is None else milliseconds(stamp, "timestamp"),
        headers_of(body),
    )


def headers_of(body: dict[str, Any]) -> list[tuple[str, bytes | None]]:
    """The headers of a record."""
    if body.get("headers") is None:
        return []
    found: list[tuple[str, bytes | None]] = []
    for one in fields.objects_of(body, "headers"):
        value = one.get("value")
        data = None if value is None else base64_bytes(value, "A header's value")
        found.append((fields.needed_text(one, "name"), data))
    if len(found) > HEADERS_MAX:
        raise payload_error(f"A record has more than {HEADERS_MAX} headers")
    return found


async def _written(sender: Sender, topic: str, body: dict[str, Any], which: str) -> Written | None:
    """The key or the value, if the body has it."""
    given = body.get(which)
    if given is None:
        return None
    part = fields.object_of(given, which)
    kind = (fields.text(part, "type") or "").upper() or None
    if kind in EMBEDDED:
        return plain(kind, part.get("data"), f"{which}.data")
    if kind is not None and kind not in WITH_SCHEMA:
        raise HttpError(400, f"{which}.type must be one of {', '.join(EMBEDDED + WITH_SCHEMA)}")
    from barnabas.rest.schemas import Wanted

    wanted = Wanted(
        kind,
        fields.text(part, "schema"),
        fields.number(part, "schema_id"),
        fields.number(part, "schema_version"),
        fields.text(part, "subject"),
        (fields.text(part, "subject_name_strategy") or "TOPIC_NAME").upper(),
    )
    return await sender.with_schema(topic, which == "key", wanted, part.get("data"))
