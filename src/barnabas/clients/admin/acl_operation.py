"""What may be allowed or denied, and how brokers say what the caller may do."""

from __future__ import annotations

from enum import IntEnum

UNKNOWN_OPERATIONS = -(2**31)
"""What a broker answers that was not asked for operations."""


class AclOperation(IntEnum):
    """What is allowed or denied, with its code on the wire."""

    UNKNOWN = 0
    ANY = 1
    ALL = 2
    READ = 3
    WRITE = 4
    CREATE = 5
    DELETE = 6
    ALTER = 7
    DESCRIBE = 8
    CLUSTER_ACTION = 9
    DESCRIBE_CONFIGS = 10
    ALTER_CONFIGS = 11
    IDEMPOTENT_WRITE = 12
    CREATE_TOKENS = 13
    DESCRIBE_TOKENS = 14
    TWO_PHASE_COMMIT = 15


def authorized(bits: int) -> frozenset[AclOperation] | None:
    """The operations that a broker's bits stand for; None when it was not asked."""
    if bits == UNKNOWN_OPERATIONS:
        return None
    return frozenset(operation for operation in AclOperation if bits >> operation.value & 1)
