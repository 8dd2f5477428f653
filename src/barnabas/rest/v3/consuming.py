"""Records read over HTTP, which the published API v3 does not have: as a page, as lines, as events.

A client says by `Accept` which it wants: JSON is a page, with the address of the next one;
`application/x-ndjson` and `text/event-stream` go on for as long as the client likes, and so does a WebSocket,
which has a message for each record.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any
from urllib.parse import urlencode

from barnabas._core import Record
from barnabas.aio.consumer import Consumer
from barnabas.http.errors import HttpError
from barnabas.http.request import Request
from barnabas.http.response import json_bytes
from barnabas.http.routes import Routes
from barnabas.http.serving import Answer, Handler
from barnabas.http.streaming import Stream, StreamResponse, WebSocketResponse
from barnabas.rest.asking import Part, answer, telling
from barnabas.rest.cluster import Cluster
from barnabas.rest.fields import path_number
from barnabas.rest.places import Place
from barnabas.rest.reading import TYPES, Teller, Wish, check_room, page, reading
from barnabas.rest.times import milliseconds
from barnabas.rest.v3.partitions import partition_place
from barnabas.rest.v3.topics import described, topic_place

TOPIC = "/v3/clusters/{cluster_id}/topics/{topic_name}"
NDJSON = "application/x-ndjson"
EVENTS = "text/event-stream"
SOCKET = "websocket"
"""Forms in which records are streamed."""
RECORDS, RECORDS_MAX = 100, 10_000
BYTES, BYTES_MAX = 1024 * 1024, 16 * 1024 * 1024
TIMEOUT_MS, TIMEOUT_MS_MAX = 1_000, 50_000
POLL_SECONDS = 1.0
"""How often a stream that nothing comes for looks whether its client is still there."""
SIGN_SECONDS = 15.0
"""Silence after which a stream shows that it is alive, to whatever is in between."""
OFFSET_MAX = 2**63 - 2


class Consuming(Part):
    """The operations that read records."""

    def add_to(self, routes: Routes[Handler]) -> None:
        routes.add("GET", f"{TOPIC}/records", telling(self.of_topic))
        routes.add("GET", f"{TOPIC}/partitions/{{partition_id}}/records", telling(self.of_partition))

    async def of_topic(self, request: Request) -> Answer:
        """Records of all partitions: from a place in each on, or as a member of a group."""
        cluster, place = await self.at(request)
        if request.text("offset"):
            raise HttpError(400, "offset is for one partition: .../partitions/{partition_id}/records")
        topic = (await described(cluster, request)).name
        wish = _wish(request, topic, ())
        return await _answered(cluster, request, wish, topic_place(place, topic))

    async def of_partition(self, request: Request) -> Answer:
        """Records of one partition."""
        cluster, place = await self.at(request)
        if request.text("group"):
            raise HttpError(400, "group is for a whole topic: .../topics/{topic_name}/records")
        topic = (await described(cluster, request)).name
        partition = path_number(request.path["partition_id"], "Partition")
        wish = _wish(request, topic, (partition,))
        return await _answered(cluster, request, wish, partition_place(place, topic, partition))


async def _answered(cluster: Cluster, request: Request, wish: Wish, place: Place) -> Answer:
    types = [request.text(name, "AUTO").upper() for name in ("key_type", "value_type")]
    for kind in types:
        if kind not in TYPES:
            raise HttpError(400, f"key_type and value_type must be one of {', '.join(TYPES)}")
    teller = Teller(cluster.sender, *types)
    form = _form(request)
    if form is None:
        return await _page(cluster, request, wish, teller, place)
    check_room(cluster)
    streamed = _Streamed(cluster, wish, teller, _number(request, "limit", 0, OFFSET_MAX), form)
    if form == SOCKET:
        return WebSocketResponse(streamed.run)
    return StreamResponse(streamed.run, content_type=form, headers={"Cache-Control": "no-cache"})


async def _page(cluster: Cluster, request: Request, wish: Wish, teller: Teller, place: Place) -> Answer:
    records_max = _number(request, "limit", RECORDS, RECORDS_MAX)
    bytes_max = _number(request, "max_bytes", BYTES, BYTES_MAX)
    timeout = _number(request, "timeout_ms", TIMEOUT_MS, TIMEOUT_MS_MAX)
    async with reading(cluster, wish) as consumer:
        records = await page(consumer, max(records_max, 1), bytes_max, timeout)
        cluster.counts.consumed += len(records)
        cluster_id = await cluster.id()

        def told() -> bytes:
            data = [teller.data(cluster_id, record) for record in records]
            where = {"self": f"{place.url}/records", "next": _next(request, wish, place, records)}
            return json_bytes({"kind": "KafkaRecordList", "metadata": where, "data": data})

        body = await asyncio.to_thread(told) if teller.may_wait else told()
        if wish.group is not None and records:
            await consumer.commit(records)
    response = answer(None)
    response.body = body
    return response


def _next(request: Request, wish: Wish, place: Place, records: list[Record]) -> str | None:
    """Where the records are that come next: of a partition, or of a group, which knows by itself."""
    kept = {name: values[-1] for name, values in request.query.items()}
    if wish.group is None:
        if not wish.partitions or not (records or wish.begin == "offset"):
            return None
        for name in ("from", "timestamp"):
            kept.pop(name, None)
        kept["offset"] = str(records[-1].offset + 1 if records else wish.at)
    return f"{place.url}/records?{urlencode(kept)}"


class _Streamed:
    """Records as lines, as events or as messages, as they come."""

    def __init__(self, cluster: Cluster, wish: Wish, teller: Teller, limit: int, form: str) -> None:
        """`limit`: records after which it ends; 0 for none. `form`: NDJSON, EVENTS or SOCKET."""
        self._cluster = cluster
        self._wish = wish
        self._teller = teller
        self._left = limit or None
        self._form = form
        self._positions = {partition: offset - 1 for partition, offset in wish.offsets.items()}

    async def run(self, out: Stream) -> None:
        """Until the client goes, or has what it wished for."""
        cluster_id = await self._cluster.id()
        async with reading(self._cluster, self._wish) as consumer:
            written = time.monotonic()
            while self._left is None or self._left > 0:
                records = await consumer.poll(POLL_SECONDS, self._left and min(self._left, RECORDS_MAX))
                if records:
                    self._cluster.counts.consumed += len(records)
                    for piece in await self._told(cluster_id, records):
                        await out.write(piece)
                    await self._given(consumer, records)
                    written = time.monotonic()
                elif time.monotonic() - written > SIGN_SECONDS and self._form != SOCKET:
                    await out.write(b": \n\n" if self._form == EVENTS else b"\n")
                    written = time.monotonic()
                else:
                    await out.write(b"")  # Is anybody there?

    async def _told(self, cluster_id: str, records: list[Record]) -> list[bytes]:
        def told() -> list[bytes]:
            pieces = [self._piece(cluster_id, record) for record in records]
            return pieces if self._form == SOCKET else [b"".join(pieces)]

        return await asyncio.to_thread(told) if self._teller.may_wait else told()

    def _piece(self, cluster_id: str, record: Record) -> bytes:
        line = json_bytes(self._teller.data(cluster_id, record))
        if self._form == SOCKET:
            return line
        if self._form == NDJSON:
            return line + b"\n"
        self._positions[record.partition] = record.offset
        position = ",".join(f"{partition}:{offset}" for partition, offset in self._positions.items())
        return b"id: " + position.encode() + b"\nevent: record\ndata: " + line + b"\n\n"

    async def _given(self, consumer: Consumer, records: list[Record]) -> None:
        if self._wish.group is not None:
            consumer.commit_async(records)
        if self._left is not None:
            self._left -= len(records)
            if self._left <= 0 and self._wish.group is not None:
                await consumer.commit(records)


def _wish(request: Request, topic: str, partitions: tuple[int, ...]) -> Wish:
    places = [name for name in ("offset", "timestamp", "from") if request.text(name)]
    if len(places) > 1:
        raise HttpError(400, f"{' and '.join(places)} contradict each other")
    begin, at = request.text("from", "latest").lower(), 0
    if begin not in ("earliest", "latest"):
        raise HttpError(400, "from must be earliest or latest")
    if places == ["offset"]:
        begin, at = "offset", _number(request, "offset", 0, OFFSET_MAX)
    elif places == ["timestamp"]:
        text = request.text("timestamp")
        begin, at = "timestamp", milliseconds(int(text) if text.isdecimal() else text, "timestamp")
    elif not places and _form(request) is None and not request.text("group"):
        begin = "earliest"  # A page of what is still to come would be empty.
    return Wish(topic, partitions, begin, at, _resumed(request), request.text("group") or None)


def _form(request: Request) -> str | None:
    """In which form records are streamed; None for a page."""
    if request.native.is_websocket:
        return SOCKET
    accept = (request.native.header("accept") or "").lower()
    return next((form for form in (NDJSON, EVENTS) if form in accept), None)


def _resumed(request: Request) -> dict[int, int]:
    """Where a client goes on that has lost its connection: browsers say which event was their last."""
    offsets: dict[int, int] = {}
    for item in filter(None, (request.native.header("last-event-id") or "").split(",")):
        partition, _, offset = item.partition(":")
        if not (partition.isdecimal() and offset.isdecimal() and len(item) < 40):
            raise HttpError(400, "Last-Event-ID is not of this stream")
        offsets[int(partition)] = min(int(offset) + 1, OFFSET_MAX)
    return offsets


def _number(request: Request, name: str, default: int, largest: int) -> int:
    text: Any = request.text(name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise HttpError(400, f"{name} must be a number, not {text[:100]!r}")
    return min(int(text), largest)
