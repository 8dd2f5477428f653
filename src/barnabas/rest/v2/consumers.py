"""Consumer instances, as clients ask for them."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import quote

from barnabas._core import Record
from barnabas.clients.consumer_types import OffsetAndMetadata, TopicPartition
from barnabas.http.errors import HttpError
from barnabas.http.request import Request, parsed_number
from barnabas.http.response import Response
from barnabas.http.routes import Routes
from barnabas.http.serving import Handler
from barnabas.rest import fields
from barnabas.rest.asking import Part, done
from barnabas.rest.decoding import Decoder, headers_json
from barnabas.rest.places import base_url
from barnabas.rest.times import milliseconds
from barnabas.rest.v2.asking import (
    FORMATS,
    answer,
    body_or_empty,
    format_media_type,
    formats_accepted,
    telling,
)
from barnabas.rest.v2.instances import Instance, Instances, illegal_state, instance_not_found
from barnabas.serde.base import SerializationError

GROUP = "/consumers/{group}"
INSTANCE = f"{GROUP}/instances/{{instance}}"
TIMEOUT_MS = 1_000
TIMEOUT_MS_MAX = 50_000
BYTES_MAX = 16 * 1024 * 1024
"""Bytes of a response's keys and values; fewer where the client says so."""
LISTED_MAX = 10_000
NAME_LENGTH_MAX = 250
RESETS = ("earliest", "latest", "none")


class Consumers(Part):
    """The operations on consumer instances."""

    def add_to(self, routes: Routes[Handler]) -> None:
        for method, path, operation in (
            ("POST", GROUP, self.create),
            ("DELETE", INSTANCE, self.delete),
            ("POST", f"{INSTANCE}/subscription", self.subscribe),
            ("GET", f"{INSTANCE}/subscription", self.subscription),
            ("DELETE", f"{INSTANCE}/subscription", self.unsubscribe),
            ("POST", f"{INSTANCE}/assignments", self.assign),
            ("GET", f"{INSTANCE}/assignments", self.assignments),
            ("GET", f"{INSTANCE}/records", self.records),
            ("POST", f"{INSTANCE}/offsets", self.commit),
            ("GET", f"{INSTANCE}/offsets", self.committed),
            ("POST", f"{INSTANCE}/positions", self.seek),
            ("POST", f"{INSTANCE}/positions/beginning", self.seek_to_beginning),
            ("POST", f"{INSTANCE}/positions/end", self.seek_to_end),
        ):
            routes.add(method, path, telling(operation))

    async def create(self, request: Request) -> Response:
        """Makes an instance."""
        instance = _instance(request.path["group"], body_or_empty(request))
        self._instances(request).add(instance)
        path = f"consumers/{quote(instance.group, safe='')}/instances/{quote(instance.name, safe='')}"
        return answer({"instance_id": instance.name, "base_uri": f"{base_url(request)}/{path}"})

    async def delete(self, request: Request) -> Response:
        """Ends an instance."""
        instances = self._instances(request)
        await instances.remove(instances.find(request.path["group"], request.path["instance"]))
        return done()

    async def subscribe(self, request: Request) -> Response:
        """Has an instance read topics, as a member of its group."""
        body = request.json_object()
        topics, pattern = body.get("topics"), fields.text(body, "topic_pattern")
        if (topics is None) == (pattern is None):
            raise illegal_state("a subscription is either to topics or to a topic_pattern")
        if topics is not None and not (
            isinstance(topics, list) and all(isinstance(one, str) for one in topics)
        ):
            raise HttpError(422, "topics must be a list of names", 42206)
        async with self._using(request) as instance:
            try:
                wanted = re.compile(pattern) if pattern is not None else topics
                self._instances(request).subscribe(instance, wanted or [])
            except re.error as error:
                raise HttpError(422, f"topic_pattern is no pattern: {error}", 42206) from error
            except ValueError as error:
                raise illegal_state(str(error)) from error
        return done()

    async def subscription(self, request: Request) -> Response:
        """What an instance is subscribed to."""
        async with self._using(request) as instance:
            found = instance.consumer.subscription() if instance.consumer else None
            if isinstance(found, re.Pattern):
                found = sorted({topic for topic, _, _ in instance.connected().assignment()})
            return answer({"topics": found or []})

    async def unsubscribe(self, request: Request) -> Response:
        """Has an instance read nothing."""
        async with self._using(request) as instance:
            instance.ahead.clear()
            if instance.consumer is not None:
                await instance.consumer.unsubscribe()
        return done()

    async def assign(self, request: Request) -> Response:
        """Has an instance read partitions, whatever others read."""
        wanted = _partitions(request.json_object())
        async with self._using(request) as instance:
            try:
                self._instances(request).connect(instance).assign(wanted)
            except ValueError as error:
                raise illegal_state(str(error)) from error
            instance.forget({(one.topic, one.partition) for one in instance.ahead} - set(wanted))
        return done()

    async def assignments(self, request: Request) -> Response:
        """What an instance reads."""
        async with self._using(request) as instance:
            found = instance.consumer.assignment() if instance.consumer else []
            return answer({"partitions": [{"topic": one.topic, "partition": one.partition} for one in found]})

    async def records(self, request: Request) -> Response:
        """Records that have come."""
        timeout = _limit(request, "timeout", None, TIMEOUT_MS_MAX)
        bytes_max = _limit(request, "max_bytes", BYTES_MAX, BYTES_MAX)
        async with self._using(request) as instance:
            accepted = formats_accepted(request)
            if accepted is not None and instance.format not in accepted:
                raise HttpError(
                    406,
                    "The requested embedded data format does not match the deserializer of this consumer "
                    f"instance, which is {instance.format}.",
                    40601,
                )
            limit = min(instance.request_timeout_ms, TIMEOUT_MS_MAX) if timeout is None else timeout
            found = await instance.fetch(limit, BYTES_MAX if bytes_max is None else bytes_max)
            self._clusters.first(request).counts.consumed += len(found)
            decoder = Decoder(self._clusters.first(request).sender, instance.format.upper())
            more = request.flag("timestamps"), request.flag("headers")

            def told() -> list[dict[str, Any]]:
                return [_record_data(decoder, record, *more) for record in found]

            data = await asyncio.to_thread(told) if decoder.may_wait else told()
            return answer(data, format_media_type(instance.format))

    async def commit(self, request: Request) -> Response:
        """Commits offsets, or everything that was given out."""
        body = body_or_empty(request)
        offsets = None
        if body.get("offsets") is not None:
            offsets = {
                TopicPartition(*_place(one)): OffsetAndMetadata(
                    # The offset that is given is that of the last record worked on.
                    _offset(one) + 1,
                    metadata=fields.text(one, "metadata") or "",
                )
                for one in fields.objects_of(body, "offsets")
            }
        async with self._using(request) as instance:
            await instance.commit(dict(offsets) if offsets is not None else None)
        return answer({})

    async def committed(self, request: Request) -> Response:
        """What the group has committed."""
        wanted = _partitions(request.json_object())
        async with self._using(request) as instance:
            consumer = self._instances(request).connect(instance)
            found = await consumer.committed(wanted)
        offsets = [
            {
                "topic": at.topic,
                "partition": at.partition,
                "offset": one.offset,
                "metadata": one.metadata,
            }
            for at, one in found.items()
            if one is not None
        ]
        return answer({"offsets": offsets})

    async def seek(self, request: Request) -> Response:
        """Has an instance go on elsewhere: at offsets, or at times."""
        body = request.json_object()
        offsets = [
            (*_place(one), _offset(one))
            for one in (fields.objects_of(body, "offsets") if body.get("offsets") is not None else ())
        ]
        times = [
            (*_place(one), milliseconds(one.get("timestamp"), "timestamp"))
            for one in (fields.objects_of(body, "timestamps") if body.get("timestamps") is not None else ())
        ]
        async with self._using(request) as instance:
            consumer = instance.connected()
            with _assigned():
                for topic, partition, offset in offsets:
                    consumer.seek(topic, partition, offset)
                for topic, partition, moment in times:
                    consumer.seek_to_time(topic, partition, moment)
            instance.forget(one[:2] for one in (*offsets, *times))
        return done()

    async def seek_to_beginning(self, request: Request) -> Response:
        """Has an instance go on at the first records there are."""
        return await self._seek_to(request, "seek_to_beginning")

    async def seek_to_end(self, request: Request) -> Response:
        """Has an instance go on with what is written from now on."""
        return await self._seek_to(request, "seek_to_end")

    async def _seek_to(self, request: Request, end: str) -> Response:
        wanted = _partitions(request.json_object())
        async with self._using(request) as instance:
            consumer = instance.connected()
            with _assigned():
                for place in wanted:
                    getattr(consumer, end)(*place)
            instance.forget(wanted)
        return done()

    def _instances(self, request: Request) -> Instances:
        return self._clusters.first(request).instances

    @asynccontextmanager
    async def _using(self, request: Request) -> AsyncIterator[Instance]:
        """The instance that a path names, for this request alone."""
        instances = self._instances(request)
        instance = instances.find(request.path["group"], request.path["instance"])
        async with instance.lock:
            if instance.closed:
                raise instance_not_found()
            try:
                yield instance
            finally:
                instance.asked_at = time.monotonic()


@contextmanager
def _assigned() -> Iterator[None]:
    """What is done to partitions that the instance does not read is a contradiction."""
    try:
        yield
    except ValueError as error:
        raise illegal_state(str(error)) from error


def _instance(group: str, body: dict[str, Any]) -> Instance:
    """The instance that a body asks for."""
    kind = (fields.text(body, "format") or "binary").lower()
    if kind not in FORMATS:
        raise _invalid_config(f"format must be one of {', '.join(FORMATS)}")
    name = fields.text(body, "name") or fields.text(body, "id") or f"rest-consumer-{uuid.uuid4()}"
    if not group or not 0 < len(name) <= NAME_LENGTH_MAX:
        raise _invalid_config("a consumer needs a group and a name")
    reset = (fields.text(body, "auto.offset.reset") or "latest").lower()
    if reset not in RESETS:
        raise _invalid_config(f"auto.offset.reset must be one of {', '.join(RESETS)}")
    timeout = fields.number(body, "consumer.request.timeout.ms")
    return Instance(
        group,
        name,
        kind,
        {
            "group.id": group,
            "client.id": name,
            "auto.offset.reset": reset,
            "enable.auto.commit": False,
        },
        commits_itself=(fields.value_text(body, "auto.commit.enable") or "true").lower() == "true",
        request_timeout_ms=TIMEOUT_MS if timeout is None or timeout < 0 else timeout,
        bytes_min=fields.number(body, "fetch.min.bytes") or 0,
    )


def _invalid_config(message: str) -> HttpError:
    return HttpError(422, f"Invalid consumer configuration: {message}", 42204)


def _partitions(body: dict[str, Any]) -> list[tuple[str, int]]:
    found = [_place(one) for one in fields.objects_of(body, "partitions")]
    if len(found) > LISTED_MAX:
        raise HttpError(422, f"More than {LISTED_MAX} partitions", 42206)
    return found


def _place(body: dict[str, Any]) -> tuple[str, int]:
    partition = fields.needed_number(body, "partition")
    if partition < 0:
        raise HttpError(422, "partition must not be negative", 42206)
    return fields.needed_text(body, "topic"), partition


def _offset(body: dict[str, Any]) -> int:
    offset = fields.needed_number(body, "offset", fields.INT64_MAX)
    if not 0 <= offset < fields.INT64_MAX:
        raise HttpError(422, "offset must not be negative", 42206)
    return offset


def _limit(request: Request, name: str, default: int | None, largest: int) -> int | None:
    """A number in a query that bounds something; -1 leaves it to the proxy."""
    text = request.text(name)
    if text in ("", "-1"):
        return default
    number = parsed_number(text)
    if number is None or number < 0:
        raise HttpError(400, f"{name} must be a number, not {text[:100]!r}")
    return min(number, largest)


def _record_data(decoder: Decoder, record: Record, timestamps: bool, headers: bool) -> dict[str, Any]:
    where = f"{record.topic}-{record.partition}@{record.offset}"
    try:
        data = {
            "topic": record.topic,
            "key": decoder.key(record),
            "value": decoder.value(record),
            "partition": record.partition,
            "offset": record.offset,
        }
    except SerializationError as error:
        raise HttpError(422, f"Error deserializing {where}: {error}", 42207) from error
    # More than the published API has, for those who ask.
    if timestamps:
        data["timestamp"] = record.timestamp
    if headers:
        data["headers"] = headers_json(record)
    return data
