"""The transactional ids of one partition, and what is never written about them.

Always true:
  `by_id` changes only in `replay`, and when an id that was lent (`lending`) is taken back
  every transaction whose outcome is decided has its markers in `markers`, from the decision on
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from barnabas.coordinator.transaction.state import (
    TopicPartition,
    Transaction,
    TransactionState,
    loaded,
)
from barnabas.errors import InvalidProducerIdMapping
from barnabas.protocol.generated.transaction_log_key import TransactionLogKey
from barnabas.protocol.generated.transaction_log_value import TransactionLogValue

if TYPE_CHECKING:
    from barnabas._core import MetadataImage
    from barnabas.coordinator.machine import Context, Outputs, Record, Stored
    from barnabas.coordinator.transaction.state import Changes

TIMEOUTS = "timeouts"
"""Timer: transactions over their timeout are looked for."""
EXPIRY = "expiry"
"""Timer: transactional ids that have expired are looked for."""
MARKERS = "markers"
"""Timer: markers that could not be written are tried again."""

VERSION_FEATURE = "transaction.version"


class Decided(NamedTuple):
    """A step of a transaction, and the record that makes it true."""

    record: Record
    transaction: Transaction


@dataclass(slots=True)
class PendingMarkers:
    """Markers of one transaction on their way."""

    prepared_at: int
    left: set[TopicPartition] = field(default_factory=set)
    """Partitions that have no marker yet."""
    waiting: set[TopicPartition] = field(default_factory=set)
    """Those of them that are to be tried again; nothing is under way to them."""
    completed: Decided | None = None
    """The step that may follow without another decision."""


class Transactions:
    """The transactional ids of one partition of `__transaction_state`."""

    def __init__(self) -> None:
        self.by_id: dict[str, Transaction] = {}
        self.ongoing: set[str] = set()
        self.markers: dict[str, PendingMarkers] = {}
        self.connections: dict[str, int] = {}
        """Number of the latest connection that a producer has used in its transactions, of those whose epoch
        does not tell one transaction from the next."""
        self.lent: set[str] = set()
        """Ids of which the data plane knows more than `by_id`."""
        self.timers: set[str] = set()
        """Timers that are set."""
        self._decided: deque[Decided] = deque()
        """What the records of the present event make true, in order."""
        self._version_image: MetadataImage | None = None
        self._version = 0

    def get(self, transactional_id: str) -> Transaction:
        """Raises InvalidProducerIdMapping when the id is not known."""
        found = self.by_id.get(transactional_id)
        if found is None:
            raise InvalidProducerIdMapping()
        return found

    def write(self, transaction: Transaction, context: Context, out: Outputs) -> None:
        """Has the transaction become true."""
        decided = self.as_record(transaction, context)
        self._decided.append(decided)
        out.append(decided.record)

    def as_record(self, transaction: Transaction, context: Context) -> Decided:
        """The transaction with the record that makes it true."""
        return Decided(transaction.record(min(self.version(context), 1)), transaction)

    def refused(self) -> None:
        """What the present event has decided is not written."""
        self._decided.clear()

    def version(self, context: Context) -> int:
        """The finalized transaction.version."""
        if context.image is not self._version_image:
            self._version_image = context.image
            self._version = context.image.features().get(VERSION_FEATURE, 0)
        return self._version

    def start_timer(self, key: str, after_ms: int, context: Context, out: Outputs) -> None:
        """Starts a timer that is not running."""
        if key not in self.timers:
            self.timers.add(key)
            out.set_timer(key, context.now + after_ms)

    def replay(self, stored: Stored) -> None:
        """Applies a record."""
        key, value = stored.key, stored.value
        assert isinstance(key, TransactionLogKey)
        transactional_id = key.transactional_id
        if value is None:
            self._forget(transactional_id)
            return
        assert isinstance(value, TransactionLogValue)
        self._set(self._meant_by(transactional_id, value))

    def _set(self, now_true: Transaction) -> None:
        transactional_id = now_true.transactional_id
        self.by_id[transactional_id] = now_true
        if now_true.state is TransactionState.ONGOING:
            self.ongoing.add(transactional_id)
        else:
            self.ongoing.discard(transactional_id)
        if now_true.is_at_rest:
            self.markers.pop(transactional_id, None)

    def lend(self, transaction: Transaction) -> bool:
        """Takes note that the id is lent from now on, if `transaction` is still what is known of it."""
        transactional_id = transaction.transactional_id
        if self.by_id.get(transactional_id) is not transaction or transactional_id in self.lent:
            return False
        self.lent.add(transactional_id)
        self.ongoing.discard(transactional_id)
        return True

    def returned(self, transactional_id: str, changes: Changes | None) -> Transaction:
        """Takes note that a lent id is back: what is true of it now."""
        self.lent.discard(transactional_id)
        found = self.by_id[transactional_id]
        if changes is not None:
            found = found.changed(changes)
            if changes.connection:
                self.connections[transactional_id] = changes.connection
        self._set(found)
        return found

    def _meant_by(self, transactional_id: str, value: TransactionLogValue) -> Transaction:
        """The transaction that a record makes true: as it was decided, when that was here."""
        if self._decided and self._decided[0].record.value is value:
            return self._decided.popleft().transaction
        pending = self.markers.get(transactional_id)
        if pending is not None and pending.completed and pending.completed.record.value is value:
            return pending.completed.transaction
        return loaded(self.by_id.get(transactional_id), transactional_id, value)

    def _forget(self, transactional_id: str) -> None:
        self.by_id.pop(transactional_id, None)
        self.ongoing.discard(transactional_id)
        self.markers.pop(transactional_id, None)
        self.connections.pop(transactional_id, None)
