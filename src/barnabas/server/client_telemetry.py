"""Which client pushes which metrics, and when (KIP-714). Pure: the time is an argument.

Always true:
  a client may push once after it has asked for its subscription, and then once in each interval
  what is remembered of a client is forgotten when the subscriptions change and when it comes by another
  connection, as in Kafka
  what is remembered is bounded: the clients that were heard of longest ago are forgotten first
"""

from __future__ import annotations

import re
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from barnabas._core import Uuid
from barnabas.controller.decision import refuse
from barnabas.protocol import ErrorCode

CLIENTS_MAX = 16_384
DEFAULT_INTERVAL_MS = 300_000
ALL_METRICS = "*"

ACCEPTED_CODECS = (4, 3, 1, 2)
"""zstd, lz4, gzip, snappy: best first."""

_NEVER = -(1 << 62)


@dataclass(frozen=True)
class Client:
    """Who asks."""

    instance_id: Uuid
    client_id: str
    source_address: str
    source_port: str

    def matches(self, pattern: str) -> bool:
        """Whether the client fits `attribute=expression`, the expression taken for the whole value."""
        attribute, _, expression = pattern.partition("=")
        values = {
            "client_instance_id": str(self.instance_id),
            "client_id": self.client_id,
            "client_source_address": self.source_address,
            "client_source_port": self.source_port,
        }
        # Name and version of the client's software do not reach this place: nothing matches them.
        value = values.get(attribute.strip())
        return value is not None and re.fullmatch(expression.strip(), value) is not None


@dataclass(frozen=True)
class Subscription:
    """One resource of type CLIENT_METRICS."""

    metrics: tuple[str, ...]
    interval_ms: int
    match: tuple[str, ...]


@dataclass(frozen=True)
class Wanted:
    """What one client shall push, all subscriptions that fit it taken together."""

    subscription_id: int
    metrics: tuple[str, ...]
    push_interval_ms: int


@dataclass(frozen=True)
class _Known:
    """What is remembered of a client."""

    asked_at: int = _NEVER
    pushed_at: int = _NEVER
    may_ask: bool = False
    """Its last push told it to ask again."""
    terminating: bool = False
    """It has said that its last push was its last."""
    subscriptions: tuple[Subscription, ...] = ()
    """All that there were when it was last heard of."""
    source: tuple[str, str] = ("", "")
    """Address and port that it was last heard from."""


class ClientTelemetry:
    """The clients of one node."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        """Largest push, packed or unpacked."""
        self._known: OrderedDict[Uuid, _Known] = OrderedDict()

    def subscribe(self, client: Client, subscriptions: Sequence[Subscription], now: int) -> Wanted:
        """What the client shall push. Refused when it asks again too early."""
        known = self._recall(client, subscriptions)
        wanted = wanted_of(client, subscriptions)
        due = now - max(known.asked_at, known.pushed_at) >= wanted.push_interval_ms
        if not due and not known.may_ask:
            raise refuse(ErrorCode.THROTTLING_QUOTA_EXCEEDED)
        # Asking before its time, a client gets its answer, and still has to wait before it pushes.
        asked_at = now if due else known.asked_at
        self._remember(client, replace(known, asked_at=asked_at, may_ask=False))
        return wanted

    def push(
        self,
        client: Client,
        subscriptions: Sequence[Subscription],
        now: int,
        *,
        subscription_id: int,
        codec: int,
        size: int,
        terminating: bool,
    ) -> None:
        """Admits one push of `size` bytes, or refuses it."""
        if not client.instance_id:
            raise refuse(ErrorCode.INVALID_REQUEST, "A push must name the client's instance id.")
        known = self._recall(client, subscriptions)
        wanted = wanted_of(client, subscriptions)
        due = known.asked_at > known.pushed_at or now - known.pushed_at >= wanted.push_interval_ms
        error = None
        if known.terminating:
            due, error = False, ErrorCode.INVALID_REQUEST
        elif not due and not terminating:
            error = ErrorCode.THROTTLING_QUOTA_EXCEEDED
        elif subscription_id != wanted.subscription_id:
            error = ErrorCode.UNKNOWN_SUBSCRIPTION_ID
        elif codec not in (0, *ACCEPTED_CODECS):
            error = ErrorCode.UNSUPPORTED_COMPRESSION_TYPE
        elif size > self.bytes_max:
            error = ErrorCode.TELEMETRY_TOO_LARGE
        pushed_at = now if due else known.pushed_at
        may_ask = error in (ErrorCode.UNKNOWN_SUBSCRIPTION_ID, ErrorCode.UNSUPPORTED_COMPRESSION_TYPE)
        known = replace(known, pushed_at=pushed_at, may_ask=may_ask, terminating=terminating)
        self._remember(client, known)
        if error is not None:
            raise refuse(error)

    def _recall(self, client: Client, subscriptions: Sequence[Subscription]) -> _Known:
        source = (client.source_address, client.source_port)
        new = _Known(subscriptions=tuple(subscriptions), source=source)
        known = self._known.get(client.instance_id, new)
        same = known.subscriptions == new.subscriptions and known.source == source
        return known if same else new

    def _remember(self, client: Client, known: _Known) -> None:
        self._known[client.instance_id] = known
        self._known.move_to_end(client.instance_id)
        if len(self._known) > CLIENTS_MAX:
            self._known.popitem(last=False)


def wanted_of(client: Client, subscriptions: Iterable[Subscription]) -> Wanted:
    """Joins the subscriptions that fit a client: all their metrics, the shortest interval."""
    fitting = [item for item in subscriptions if all(map(client.matches, item.match))]
    metrics = sorted({metric for item in fitting for metric in item.metrics})
    if ALL_METRICS in metrics:
        metrics = [ALL_METRICS]
    interval = min((item.interval_ms for item in fitting), default=DEFAULT_INTERVAL_MS)
    interval = min(interval, DEFAULT_INTERVAL_MS)
    told = ",".join([*metrics, str(interval)]).encode() + client.instance_id.bytes
    subscription_id = zlib.crc32(told)
    if subscription_id >= 1 << 31:
        subscription_id -= 1 << 32
    return Wanted(subscription_id, tuple(metrics), interval)
