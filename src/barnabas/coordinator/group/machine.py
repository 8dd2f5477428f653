"""The machine of one partition of `__consumer_offsets`: gives each call, record and timer to its part.

`PARTS` is the list of parts; a new kind of group is one line there.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Any

from barnabas.coordinator.group.admin import AdminPart
from barnabas.coordinator.group.classic.part import ClassicPart
from barnabas.coordinator.group.consumer.part import ConsumerPart
from barnabas.coordinator.group.kind import Groups, Part
from barnabas.coordinator.group.lending import LentGroups
from barnabas.coordinator.group.offset_part import OffsetPart
from barnabas.coordinator.group.offsets import Offsets
from barnabas.coordinator.group.share.part import SharePart
from barnabas.coordinator.group.steady import SteadyGroups
from barnabas.coordinator.group.streams.part import StreamsPart
from barnabas.coordinator.group.tally import count_call, count_expired

if TYPE_CHECKING:
    from barnabas.coordinator.group.kind import Handle, Replay
    from barnabas.coordinator.machine import Call, Context, Outputs, Stored, TimerKey
    from barnabas.protocol.message import Message

PARTS: tuple[type[Part], ...] = (OffsetPart, ClassicPart, ConsumerPart, SharePart, StreamsPart, AdminPart)
"""In the order in which they are loaded."""


class GroupMachine:
    """The groups whose ids fall into one partition, and what they have committed."""

    def __init__(self, parts: tuple[type[Part], ...] = PARTS, tally: Counter[str] | None = None) -> None:
        """`tally` counts what is done here, beside other machines; names are in `tally`."""
        self.tally: Counter[str] = Counter() if tally is None else tally
        self.groups = Groups(Offsets())
        self.parts: dict[str, Part] = {part.name: part(self.groups) for part in parts}
        self._steady = SteadyGroups()
        self.lending = LentGroups(self.groups, self._steady, self.replay, self.tally)

    # A node leads 50 partitions at once when the first group comes, and most are asked nothing.
    @cached_property
    def _calls(self) -> dict[type[Any], Handle]:
        return {kind: handle for part in self.parts.values() for kind, handle in part.calls().items()}

    @cached_property
    def _replays(self) -> dict[type[Message], Replay]:
        return {kind: replay for part in self.parts.values() for kind, replay in part.replays().items()}

    def replay(self, stored: Stored) -> None:
        """Applies a record; one that no part knows means nothing here, as in Kafka."""
        replay = self._replays.get(type(stored.key))
        if replay is not None:
            replay(stored)

    def replay_transaction_end(self, producer_id: int, producer_epoch: int, committed: bool) -> None:
        """Applies a control record: a transaction on this partition ends."""
        for part in self.parts.values():
            part.replay_transaction_end(producer_id, producer_epoch, committed)

    def loaded(self, context: Context, out: Outputs) -> None:
        """All records of the past are replayed: timers start."""
        for part in self.parts.values():
            part.loaded(context, out)

    def handle(self, call: Call, context: Context, out: Outputs) -> None:
        """Decides a call."""
        self.lending.call_comes(call)
        self._calls[type(call.request)](call, context, out)
        count_call(self.tally, call, out)
        self._steady.called(call, out)
        self.lending.decided(call, context, out)

    def expire(self, key: TimerKey, context: Context, out: Outputs) -> None:
        """A timer has come to its deadline."""
        assert isinstance(key, tuple)
        self.lending.timer_comes(key)
        self.parts[key[0]].expire(key, context, out)
        count_expired(self.tally, out)
        self._steady.expired(key, out)

    def metadata_changed(self, context: Context, out: Outputs) -> None:
        """The committed metadata is another now."""
        self.lending.take_back_all()
        for part in self.parts.values():
            part.metadata_changed(context, out)
        self._steady.happened(out)
