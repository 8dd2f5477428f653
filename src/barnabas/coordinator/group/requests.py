"""What the machine of `__consumer_offsets` is asked where the request on the wire spans several groups, or
lacks what only the server knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from barnabas.protocol.generated.offset_fetch_request import OffsetFetchRequestGroup
    from barnabas.protocol.generated.txn_offset_commit_request import TxnOffsetCommitRequest


class FetchOffsets(NamedTuple):
    """One group of an OffsetFetch, its topics by name; the answer is an OffsetFetchResponseGroup."""

    group: OffsetFetchRequestGroup
    require_stable: bool


class TxnCommit(NamedTuple):
    """A TxnOffsetCommit whose producer may write; the answer is a TxnOffsetCommitResponse."""

    request: TxnOffsetCommitRequest
    verification_guard: int = 0


class ListGroups(NamedTuple):
    """All groups in these states and of these kinds (lower case; empty for all); the answer is a list of
    ListedGroup."""

    states: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()


class DescribeGroup(NamedTuple):
    """One group of a DescribeGroups; the answer is a DescribedGroup."""

    group_id: str


class DeleteGroup(NamedTuple):
    """One group of a DeleteGroups; the answer is a DeletableGroupResult, or DeleteStatesFirst."""

    group_id: str


class DescribeConsumerGroup(NamedTuple):
    """One group of a ConsumerGroupDescribe; the answer is a DescribedGroup of that API."""

    group_id: str
