"""One change of a partition's state: its ISR, leader, replicas, and what follows from them.

Everything that touches a partition (fencing, AlterPartition, elections, reassignments, directories) states
what it wants here and gets at most one PartitionChangeRecord.

Always true of the partition that results:
  its ISR is a subset of its replicas, and its leader is in the ISR or absent
  a reassignment whose new replicas are all in the ISR is complete
  a leader that was not in the ISR (nor eligible, KIP-966) is marked as recovering
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from barnabas.controller.decision import (
    NO_LEADER,
    ControllerState,
    Record,
    directory_online,
    replica_directory,
)
from barnabas.protocol.generated.partition_change_record import PartitionChangeRecord

if TYPE_CHECKING:
    from barnabas._core import PartitionImage, Uuid

LEADER_UNCHANGED = -2
RECOVERY_UNCHANGED = -1
RECOVERED, RECOVERING = 0, 1


class Election(Enum):
    """How far the choice of a leader may go."""

    ONLINE = "keep the leader if it can stay"
    PREFERRED = "the first replica if it can lead"
    UNCLEAN = "any live replica rather than none"


@dataclass
class PartitionChange:
    """The state wanted for one partition. Fields start as the partition is; set what shall differ."""

    state: ControllerState
    topic_id: Uuid
    topic_name: str
    index: int
    partition: PartitionImage
    election: Election = Election.ONLINE
    live: Callable[[int], bool] | None = None
    """Which brokers count as up; by default those that are active in the image."""
    unclean_shutdown: frozenset[int] = frozenset()
    """Brokers that may have lost the end of their logs."""

    isr: list[int] = field(init=False)
    replicas: list[int] = field(init=False)
    adding: list[int] = field(init=False)
    removing: list[int] = field(init=False)
    elr: list[int] = field(init=False)
    recovery_state: int = field(init=False)
    directories: dict[int, Uuid] = field(default_factory=dict)
    """Directories to change, by broker."""

    def __post_init__(self) -> None:
        now = self.partition
        self.isr, self.replicas = list(now.isr), list(now.replicas)
        self.adding, self.removing = list(now.adding_replicas), list(now.removing_replicas)
        self.elr, self.recovery_state = list(now.elr), now.leader_recovery_state

    def record(self) -> Record | None:
        """The record that makes the change; None when nothing differs."""
        self._complete_reassignment()
        self._populate_elr()
        record = PartitionChangeRecord(topic_id=self.topic_id, partition_id=self.index)
        self._elect(record)
        self._note_isr(record)
        self._note_last_known_leader(record)
        self._note_assignment(record)
        if self.recovery_state != self.partition.leader_recovery_state:
            record.leader_recovery_state = self.recovery_state
        if record == PartitionChangeRecord(topic_id=self.topic_id, partition_id=self.index):
            return None
        return record, self.state.versions.partition

    def _complete_reassignment(self) -> None:
        if not self.adding and not self.removing:
            return
        replicas = [replica for replica in self.replicas if replica not in self.removing]
        isr = [replica for replica in self.isr if replica not in self.removing]
        if isr and replicas and set(replicas) <= set(isr):
            self.replicas, self.isr, self.adding, self.removing = replicas, isr, [], []

    def _populate_elr(self) -> None:
        """Members that leave an ISR below min ISR stay eligible: they hold all that was committed."""
        if not self.state.elr_enabled:
            return
        if len(self.isr) >= self.state.min_isr(self.topic_name, len(self.partition.replicas)):
            self.elr = []
            return
        candidates = dict.fromkeys([*self.partition.elr, *self.partition.isr])
        self.elr = sorted(
            replica
            for replica in candidates
            if replica not in self.isr and replica not in self.unclean_shutdown
        )

    def _elect(self, record: PartitionChangeRecord) -> None:
        leader, unclean = self._choose_leader()
        if leader == self.partition.leader:
            return
        if leader in self.elr:
            self.isr = [leader]
            self.elr.remove(leader)
        record.leader = leader
        if unclean:
            record.isr = [leader]
            if self.partition.leader_recovery_state != RECOVERING:
                self.recovery_state = RECOVERING

    def _choose_leader(self) -> tuple[int, bool]:
        """(leader, whether it may miss records)"""
        current = self.partition.leader
        preference = [current, *self.replicas]
        if self.election is Election.PREFERRED:
            preference = [self.replicas[0], *preference]
        for replica in preference:
            if self._may_lead(replica):
                return replica, False
        if self._last_known_leader_may_lead():
            return self.partition.last_known_elr[0], True
        if self.election is Election.UNCLEAN:
            for replica in self.replicas:
                if self._acceptable(replica):
                    return replica, True
        return NO_LEADER, False

    def _may_lead(self, replica: int) -> bool:
        complete = replica in self.isr or (not self.isr and replica in self.elr)
        return complete and self._acceptable(replica)

    def _last_known_leader_may_lead(self) -> bool:
        last_known = self.partition.last_known_elr
        alone = self.state.elr_enabled and not self.elr and not self.isr and len(last_known) == 1
        return alone and self._acceptable(last_known[0])

    def _acceptable(self, replica: int) -> bool:
        live = self.live or self.state.active
        directory = self.directories.get(replica, replica_directory(self.partition, replica))
        return live(replica) and directory_online(self.state.brokers.get(replica), directory)

    def _note_isr(self, record: PartitionChangeRecord) -> None:
        now = self.partition
        if record.leader == LEADER_UNCHANGED and not set(now.replicas) <= set(self.replicas):
            record.leader = now.leader  # A new epoch, so that removed replicas stop fetching.
        if record.isr is not None or not self.state.elr_enabled:
            self.elr = []
        if self.elr != list(now.elr):
            record.eligible_leader_replicas = self.elr
        # Without ELR the last ISR is kept when its last member goes: it is the list of who may come back.
        may_be_empty = self.state.elr_enabled
        if record.isr is None and self.isr != list(now.isr) and (self.isr or may_be_empty):
            record.isr = self.isr
        shrinks = record.isr is not None and not set(now.isr) <= set(record.isr)
        if shrinks and record.leader == LEADER_UNCHANGED and self.state.versions.epoch_grows_when_isr_shrinks:
            record.leader = now.leader

    def _note_last_known_leader(self, record: PartitionChangeRecord) -> None:
        if not self.state.elr_enabled:
            return
        now = self.partition
        leader = now.leader if record.leader == LEADER_UNCHANGED else record.leader
        if record.isr == []:
            if list(now.last_known_elr) != [now.leader]:
                record.last_known_elr = [now.leader]
        elif leader != NO_LEADER and now.last_known_elr:
            record.last_known_elr = []

    def _note_assignment(self, record: PartitionChangeRecord) -> None:
        now = self.partition
        if self.state.versions.directories:
            known = dict(zip(now.replicas, now.directories, strict=False)) | self.directories
            default = self.state.default_directory
            directories = [known[id] if id in known else default(id) for id in self.replicas]
            if directories != list(now.directories):
                record.directories = directories
        if self.replicas != list(now.replicas):
            record.replicas = self.replicas
        if self.removing != list(now.removing_replicas):
            record.removing_replicas = self.removing
        if self.adding != list(now.adding_replicas):
            record.adding_replicas = self.adding
