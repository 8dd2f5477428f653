"""Records: one, several in a body one after the other, a batch, or a stream without an end.

Always true:
  replies come in the order of the records, one for each
  records of a request reach the producer in their order, so that those of a partition lie in it
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from barnabas.errors import BarnabasError
from barnabas.http.errors import HttpError
from barnabas.http.request import Request
from barnabas.http.response import Response, json_bytes
from barnabas.http.routes import Routes
from barnabas.http.serving import Answer, Handler
from barnabas.http.streaming import ClientGone, Stream, StreamResponse
from barnabas.rest import fields
from barnabas.rest.asking import Part, answer, telling
from barnabas.rest.cluster import Cluster
from barnabas.rest.errors import told
from barnabas.rest.json_stream import JsonObjects
from barnabas.rest.producing import Offered, Sender, offered_of
from barnabas.rest.times import iso_time

PATH = "/v3/clusters/{cluster_id}/topics/{topic_name}/records"
BATCH_ENTRIES_MAX = 10_000
UNDER_WAY_MAX = 10_000
"""Records of a stream that wait for their replies; no more is read before."""
LINES_MAX = 500
"""Replies of a stream that are sent together."""
ID_LENGTH_MAX = 80


class Records(Part):
    """The operations that write records."""

    def add_to(self, routes: Routes[Handler]) -> None:
        routes.add("POST", PATH, telling(self.produce))
        routes.add("POST", f"{PATH}:batch", telling(self.batch))

    async def produce(self, request: Request) -> Answer:
        """Writes the records of a body, and answers each. A single one's error is that of the reply."""
        cluster, _ = await self.at(request)
        topic = request.path["topic_name"]
        if request.stream is not None:
            return StreamResponse(_Streamed(cluster, topic, request.stream).run)
        objects = JsonObjects()
        bodies = objects.feed(request.native.body)
        objects.finish()
        if not bodies:
            raise HttpError(422, "Payload error. Request body is empty. Data is required.")
        replies = await _replies(cluster, topic, bodies)
        if len(replies) == 1:
            code = int(replies[0]["error_code"])
            return answer(replies[0], code if code < 1000 else code // 100)
        return Response(200, b"".join(map(_line, replies)))

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


class _Streamed:
    """A connection on which records come, and their replies go, for as long as the client likes."""

    def __init__(self, cluster: Cluster, topic: str, records: Stream) -> None:
        self._cluster = cluster
        self._topic = topic
        self._records = records
        self._under_way: asyncio.Queue[Begun | None] = asyncio.Queue(UNDER_WAY_MAX)
        self._gone = False

    async def run(self, replies: Stream) -> None:
        """Until the client ends it, or goes."""
        replying = asyncio.create_task(self._reply_all(replies))
        try:
            async for body in self._bodies():
                await self._under_way.put(await _begun(self._cluster.sender, self._topic, body))
                if self._gone:
                    break
        except HttpError as error:
            await self._under_way.put(error)
        except BaseException:
            replying.cancel()
            raise
        await self._under_way.put(None)
        await replying

    async def _bodies(self) -> AsyncIterator[Any]:
        objects = JsonObjects()
        while (piece := await self._records.read()) is not None:
            for body in objects.feed(piece):
                yield body
        objects.finish()

    async def _reply_all(self, replies: Stream) -> None:
        cluster_id = await self._cluster.id()
        lines: list[bytes] = []
        while (begun := await self._under_way.get()) is not None:
            # What is done goes out together, and before something is waited for.
            if lines and not _is_done(begun):
                lines = await self._write(replies, lines)
            lines.append(_line(await _reply(cluster_id, self._topic, begun)))
            if self._under_way.empty() or len(lines) >= LINES_MAX:
                lines = await self._write(replies, lines)
        await self._write(replies, lines)

    async def _write(self, replies: Stream, lines: list[bytes]) -> list[bytes]:
        """Sends lines; those that are left: none."""
        if lines and not self._gone:
            try:
                await replies.write(b"".join(lines))
            except ClientGone:
                self._gone = True  # Records that were handed in are still waited for.
        return []


def _line(reply: dict[str, Any]) -> bytes:
    return json_bytes(reply) + b"\r\n"


def _is_done(begun: Begun) -> bool:
    return isinstance(begun, HttpError) or begun[1].done()


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
