"""The configs of the transaction coordinator as they are in force."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from barnabas.config.resolve import BrokerConfigs
    from barnabas.coordinator.transaction.lending import Lending


@dataclass(frozen=True, slots=True)
class TransactionSettings:
    """What the transaction coordinator reads of the configuration, and where producer ids come from."""

    new_producer_id: Callable[[], int]
    """An id that nobody has; raises CoordinatorLoadInProgress while none is at hand."""
    lending: Lending
    """Who makes the plain steps of transactions that are lent."""
    abort_interval_ms: int = 10_000
    """How often transactions over their timeout are looked for."""
    expiration_ms: int = 604_800_000
    """How long a transactional id without transactions is remembered."""
    expiration_interval_ms: int = 3_600_000
    """How often such ids are looked for."""

    @staticmethod
    def of(
        configs: BrokerConfigs, new_producer_id: Callable[[], int], lending: Lending
    ) -> TransactionSettings:
        """As the broker is configured."""

        def value(name: str) -> int:
            return cast(int, configs.value(name))

        return TransactionSettings(
            new_producer_id,
            lending,
            abort_interval_ms=value("transaction.abort.timed.out.transaction.cleanup.interval.ms"),
            expiration_ms=value("transactional.id.expiration.ms"),
            expiration_interval_ms=value("transaction.remove.expired.transaction.cleanup.interval.ms"),
        )
