"""Faults on demand: which request of which client goes wrong, and how.

A fault concerns the requests of one API (or of all), if wanted those of one client or those that name one
topic. It strikes from the `nth` of them on, `times` of them. Requests of the test kit itself are spared.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from barnabas import _core
from barnabas.protocol import ApiKey, ErrorCode

if TYPE_CHECKING:
    from barnabas.testing.kafka import Kafka

FOR_EVER = 2**62


class Fault:
    """A fault that was asked for. `with kafka.faults.error(…):` ends it with the block."""

    def __init__(self, kafka: Kafka, rule: int, text: str) -> None:
        self._kafka = kafka
        self._rule = rule
        self._text = text

    @property
    def requests(self) -> int:
        """Requests so far that it concerns."""
        return self._counts()[0]

    @property
    def struck(self) -> int:
        """Requests so far that went wrong by it."""
        return self._counts()[1]

    def remove(self) -> None:
        """Ends it."""
        _core.remove_fault(self._kafka.running.native, self._rule)

    def _counts(self) -> tuple[int, int]:
        counts = _core.fault_counts(self._kafka.running.native, self._rule)
        if counts is None:
            raise RuntimeError(f"{self!r} was removed, or the broker was started again since")
        return counts

    def __enter__(self) -> Fault:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.remove()

    def __repr__(self) -> str:
        return f"Fault({self._text})"


class Faults:
    """`kafka.faults`: each method asks for a kind of fault.

    `api`: None for whatever API. `nth`: the first request that may be struck, counted from now on. `times`:
    how many are struck; None for all. `topic`: only requests that name it. `client_id`: only those of this
    client. `chance`: how likely each is struck; what is drawn depends on the kit's seed and the order of
    requests only.
    """

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._numbers = itertools.count()

    def error(
        self,
        api: ApiKey | str,
        error: ErrorCode | str,
        *,
        nth: int = 1,
        times: int | None = 1,
        topic: str | None = None,
        client_id: str | None = None,
        chance: float = 1.0,
    ) -> Fault:
        """The request is not served, and answered with the error for each of its parts."""
        code = ErrorCode[error] if isinstance(error, str) else error
        if code == ErrorCode.NONE:
            raise ValueError("NONE is no error")
        return self._add("error", int(code), api, nth, times, topic, client_id, chance)

    def delay(
        self,
        api: ApiKey | str | None = None,
        *,
        seconds: float,
        nth: int = 1,
        times: int | None = 1,
        topic: str | None = None,
        client_id: str | None = None,
        chance: float = 1.0,
    ) -> Fault:
        """The request is served so much later, by the kit's clock: `advance` ends the wait."""
        return self._add("delay", round(seconds * 1000), api, nth, times, topic, client_id, chance)

    def disconnect(
        self,
        api: ApiKey | str | None = None,
        *,
        served: bool = False,
        nth: int = 1,
        times: int | None = 1,
        topic: str | None = None,
        client_id: str | None = None,
        chance: float = 1.0,
    ) -> Fault:
        """The connection breaks instead of an answer. `served`: only the answer is lost, what was asked for
        is done; else the request is lost."""
        return self._add("lose" if served else "disconnect", 0, api, nth, times, topic, client_id, chance)

    def truncate_response(
        self,
        api: ApiKey | str | None = None,
        *,
        nth: int = 1,
        times: int | None = 1,
        topic: str | None = None,
        client_id: str | None = None,
        chance: float = 1.0,
    ) -> Fault:
        """The request is served, and the connection breaks in the middle of the answer."""
        return self._add("truncate", 0, api, nth, times, topic, client_id, chance)

    def clear(self) -> None:
        """Ends all faults."""
        _core.remove_fault(self._kafka.running.native)

    def _add(
        self,
        kind: str,
        value: int,
        api: ApiKey | str | None,
        nth: int,
        times: int | None,
        topic: str | None,
        client_id: str | None,
        chance: float,
    ) -> Fault:
        if nth < 1 or (times is not None and times < 1) or not 0 <= chance <= 1:
            raise ValueError("nth and times are 1 or more, a chance is from 0 to 1")
        key = ApiKey[api] if isinstance(api, str) else api
        seed = (self._kafka.seed * 1_000_003 + next(self._numbers)) % 2**64
        rule = _core.add_fault(
            self._kafka.running.native,
            kind,
            value,
            None if key is None else int(key),
            topic,
            client_id,
            nth,
            FOR_EVER if times is None else times,
            chance,
            seed,
        )
        about = [kind, key.name if key is not None else "any API", *([topic] if topic else [])]
        return Fault(self._kafka, rule, " ".join(about))
