"""How much each client may ask of a service in a second.

Always true:
  a client that asks no more than it may is never refused
  what is remembered is bounded: whoever has not asked for longest is forgotten first
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

from barnabas.http.errors import HttpError

CLIENTS_MAX = 10_000
BURST_SECONDS = 1.0
"""What may be asked at once, by one who has asked for nothing before."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What one client may ask for in a second; None for as much as it likes."""

    requests: float | None = None
    bytes: float | None = None
    """Bytes of requests' bodies."""


UNLIMITED = Rates()


@dataclass(slots=True)
class _Bucket:
    """What a client may still ask for; below nothing after a large body."""

    left: float
    at: float

    def refill(self, rate: float, burst: float, now: float) -> float:
        """Fills it up for the time that has passed; the seconds until there is something in it."""
        self.left, self.at = min(self.left + (now - self.at) * rate, burst), now
        return -self.left / rate


class Limits:
    """Counts what clients ask for."""

    def __init__(self, rates: Rates) -> None:
        self._rates = [(rate, rate * BURST_SECONDS) for rate in (rates.requests, rates.bytes) if rate]
        self._limited = [rates.requests is not None, rates.bytes is not None]
        self._clients: OrderedDict[str, list[_Bucket]] = OrderedDict()

    def check(self, client: str, bytes_: int, now: float) -> None:
        """Notes a request with a body of so many bytes at `now`, in seconds of a clock that does not go back.
        Raises HttpError (429) when the client has to wait."""
        buckets = self._clients.get(client)
        if buckets is None:
            buckets = self._clients[client] = [_Bucket(burst, now) for _, burst in self._rates]
            if len(self._clients) > CLIENTS_MAX:
                self._clients.popitem(last=False)
        self._clients.move_to_end(client)
        waits = [bucket.refill(*rate, now) for bucket, rate in zip(buckets, self._rates, strict=True)]
        if (wait := max(waits, default=-1.0)) >= 0:
            retry = str(math.floor(wait) + 1)
            raise HttpError(429, "Too many requests: try again later", headers={"Retry-After": retry})
        costs = (cost for cost, limited in zip((1.0, bytes_), self._limited, strict=True) if limited)
        for bucket, cost in zip(buckets, costs, strict=True):
            bucket.left -= cost
