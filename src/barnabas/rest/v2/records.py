"""Records to a topic or a partition."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from barnabas.errors import BarnabasError
from barnabas.http.errors import HttpError
from barnabas.http.request import Request
from barnabas.http.response import Response
from barnabas.http.routes import Routes
from barnabas.http.serving import Handler
from barnabas.rest import fields
from barnabas.rest.asking import Part
from barnabas.rest.errors import FORBIDDEN, UNAUTHENTICATED, told
from barnabas.rest.fields import path_number
from barnabas.rest.producing import Offered, Sender, headers_of
from barnabas.rest.times import milliseconds
from barnabas.rest.v2.asking import (
    SCHEMA_FORMATS,
    answer,
    format_sent,
    partition_not_found,
    telling,
)
from barnabas.rest.values import Written, plain

if TYPE_CHECKING:
    from barnabas._core import RecordMetadata

RECORDS_MAX = 100_000
SCHEMA_MISSING = {
    "key": HttpError(422, "The request has keys, but no schema for them.", 42201),
    "value": HttpError(422, "The request has values, but no schema for them.", 42202),
}


class Records(Part):
    """The operations that write records."""

    def add_to(self, routes: Routes[Handler]) -> None:
        routes.add("POST", "/topics/{topic}", telling(self.to_topic))
        routes.add("POST", "/topics/{topic}/partitions/{partition}", telling(self.to_partition))

    async def to_topic(self, request: Request) -> Response:
        """Writes records, each to the partition that it names, or that its key has."""
        return await self._produce(request, None)

    async def to_partition(self, request: Request) -> Response:
        """Writes records to one partition."""
        number = path_number(request.path["partition"], "Partition")
        topic = request.path["topic"]
        found = await self._clusters.first(request).admin.describe_topics(topic)
        if all(one.partition != number for one in found[topic].partitions):
            raise partition_not_found()
        return await self._produce(request, number)

    async def _produce(self, request: Request, partition: int | None) -> Response:
        sender = self._clusters.first(request).sender
        topic = request.path["topic"]
        body = request.json_object()
        records = list(fields.objects_of(body, "records"))
        if len(records) > RECORDS_MAX:
            raise HttpError(422, f"More than {RECORDS_MAX} records", 42206)
        kind = format_sent(request)
        # All are looked at before the first is sent.
        keys = await _parts(sender, topic, "key", kind, body, records)
        values = await _parts(sender, topic, "value", kind, body, records)
        under_way: list[asyncio.Future[RecordMetadata] | HttpError] = []
        for record, key, value in zip(records, keys, values, strict=True):
            offered = _offered(record, key, value, partition)
            try:
                under_way.append(await sender.send(topic, offered))
            except BarnabasError as error:
                under_way.append(told(error))
        offsets = [await _offset(one) for one in under_way]
        response = answer(
            {
                "offsets": offsets,
                "key_schema_id": _schema_id(body, "key", keys),
                "value_schema_id": _schema_id(body, "value", values),
            }
        )
        refusals = {UNAUTHENTICATED: 401, FORBIDDEN: 403}
        response.status = refusals.get(offsets[0]["error_code"], 200) if offsets else 200
        return response


async def _parts(
    sender: Sender, topic: str, which: str, kind: str, body: dict[str, Any], records: list[dict[str, Any]]
) -> list[Written]:
    """The keys or the values of all records."""
    data = [record.get(which) for record in records]
    if kind not in SCHEMA_FORMATS:
        return [plain(kind.upper(), one, which) for one in data]
    if all(one is None for one in data):
        return [Written(None, None)] * len(data)
    from barnabas.rest.schemas import Wanted

    schema = fields.text(body, f"{which}_schema")
    schema_id = fields.number(body, f"{which}_schema_id")
    if schema is None and schema_id is None:
        raise SCHEMA_MISSING[which]
    wanted = Wanted(kind.upper(), schema, schema_id)
    return await sender.all_with_schema(topic, which == "key", wanted, data)


def _offered(record: dict[str, Any], key: Written, value: Written, partition: int | None) -> Offered:
    """Headers and time are more than the published API has."""
    own = fields.number(record, "partition")
    if own is not None and own < 0:
        raise HttpError(422, "partition must not be negative", 42206)
    stamp = record.get("timestamp")
    moment = int(time.time() * 1000) if stamp is None else milliseconds(stamp, "timestamp")
    return Offered(key, value, own if partition is None else partition, moment, headers_of(record))


async def _offset(under_way: asyncio.Future[RecordMetadata] | HttpError) -> dict[str, Any]:
    if isinstance(under_way, HttpError):
        why = under_way
    else:
        try:
            where = await under_way
        except BarnabasError as error:
            why = told(error)
        else:
            return {"partition": where.partition, "offset": where.offset, "error_code": None, "error": None}
    return {"partition": None, "offset": None, "error_code": why.code, "error": why.message}


def _schema_id(body: dict[str, Any], which: str, written: list[Written]) -> int | None:
    found = fields.number(body, f"{which}_schema_id")
    return next((one.schema_id for one in written if one.schema_id is not None), found)
