"""What a coordinator's state machine is given and what it gives back.

A machine holds the state of one partition of `__consumer_offsets`, `__transaction_state` or
`__share_group_state`. What is written to the partition changes only in `replay`: a decision puts records
into its `Outputs`, and they are replayed before the next event, by the same lines that replay them when the
partition is loaded. What is never written (who waits for a response, when a session ends) a decision may
change at once.

Records of many events are appended together, once for each turn of the event loop. Until then, and until
they are committed, only the machine knows of them.

Always true:
  a response leaves only when every record put out before it, its own included, is committed
  when an append fails, the machine is thrown away and the partition loaded again; whoever waits is told that
  the coordinator is not available
  a batch that the log would refuse by itself (too large; a transaction that is over) is not replayed, and
  fails the calls that its event would have answered, nobody else's
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from barnabas._core import MetadataImage, Uuid
    from barnabas.errors import KafkaError
    from barnabas.protocol.message import Message

Ticket = int
"""Names a call that waits for its response."""

TimerKey = Hashable
"""Names a timer of one machine; setting it again moves it."""


class Record(NamedTuple):
    """A record of the partition: what is known under `key` from now on; `value` None is a tombstone."""

    key: Message
    value: Message | None
    value_version: int = 0


class Stored(NamedTuple):
    """A record as it lies in the partition. Key and value of a record just put out are the very objects
    that were put out."""

    offset: int
    """Later records have larger ones; of a record just put out, the offset that it will most likely have."""
    timestamp: int
    """Milliseconds since the Unix epoch."""
    producer_id: int
    """Of the transaction that the record is part of; -1 for none."""
    producer_epoch: int
    key: Message
    value: Message | None


class Call(NamedTuple):
    """A request, or the part of one that concerns this partition."""

    ticket: Ticket
    request: Any
    """A message, or a plain value that stands for part of one."""
    api_version: int = 0
    client_id: str = ""
    client_host: str = ""
    """As Kafka writes it: '/127.0.0.1'."""
    connection: int = 0
    """Numbers the connection that it came in by; 0 when that does not matter."""


def _never_heard(_group_id: str, _member_id: str) -> int | None:
    return None


class Context(NamedTuple):
    """The world at the moment of an event."""

    now: int
    """Milliseconds since the Unix epoch."""
    image: MetadataImage
    """The committed metadata."""
    configs: Any
    """What the machine's own settings module resolves from the broker's and the groups' configs."""
    new_id: Callable[[], Uuid]
    heard: Callable[[str, str], int | None] = _never_heard
    """When a heartbeat of a group's steady member was answered elsewhere last, in milliseconds since the Unix
    epoch; None when none was, or so long ago that it does not matter."""


class Batch(NamedTuple):
    """Records that are appended at once, whole or not at all."""

    records: list[Record]
    producer_id: int = -1
    """Of the transaction that they are part of; -1 for none."""
    producer_epoch: int = -1
    verification_guard: int = 0
    """Of the transaction coordinator's word that the transaction is open (KIP-890); 0 for none."""
    divisible: bool = False
    """Whether the records may be appended in several batches after all."""


class Steady(NamedTuple):
    """A member whose heartbeats change nothing. The same heartbeat, on the same connection and with nothing
    new, has the same answer until the group is named in `Outputs.unsteady`."""

    group_id: str
    member_id: str
    group_instance_id: str | None
    epoch: int
    """Its generation, or its member epoch."""
    heartbeat_interval_ms: int
    """What it is told; -1 in a classic group."""
    session_timeout_ms: int
    connection: int


Refused = Callable[["KafkaError", "Context", "Outputs"], None]
"""Called when a batch is refused: with the error that the event's calls get, and a place for new outputs."""


class Outputs:
    """What is to happen after an event, in this order: replay, timers, append, and effects and responses
    when everything is committed."""

    __slots__ = ("batches", "effects", "refused", "responses", "steady", "timers", "unsteady")

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.timers: list[tuple[TimerKey, int | None]] = []
        self.effects: list[Any] = []
        self.responses: list[tuple[Ticket, Any]] = []
        self.refused: Refused | None = None
        """What undoes the decision when a batch of it is refused; None when there is nothing to undo."""
        self.steady: Steady | None = None
        """A member whose heartbeats may be answered elsewhere from now on."""
        self.unsteady: set[str] = set()
        """Groups of which no heartbeat may be answered elsewhere any more. Happens at once, before all
        else."""

    def append(self, *records: Record) -> None:
        """Appends to the partition, in one batch with what else this event appends."""
        last = self.batches[-1] if self.batches else None
        if last is not None and last.producer_id < 0 and not last.divisible:
            last.records.extend(records)
        elif records:
            self.batches.append(Batch(list(records)))

    def append_each(self, records: list[Record]) -> None:
        """Appends records that need not stay together: a long clean-up, for instance."""
        if records:
            self.batches.append(Batch(records, divisible=True))

    def append_transactional(
        self, producer_id: int, producer_epoch: int, records: list[Record], verification_guard: int = 0
    ) -> None:
        """Appends records that count only if the producer's transaction is committed."""
        self.batches.append(Batch(records, producer_id, producer_epoch, verification_guard))

    def respond(self, ticket: Ticket, response: Any) -> None:
        """Answers a call."""
        self.responses.append((ticket, response))

    def fail(self, ticket: Ticket, error: KafkaError) -> None:
        """Answers a call with an error for the whole of it; the handler gives it the API's shape."""
        self.responses.append((ticket, error))

    def set_timer(self, key: TimerKey, deadline: int) -> None:
        """Has `expire` called with `key` at `deadline`, in milliseconds since the Unix epoch.

        What counts is how far that is from now: the clock may be set meanwhile, so `expire` need not ask
        whether it is time."""
        self.timers.append((key, deadline))

    def cancel_timer(self, key: TimerKey) -> None:
        """Forgets a timer, if there is one."""
        self.timers.append((key, None))

    def effect(self, effect: Any) -> None:
        """Asks the server for something of another part of the node (transaction markers, a topic, …), once
        everything put out so far is committed. `barnabas.server.coordinators` finds who does it by
        its type."""
        self.effects.append(effect)


class Machine(Protocol):
    """The state of one coordinator's partition."""

    def replay(self, stored: Stored) -> None:
        """Applies a record, of the past or just put out."""

    def replay_transaction_end(self, producer_id: int, producer_epoch: int, committed: bool) -> None:
        """Applies a control record: a transaction on this partition ends."""

    def loaded(self, context: Context, out: Outputs) -> None:
        """All records of the past are replayed: timers start."""

    def handle(self, call: Call, context: Context, out: Outputs) -> None:
        """Decides a call, whose response may come with a later event. A KafkaError that it raises is the
        answer to the whole call; nothing that was put out before it counts."""

    def expire(self, key: TimerKey, context: Context, out: Outputs) -> None:
        """A timer has come to its deadline; it is gone unless it is set again."""

    def metadata_changed(self, context: Context, out: Outputs) -> None:
        """The committed metadata is another now."""
