"""What members of classic consumer groups say in their metadata, as far as the coordinator reads it: topics.

The coordinator hands metadata on as it is; it looks inside only to know which offsets must not expire.
"""

from __future__ import annotations

from collections.abc import Iterable

from barnabas._core import decode
from barnabas.protocol.generated.consumer_protocol_subscription import ConsumerProtocolSubscription


def subscribed_topics(metadata: Iterable[bytes]) -> frozenset[str] | None:
    """Topics in the subscriptions of members; None when one of them can't be read."""
    topics: set[str] = set()
    for data in metadata:
        subscription = read_subscription(data)
        if subscription is None:
            return None
        topics.update(subscription.topics)
    return frozenset(topics)


def read_subscription(data: bytes) -> ConsumerProtocolSubscription | None:
    """A member's subscription; None when it is none.

    A version that is newer than ours begins with what ours has, and goes on with what we pass over.
    """
    if len(data) < 2:
        return None
    version = int.from_bytes(data[:2], "big", signed=True)
    if version < ConsumerProtocolSubscription.LOWEST_VERSION:
        return None
    try:
        found = decode(
            ConsumerProtocolSubscription, min(version, ConsumerProtocolSubscription.HIGHEST_VERSION), data[2:]
        )
    except ValueError:
        return None
    assert isinstance(found, ConsumerProtocolSubscription)
    return found
