"""The edge of the transaction coordinator: what handlers and the data plane ask it, and its markers.

Markers of all transactions whose outcome was committed in one turn of the loop are written in one call, in
the same turn; what has become of them is appended in the next append of that turn, unless they wait for
replicas or the disk.

Always true:
  the data plane knows a partition as part of a transaction from before the answer to whoever has added it at
  the earliest, and until before the first marker of the transaction at the latest
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from barnabas.coordinator.records import GROUPS, TRANSACTIONS
from barnabas.coordinator.shard import Phase
from barnabas.coordinator.transaction.lending import Lend
from barnabas.coordinator.transaction.machine import TransactionMachine
from barnabas.coordinator.transaction.requests import (
    AddPartitions,
    EndedUnmarked,
    EndTransaction,
    ListTransactions,
    MarkersWritten,
    PartitionsAdded,
    ProducerIdAndEpoch,
    VerifyPartitions,
    WriteMarkers,
)
from barnabas.coordinator.transaction.settings import TransactionSettings
from barnabas.coordinator.transaction.state import (
    EPOCH_BUMP_VERSION,
    Changes,
    TopicPartition,
    Transaction,
)
from barnabas.errors import ConcurrentTransactions, CoordinatorLoadInProgress, KafkaError
from barnabas.protocol import ErrorCode
from barnabas.server.coordinators import Client, java_hash
from barnabas.server.handlers.context import PerNode
from barnabas.server.producer_ids import ProducerIds

if TYPE_CHECKING:
    from barnabas import _core
    from barnabas.config.resolve import BrokerConfigs
    from barnabas.coordinator.shard import Shard
    from barnabas.server.handlers.context import NodeContext

NOBODY = Client()

Checked = Callable[[list[int]], None]
"""Is called once with an error code for each partition."""


class TransactionCoordinator:
    """The transaction coordinator of one node."""

    def __init__(self, node: NodeContext) -> None:
        self.producer_ids = ProducerIds(node)
        self.latest_connection = 0
        """Highest number of a connection that has asked something of a transaction."""
        self._node = node
        self._node_id = node.node_id
        self._lent = node.lent_transactions
        self._offered: list[tuple[Shard, Transaction]] = []
        """What may be lent, and the shard that offers it."""
        self._markers: list[tuple[Shard, WriteMarkers]] = []
        self._waiting: dict[int, tuple[Shard, WriteMarkers]] = {}
        """Markers that are written and not committed yet, by what the data plane calls them."""
        self._added: list[_core.OpenTransaction] = []
        self._published: set[int] = set()
        """Producers whose transactions the data plane may know."""
        self._ended: list[int] = []
        """Those of them whose transactions are over."""
        node.coordinators.on_effect(WriteMarkers, self._note_markers)
        node.coordinators.on_effect(PartitionsAdded, self._note_added)
        node.coordinators.on_effect(EndedUnmarked, self._note_ended)
        node.coordinators.on_effect(Lend, self._note_offered)
        node.coordinators.performed.append(self._carry_out)

    def settings(self, configs: BrokerConfigs) -> TransactionSettings:
        """What its machines are configured with."""
        return TransactionSettings.of(configs, self.producer_ids.take_now, self)

    # ---- calls

    def submit(self, transactional_id: str, request: Any, then: Callable[[Any], None]) -> None:
        """Hands a call to the machine of the id; `then` gets the response or a KafkaError."""
        if (
            isinstance(request, AddPartitions | EndTransaction)
            and request.connection > self.latest_connection
        ):
            self.latest_connection = request.connection
        self._node.coordinators.submit(TRANSACTIONS, transactional_id, request, then, NOBODY)

    async def call(self, transactional_id: str, request: Any) -> Any:
        """The response to a call; raises KafkaError."""
        return await self._node.coordinators.call(TRANSACTIONS, transactional_id, request)

    async def list(self, asked: ListTransactions) -> list[Transaction]:
        """What all partitions of this node know; raises CoordinatorLoadInProgress while one is loading."""
        coordinators = self._node.coordinators
        found: list[Transaction] = []
        for partition in coordinators.partitions(TRANSACTIONS):
            if not coordinators.serves(TRANSACTIONS, partition):
                raise CoordinatorLoadInProgress()
        for partition in coordinators.partitions(TRANSACTIONS):
            future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            coordinators.submit_to(TRANSACTIONS, partition, asked, future.set_result)
            response = await future
            if isinstance(response, KafkaError):
                raise response
            found.extend(response)
        return found

    # ---- the data plane

    def data_plane_asks(self, asked: _core.TransactionCheck) -> None:
        """A Produce waits for its partitions to be part of a transaction."""

        def then(codes: list[int]) -> None:
            self._node.native.transaction_checked(asked.id, codes)

        producer = ProducerIdAndEpoch(asked.producer_id, asked.producer_epoch)
        self.check(asked.transactional_id, producer, asked.partitions, add=asked.add, then=then)

    def check(
        self,
        transactional_id: str,
        producer: ProducerIdAndEpoch,
        partitions: Sequence[TopicPartition],
        *,
        add: bool,
        then: Checked,
    ) -> None:
        """Whether the partitions are part of the producer's ongoing transaction; with `add`, of clients of
        transaction version 2, they are made part of it. A partition that is not is told with
        TRANSACTION_ABORTABLE, which clients before Produce 11 and TxnOffsetCommit 4 know as
        INVALID_TXN_STATE, and a producer that was fenced with INVALID_PRODUCER_EPOCH."""
        if not transactional_id:
            then([ErrorCode.INVALID_REQUEST] * len(partitions))
            return
        if add:
            _Addition(self._node, transactional_id, producer, partitions, then).attempt()
            return

        def verified(response: Any) -> None:
            then(_verified_codes(response, partitions))

        call = VerifyPartitions(transactional_id, producer, frozenset(partitions))
        self.submit(transactional_id, call, verified)

    # ---- what the data plane knows

    def _note_added(self, shard: Shard, added: PartitionsAdded) -> None:
        transactional_id, producer, partitions = added
        self._published.add(producer.producer_id)
        self._added.append((shard.partition, shard.leader_epoch, transactional_id, *producer, partitions))

    def _note_ended(self, _: Shard, ended: EndedUnmarked) -> None:
        self._withdraw(ended.producer)

    def _withdraw(self, producer: ProducerIdAndEpoch) -> None:
        if producer.producer_id in self._published:
            self._published.discard(producer.producer_id)
            self._ended.append(producer.producer_id)

    def _carry_out(self) -> None:
        if self._ended or self._added:
            self._node.native.publish_transactions(self._ended, self._added)
            self._ended, self._added = [], []
        if self._markers:
            self._write_markers()
        if self._offered:
            self._lend()

    # ---- what is lent to it

    def machine(self, partition: int) -> TransactionMachine:
        """The machine of a partition whose log is about to be read."""
        self.latest_connection = max(self.latest_connection, self._lent.forget(partition))
        return TransactionMachine(self.latest_connection)

    def _note_offered(self, shard: Shard, offer: Lend) -> None:
        self._offered.append((shard, offer.transaction))

    def _lend(self) -> None:
        offered, self._offered = self._offered, []
        self._lent.lend([row for row in map(self._lent_row, offered) if row is not None])

    def _lent_row(self, offered: tuple[Shard, Transaction]) -> _core.LentTransaction | None:
        """How the data plane is told of an id; None when it is not to be lent any more."""
        shard, transaction = offered
        machine = shard.machine
        assert isinstance(machine, TransactionMachine)
        if shard.phase is not Phase.SERVING or not machine.transactions.lend(transaction):
            return None
        transactional_id = transaction.transactional_id
        changes = Changes(
            producer_epoch=transaction.producer_epoch,
            last_producer_epoch=transaction.last_producer_epoch,
            previous_producer_id=transaction.previous_producer_id,
            state=transaction.state,
            partitions=tuple(transaction.partitions),
            start_timestamp=transaction.start_timestamp,
            last_update_timestamp=transaction.last_update_timestamp,
            client_transaction_version=transaction.client_transaction_version,
            connection=machine.transactions.connections.get(transactional_id, 0),
        )
        place = (shard.partition, shard.leader_epoch)
        return (*place, transactional_id, transaction.producer_id, transaction.timeout_ms, changes)

    def take_back(self, transactional_id: str) -> Changes | None:
        """What has become of a lent id."""
        row = self._lent.take_back(transactional_id)
        return None if row is None else Changes(*row)

    def overdue(self, now: int) -> Sequence[str]:
        """Lent ids with transactions that are open for too long."""
        return self._lent.overdue(now)

    # ---- markers

    def _note_markers(self, shard: Shard, markers: WriteMarkers) -> None:
        self._withdraw(markers.producer)
        self._markers.append((shard, markers))

    def _write_markers(self) -> None:
        """Writes what was noted, by the coordinator epoch under which it was decided."""
        noted, self._markers = self._markers, []
        by_epoch: dict[int, list[tuple[Shard, WriteMarkers]]] = {}
        for shard, markers in noted:
            if markers.leader == self._node_id:
                by_epoch.setdefault(shard.leader_epoch, []).append((shard, markers))
            else:
                self._tell(shard, markers, [ErrorCode.NOT_LEADER_OR_FOLLOWER] * len(markers.partitions))
        for epoch, of_epoch in by_epoch.items():
            rows = [
                (*markers.producer, markers.commit, markers.transaction_version, markers.partitions)
                for _, markers in of_epoch
            ]
            results = self._node.native.write_markers(epoch, rows)
            for written, (waits_as, codes) in zip(of_epoch, results, strict=True):
                if waits_as:
                    self._waiting[waits_as] = written
                else:
                    self._tell(*written, codes)

    def markers_moved(self, waits_as: int) -> None:
        """Markers that wait for replicas or the disk may be committed now."""
        codes = self._node.native.markers_written(waits_as) if waits_as in self._waiting else None
        if codes is not None:
            shard, markers = self._waiting.pop(waits_as)
            self._tell(shard, markers._replace(completed=None), codes)  # Time has passed since.

    def _tell(self, shard: Shard, markers: WriteMarkers, codes: Sequence[int]) -> None:
        if markers.completed is not None and not any(codes):
            self._node.coordinators.follow_up(shard, [markers.completed])
            return
        self._node.coordinators.submit_to(
            TRANSACTIONS, shard.partition, MarkersWritten(markers, tuple(codes)), _ignore
        )


class _Addition:
    """A partition is made part of a transaction for the data plane. While the transaction before it ends,
    it is tried again for a short time here, which costs the client less than asking again."""

    def __init__(
        self,
        node: NodeContext,
        transactional_id: str,
        producer: ProducerIdAndEpoch,
        partitions: Sequence[TopicPartition],
        then: Checked,
    ) -> None:
        self._node = node
        self._count = len(partitions)
        self._request = AddPartitions(
            transactional_id, producer, frozenset(partitions), transaction_version=EPOCH_BUMP_VERSION
        )
        self._then = then
        self._deadline = 0.0

    def attempt(self) -> None:
        """Asks the coordinator."""
        request = self._request
        self._node.coordinators.submit(TRANSACTIONS, request.transactional_id, request, self._answered)

    def _answered(self, response: Any) -> None:
        if isinstance(response, ConcurrentTransactions) and self._try_again():
            return
        code = data_plane_code(response) if isinstance(response, KafkaError) else ErrorCode.NONE
        self._then([code] * self._count)

    def _try_again(self) -> bool:
        loop = asyncio.get_running_loop()
        settings = self._node.settings
        if not self._deadline:
            most = settings.get_int("add.partitions.to.txn.retry.backoff.max.ms")
            self._deadline = loop.time() + most / 1000
        pause = settings.get_int("add.partitions.to.txn.retry.backoff.ms") / 1000
        if loop.time() + pause > self._deadline:
            return False
        loop.call_later(pause, self.attempt)
        return True


def _verified_codes(response: Any, partitions: Sequence[TopicPartition]) -> list[int]:
    if isinstance(response, KafkaError):
        return [data_plane_code(response)] * len(partitions)
    return [
        ErrorCode.NONE if partition in response else ErrorCode.TRANSACTION_ABORTABLE
        for partition in partitions
    ]


def data_plane_code(error: KafkaError) -> int:
    """How the data plane tells the coordinator's error to a client, as far as that does not depend on the
    version of the client's request."""
    if error.error_code == ErrorCode.PRODUCER_FENCED:
        return ErrorCode.INVALID_PRODUCER_EPOCH
    return error.error_code


def fenced_code(error: KafkaError, *, knows_fenced: bool) -> int:
    """The error's code for a client that may be too old to know PRODUCER_FENCED."""
    if error.error_code == ErrorCode.PRODUCER_FENCED and not knows_fenced:
        return ErrorCode.INVALID_PRODUCER_EPOCH
    return error.error_code


def offsets_partition(node: NodeContext, group_id: str) -> int:
    """The partition of `__consumer_offsets` that has the group's offsets, or will have them."""
    found = node.coordinators.partition_of(GROUPS, group_id)
    if found is None:
        found = java_hash(group_id) % node.settings.get_int("offsets.topic.num.partitions")
    return found


def _ignore(_response: Any) -> None:
    pass


_COORDINATORS = PerNode(TransactionCoordinator)


def of(node: NodeContext) -> TransactionCoordinator:
    """The transaction coordinator of `node`."""
    return _COORDINATORS.of(node)
