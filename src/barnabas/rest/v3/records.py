"""Records: one, several in a body one after the other, a batch, or a stream without an end.

Always true:
  replies come in the order of the records, one for each
  records of a request reach the producer in their order, so that those of a partition lie in it
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from barnabas._core import RecordStream
from barnabas.errors import BarnabasError, BufferFull
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
from barnabas.rest.express import refused, single
from barnabas.rest.json_stream import JsonObjects
from barnabas.rest.producing import Offered, Sender, offered_of
from barnabas.rest.times import iso_time

if TYPE_CHECKING:
    from barnabas._core import RecordMetadata

PATH = "/v3/clusters/{cluster_id}/topics/{topic_name}/records"
BATCH_ENTRIES_MAX = 10_000
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
            cluster_id = await cluster.id()
            return StreamResponse(_Streamed(cluster.sender, cluster_id, topic, request.stream).run)
        objects = JsonObjects()
        bodies = objects.feed(request.native.body)
        objects.finish()
        if not bodies:
            raise HttpError(422, "Payload error. Request body is empty. Data is required.")
        replies = await _replies(cluster, topic, bodies)
        self._show(request, cluster, replies)
        return single(replies[0]) if len(replies) == 1 else Response(200, b"".join(map(_line, replies)))

    def _show(
        self, request: Request, cluster: Cluster, replies: list[dict[str, Any]], *, is_batch: bool = False
    ) -> None:
        """Has requests of the kind of one of which something was written answered without Python from now
        on."""
        express = self._clusters.express
        written = next((reply for reply in replies if reply["error_code"] == 200), None)
        if express is not None and written is not None:
            target = cluster.sender.target(written["cluster_id"], written["topic_name"])
            if target is not None:
                express.show(request, target, is_batch=is_batch)

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
        self._show(request, cluster, replies, is_batch=True)
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
    """A connection on which records come, and their replies go, for as long as the client likes. Records that
    need no decision are read, handed in and answered natively; the others have their places among them."""

    def __init__(self, sender: Sender, cluster_id: str, topic: str, records: Stream) -> None:
        self._sender = sender
        self._cluster_id = cluster_id
        self._topic = topic
        self._records = records
        self._ready = asyncio.Event()
        """There are replies to take, or there will be no more records."""
        self._taken = asyncio.Event()
        """Replies were taken."""
        self._native = RecordStream(sender.target(cluster_id, topic), self._ready.set, _refusal)
        self._ended = False
        self._gone = False

    async def run(self, replies: Stream) -> None:
        """Until the client ends it, or goes."""
        replying = asyncio.create_task(self._reply_all(replies))
        try:
            await self._read_all()
        except HttpError as error:
            self._native.fill(self._native.reserve(), json_bytes(refused(error)))
        except BaseException:
            replying.cancel()
            raise
        self._ended = True
        self._ready.set()
        await replying

    async def _read_all(self) -> None:
        native = self._native
        while not self._gone and (piece := await self._records.read()) is not None:
            other = native.feed(piece)
            while not self._gone and (other is not None or native.is_full):
                if other is not None:
                    await self._read(other)
                while native.is_full:
                    self._taken.clear()
                    await self._taken.wait()
                other = native.feed(b"")
        if not self._gone:
            await self._read(native.rest())

    async def _read(self, data: bytes) -> None:
        """What is not for the native half. Raises HttpError for what is no JSON object."""
        objects = JsonObjects()
        for body in objects.feed(data):
            await self._begin(body)
        objects.finish()

    async def _begin(self, body: Any) -> None:
        number = self._native.reserve()
        begun = await _begun(self._sender, self._topic, body)
        if isinstance(begun, HttpError):
            return self._native.fill(number, json_bytes(refused(begun)))
        offered, delivery = begun
        return delivery.add_done_callback(partial(self._tell, number, offered))

    def _tell(self, number: int, offered: Offered, delivery: asyncio.Future[RecordMetadata]) -> None:
        try:
            reply = json_bytes(_written(self._cluster_id, self._topic, offered, delivery.result()))
        except BarnabasError as error:
            reply = _refusal(error)
        self._native.fill(number, reply)

    async def _reply_all(self, replies: Stream) -> None:
        while not (self._ended and self._native.under_way == 0):
            await self._ready.wait()
            self._ready.clear()
            while lines := self._native.take(LINES_MAX):
                self._taken.set()
                await self._write(replies, lines)

    async def _write(self, replies: Stream, lines: bytes) -> None:
        if not self._gone:
            try:
                await replies.write(lines)
            except ClientGone:
                self._gone = True  # Records that were handed in are still waited for.


def _refusal(error: BarnabasError) -> bytes:
    return json_bytes(refused(told(error)))


def _line(reply: dict[str, Any]) -> bytes:
    return json_bytes(reply) + b"\r\n"


async def _replies(cluster: Cluster, topic: str, bodies: list[Any]) -> list[dict[str, Any]]:
    """Hands all in before it waits for the first."""
    under_way = await _all_begun(cluster.sender, topic, bodies)
    cluster_id = await cluster.id()
    return [await _reply(cluster_id, topic, one) for one in under_way]


Begun = tuple[Offered, "asyncio.Future[Any]"] | HttpError


async def _all_begun(sender: Sender, topic: str, bodies: list[Any]) -> list[Begun]:
    """A request waits for room but once: what comes behind a record that there was none for is refused with
    it."""
    begun: list[Begun] = []
    for body in bodies:
        try:
            begun.append(await _handed_in(sender, topic, body))
        except BufferFull as error:
            return begun + [told(error)] * (len(bodies) - len(begun))
        except BarnabasError as error:
            begun.append(told(error))
    return begun


async def _begun(sender: Sender, topic: str, body: Any) -> Begun:
    try:
        return await _handed_in(sender, topic, body)
    except BarnabasError as error:
        return told(error)


async def _handed_in(sender: Sender, topic: str, body: Any) -> tuple[Offered, asyncio.Future[RecordMetadata]]:
    offered = await offered_of(sender, topic, fields.object_of(body, "A record"))
    return offered, await sender.send(topic, offered)


async def _reply(cluster_id: str, topic: str, begun: Begun) -> dict[str, Any]:
    if isinstance(begun, HttpError):
        return refused(begun)
    offered, delivery = begun
    try:
        where = await delivery
    except BarnabasError as error:
        return refused(told(error))
    return _written(cluster_id, topic, offered, where)


def _written(cluster_id: str, topic: str, offered: Offered, where: RecordMetadata) -> dict[str, Any]:
    reply: dict[str, Any] = {
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
