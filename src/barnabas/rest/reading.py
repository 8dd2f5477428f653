"""Reading records without an instance: by partition and offset, by time, or as a member of a group.

Always true:
  a reading ends with its request: with the page, with the last record that was wished for, or with the client
  readings, which have a thread of the clients each, are bounded
  a record that can't be decoded is told of, and does not keep others back
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from barnabas._core import Record
from barnabas.aio.consumer import Consumer
from barnabas.clients.consumer_types import TopicPartition
from barnabas.errors import UnknownTopicOrPartition
from barnabas.http.errors import HttpError
from barnabas.rest.cluster import Cluster
from barnabas.rest.decoding import headers_json, plain_json
from barnabas.rest.producing import Sender
from barnabas.rest.times import iso_time
from barnabas.rest.values import EMBEDDED, WITH_SCHEMA
from barnabas.serde.base import Headers, SerializationError

READINGS_MAX = 200
CLOSE_SECONDS_MAX = 2.0
AUTO = "AUTO"
"""Whatever the bytes look like: JSON, else text, else base64."""
TYPES = (AUTO, *EMBEDDED, *WITH_SCHEMA)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be read."""

    topic: str
    partitions: tuple[int, ...] = ()
    """None of them: all that the topic has."""
    begin: str = "latest"
    """earliest, latest, offset or timestamp."""
    at: int = 0
    """The offset, or the timestamp in milliseconds."""
    offsets: dict[int, int] = field(default_factory=dict)
    """Where partitions are begun that were read before."""
    group: str | None = None
    """A group whose member reads, and commits what was given out; begins where the group has stopped."""


def check_room(cluster: Cluster) -> None:
    """Raises HttpError when as many read as may."""
    if cluster.readings >= READINGS_MAX:
        raise HttpError(429, f"{READINGS_MAX} clients read already", headers={"Retry-After": "10"})


@asynccontextmanager
async def reading(cluster: Cluster, wish: Wish) -> AsyncIterator[Consumer]:
    """A consumer that reads what is wished. Raises HttpError, or what the cluster says."""
    check_room(cluster)
    cluster.readings += 1
    try:
        found = (await cluster.admin.describe_topics(wish.topic))[wish.topic]
        known = {one.partition for one in found.partitions}
        if not known.issuperset(wish.partitions):
            raise UnknownTopicOrPartition()
        reset = wish.begin if wish.begin in ("earliest", "latest") else "earliest"
        configs = {"enable.auto.commit": False, "auto.offset.reset": reset, "fetch.max.wait.ms": 500}
        if wish.group is not None:
            configs["group.id"] = wish.group
        consumer = Consumer({**cluster.configs, **configs})
        try:
            if wish.group is not None:
                consumer.subscribe([wish.topic])
            else:
                _begin(consumer, wish, wish.partitions or tuple(sorted(known)))
            yield consumer
        finally:
            await consumer.close(CLOSE_SECONDS_MAX)
    finally:
        cluster.readings -= 1


def _begin(consumer: Consumer, wish: Wish, partitions: tuple[int, ...]) -> None:
    starts = dict(wish.offsets)
    if wish.begin == "offset":
        starts = dict.fromkeys(partitions, wish.at) | starts
    consumer.assign(TopicPartition(wish.topic, one, starts.get(one)) for one in partitions)
    if wish.begin == "timestamp":
        for partition in partitions:
            if partition not in starts:
                consumer.seek_to_time(wish.topic, partition, wish.at)


async def page(consumer: Consumer, records_max: int, bytes_max: int, timeout_ms: int) -> list[Record]:
    """Records up to so many, and about so many bytes; waits for the first, then for no other."""
    records = await consumer.poll(timeout_ms / 1000, records_max)
    while records and len(records) < records_max:
        some = await consumer.poll(0.0, records_max - len(records))
        if not some:
            break
        records += some
    size = 0
    for count, record in enumerate(records, 1):
        size += len(record.key or b"") + len(record.value or b"")
        if size >= bytes_max:
            return records[:count]
    return records


class Teller:
    """Tells of records in JSON."""

    def __init__(self, sender: Sender, key_type: str, value_type: str) -> None:
        self._sender = sender
        self._key = key_type
        self._value = value_type
        self.may_wait = not {key_type, value_type}.isdisjoint(WITH_SCHEMA)
        """Whether the registry may have to be asked: then it is called in a thread."""

    def data(self, cluster_id: str, record: Record) -> dict[str, Any]:
        """A record as the API tells of it."""
        headers = record.headers
        return {
            "cluster_id": cluster_id,
            "topic_name": record.topic,
            "partition_id": record.partition,
            "offset": record.offset,
            "timestamp": iso_time(record.timestamp) if record.timestamp >= 0 else None,
            "headers": headers_json(record),
            "key": self._told(self._key, record.key, headers, True),
            "value": self._told(self._value, record.value, headers, False),
        }

    def _told(self, kind: str, data: bytes | None, headers: Headers, is_key: bool) -> dict[str, Any] | None:
        if data is None:
            return None
        try:
            if kind in WITH_SCHEMA:
                return {"type": kind, "data": self._sender.schemas.read(kind, data, headers, is_key)}
            if kind != AUTO:
                return {"type": kind, "data": plain_json(kind, data)}
        except SerializationError as error:
            return {"type": "BINARY", "data": plain_json("BINARY", data), "error": str(error)}
        return _as_it_looks(data)


def _as_it_looks(data: bytes) -> dict[str, Any]:
    for kind in ("JSON", "STRING"):
        try:
            return {"type": kind, "data": plain_json(kind, data)}
        except SerializationError:
            continue
    return {"type": "BINARY", "data": plain_json("BINARY", data)}
