"""What looks at each record of a producer on its way: interceptors, and serializers behind them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from barnabas.clients.producer import Producer

if TYPE_CHECKING:
    from barnabas._core import Headers, OnDelivery, RecordMetadata

log = logging.getLogger(__name__)


@dataclass(slots=True)
class ProducerRecord:
    """A record that is about to be taken."""

    topic: str
    value: Any = None
    key: Any = None
    partition: int | None = None
    timestamp: int | None = None
    headers: Headers | None = None


OnSend = Callable[[ProducerRecord], ProducerRecord | None]
"""Gives back the record that is to be sent instead; None: this one, which it may have changed."""
OnAcknowledgement = Callable[[Exception | None, "RecordMetadata | None"], object]
"""Hears of each record's result, before whoever produced it. A failure that it has heard of is not raised by
`flush` any more."""


def intercepted(kind: type[Producer]) -> type[Producer]:
    """The class of producers like `kind` that call interceptors and serializers: others pay nothing for
    them."""
    return type(kind.__name__, (_Intercepted, kind), {})


class _Intercepted(Producer):
    def produce(
        self,
        topic: str,
        value: Any = None,
        key: Any = None,
        partition: int | None = None,
        on_delivery: OnDelivery | None = None,
        timestamp: int | None = None,
        headers: Headers | None = None,
    ) -> None:
        record = ProducerRecord(topic, value, key, partition, timestamp, headers)
        if self._on_send is not None:
            try:
                record = self._on_send(record) or record
            except Exception:  # As in Java's client: an interceptor loses no records.
                log.exception("on_send failed for a record for %s", topic)
        value, key, sent = record.value, record.key, record.headers
        if self._serializers is not None:
            value, key, sent = self._serializers.write(record.topic, value, key, sent)
        on_delivery = self._acknowledged(on_delivery)
        super().produce(record.topic, value, key, record.partition, on_delivery, record.timestamp, sent)

    def _acknowledged(self, on_delivery: OnDelivery | None) -> OnDelivery | None:
        on_acknowledgement = self._on_acknowledgement
        if on_acknowledgement is None:
            return on_delivery

        def acknowledged(error: Exception | None, metadata: RecordMetadata | None) -> None:
            try:
                on_acknowledgement(error, metadata)
            except Exception:
                log.exception("on_acknowledgement failed")
            if on_delivery is not None:
                on_delivery(error, metadata)

        return acknowledged
