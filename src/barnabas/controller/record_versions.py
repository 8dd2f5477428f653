"""Which version of a metadata record each metadata.version writes. Nothing else picks one.

A record above what the cluster has agreed on would stop every node that reads it, so the choice has one home.
"""

from __future__ import annotations

from dataclasses import dataclass

METADATA_VERSION = "metadata.version"

METADATA_VERSION_MIN = 7
"""3.3-IV3, the floor of Kafka 4."""

METADATA_VERSION_MAX = 30
"""4.3-IV0: the newest level whose meaning is implemented here. 31 to 33 bring share.version 2, CIDR hosts in
ACLs and the unregistration of controllers."""

# Versions of BrokerRegistrationChangeRecord follow what it says, as Kafka writes it.
FENCING_CHANGE = 0
CONTROLLED_SHUTDOWN_CHANGE = 1
LOG_DIRS_CHANGE = 2
CORDONED_LOG_DIRS_CHANGE = 3


@dataclass(frozen=True)
class RecordVersions:
    """The versions that one level of metadata.version allows."""

    metadata_version: int

    @property
    def register_broker(self) -> int:
        """RegisterBrokerRecord."""
        level = self.metadata_version
        if level >= 30:
            return 4
        if level >= 17:
            return 3
        return 2 if level >= 8 else 1

    @property
    def partition(self) -> int:
        """PartitionRecord and PartitionChangeRecord."""
        level = self.metadata_version
        if level >= 23:
            return 2
        return 1 if level >= 17 else 0

    @property
    def directories(self) -> bool:
        """Whether a partition's record names the log directory of each replica (KIP-858)."""
        return self.metadata_version >= 17

    @property
    def eligible_leader_replicas(self) -> bool:
        """Whether a partition's record can hold eligible leader replicas (KIP-966)."""
        return self.metadata_version >= 23

    @property
    def cordoned_log_dirs(self) -> bool:
        """Whether a registration can hold cordoned log directories."""
        return self.metadata_version >= 30

    @property
    def transactions(self) -> bool:
        """Whether several batches can be bracketed as one change (KIP-868)."""
        return self.metadata_version >= 13

    @property
    def scram(self) -> bool:
        """Whether SCRAM credentials can be stored (KIP-900)."""
        return self.metadata_version >= 11

    @property
    def epoch_grows_when_isr_shrinks(self) -> bool:
        """Whether a smaller ISR needs a new leader epoch (KAFKA-15021 ended that)."""
        return self.metadata_version < 12
