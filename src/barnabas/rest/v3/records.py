"""Records: one, several in a body one after the other, a batch, or a stream without an end.

Always true:
  replies come in the order of the records, one for each
  records of a request reach the producer in their order, so that those of a partition lie in it
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from json import JSONDecoder
from typing import Any

from barnabas.errors import BarnabasError
from barnabas.http.errors import HttpError
from barnabas.http.request import Request
from barnabas.http.response import Response, json_bytes
from barnabas.http.routes import Routes
from barnabas.http.serving import Handler
from barnabas.rest import fields
from barnabas.rest.asking import Part, answer, telling
from barnabas.rest.cluster import Cluster
from barnabas.rest.errors import told
from barnabas.rest.producing import Offered, Sender, offered_of
from barnabas.rest.times import iso_time

PATH = "/v3/clusters/{cluster_id}/topics/{topic_name}/records"
BATCH_ENTRIES_MAX = 10_000
ID_LENGTH_MAX = 80


class Records(Part):
    """The operations that write records."""

    def add_to(self, routes: Routes[Handler]) -> None:
        routes.add("POST", PATH, telling(self.produce))
        routes.add("POST", f"{PATH}:batch", telling(self.batch))

    async def produce(self, request: Request) -> Response:
        """Writes the records of a body, and answers each. A single one's error is that of the reply."""
        cluster, _ = await self.at(request)
        topic = request.path["topic_name"]
        bodies = list(_objects(request.native.body))
        if not bodies:
            raise HttpError(422, "Payload error. Request body is empty. Data is required.")
        replies = await _replies(cluster, topic, bodies)
        if len(replies) == 1:
            code = int(replies[0]["error_code"])
            return answer(replies[0], code if code < 1000 else code // 100)
        return Response(200, b"".join(json_bytes(reply) + b"\r\n" for reply in replies))

    async def batch(self, request: Request) -> Response:
        """Writes records that have names, and tells which of them were written."""
        cluster, _ = await self.at(request)
        entries = list(fields.objects_of(request.json_object(), "entries"))
        names = [_entry_id(entry) for entry in entries]
        if not entries:
            raise HttpError(422, "Empty batch.", 42208)
        if len(entries) > BATCH_ENTRIES_MAX:
            raise HttpError(422, f"Too many entries in batch: more than {BATCH_ENTRIES_MAX}.", 42208)
        if len(set(names)) != len(names):
            raise HttpError(422, "Batch entry IDs are not distinct.", 42208)
        replies = await _replies(cluster, request.path["topic_name"], entries)
        successes, failures = [], []
        for name, reply in zip(names, replies, strict=True):
            code = reply.pop("error_code")
            if code == 200:
                successes.append({"id": name, **reply})
            else:
                failures.append({"id": name, "error_code": code, **reply})
        return answer({"successes": successes, "failures": failures}, 207)


def _entry_id(entry: dict[str, Any]) -> str:
    name = entry.get("id")
    good = isinstance(name, str) and 0 < len(name) <= ID_LENGTH_MAX and name.isascii()
    if not good or not all(one.isalnum() or one in "-_" for one in str(name)):
        raise HttpError(
            422, "Batch entry ID must have 1 to 80 letters, digits, hyphens or underscores.", 42208
        )
    return str(name)


async def _replies(cluster: Cluster, topic: str, bodies: list[Any]) -> list[dict[str, Any]]:
    """Hands all in before it waits for the first."""
    sender = cluster.sender
    under_way = [await _begun(sender, topic, body) for body in bodies]
    cluster_id = await cluster.id()
    return [await _reply(cluster_id, topic, one) for one in under_way]


Begun = tuple[Offered, "asyncio.Future[Any]"] | HttpError


async def _begun(sender: Sender, topic: str, body: Any) -> Begun:
    try:
        offered = await offered_of(sender, topic, fields.object_of(body, "A record"))
        return offered, await sender.send(topic, offered)
    except BarnabasError as error:
        return told(error)


async def _reply(cluster_id: str, topic: str, begun: Begun) -> dict[str, Any]:
    if isinstance(begun, HttpError):
        return {"error_code": begun.code, "message": begun.message}
    offered, delivery = begun
    try:
        where = await delivery
    except BarnabasError as error:
        why = told(error)
        return {"error_code": why.code, "message": why.message}
    reply = {
        "error_code": 200,
        "cluster_id": cluster_id,
        "topic_name": topic,
        "partition_id": where.partition,
        "offset": where.offset,
        "timestamp": iso_time(where.timestamp if where.timestamp >= 0 else offered.timestamp),
    }
    if offered.key is not None:
        reply["key"] = offered.key.told()
    if offered.value is not None:
        reply["value"] = offered.value.told()
    return reply


def _objects(body: bytes) -> Iterator[Any]:
    """JSON values that stand one after the other."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise HttpError(400, f"The request's body is no UTF-8: {error}") from error
    decoder, at = JSONDecoder(), _next(text, 0)
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise HttpError(400, f"The request's body is no JSON: {error}") from error
        yield value
        at = _next(text, at)


def _next(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at
