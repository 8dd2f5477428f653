"""One node: the native data plane, and the event loop in which Python decides.

Always true:
  metadata is proposed from one thread, so that each decision sees the one before it
  a request is answered at most once; a request that fails closes its connection and is logged
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from barnabas import _core
from barnabas.config.listeners import format_address
from barnabas.server import dispatch, lifecycle, warming
from barnabas.server.coordinator_kinds import kinds
from barnabas.server.coordinators import Coordinators
from barnabas.server.native import broker_configs
from barnabas.server.starting import NativeStart

if TYPE_CHECKING:
    import ssl

    from barnabas._core import ColdRequest, MetadataImage
    from barnabas.config.settings import BrokerSettings
    from barnabas.controller.decision import ControllerState, Decision, Record
    from barnabas.protocol.message import Message

R = TypeVar("R")

logger = logging.getLogger("barnabas")

EVENTS_MAX = 256
"""Events taken from Rust in one turn of the loop."""
TURNS_MAX = 8
"""Turns that follow one another at once while there is more to take in; then whatever else the loop has to do
is done."""
DRAINS_MAX = 64
"""Turns that may be taken before a timer runs: so many events at most are waited for."""
STOP_MS_MAX = 20_000
"""Longest wait for requests in hand when the node stops."""


class NodeServer:
    """A broker and controller. `start` brings it up, `run` serves until `request_stop`."""

    def __init__(
        self,
        settings: BrokerSettings,
        *,
        memory: bool | _core.MemoryDisk,
        starting: NativeStart | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """`memory`: whether files are in memory, or in which; `starting`: the native half, where it has been
        begun already; `loop`: an event loop to run in instead of a new one."""
        self.settings = settings
        self.memory = memory
        self._starting = starting or NativeStart(settings, memory=memory)
        self.native = self._starting.native
        self.failure: str | None = None
        """Why the node stopped by itself; None while it runs or was asked to stop."""
        self.registry_tls: Callable[[], ssl.SSLContext | None] = lambda: None
        """Gives what the schema registry is trusted by; None for the system's certificates."""
        self._overrides: tuple[dict[str, str], dict[str, str]] = ({}, {})
        self._loop = loop or asyncio.new_event_loop()
        self._killed = False
        self._stopping = asyncio.Event()
        self._commits: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._responses: list[tuple[int, Message | None]] = []
        self._in_turn = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.coordinators = Coordinators(
            self.native,
            self._loop,
            self.now,
            lambda: broker_configs(self.settings, self.native.image()),
            kinds(self),
        )
        self.coordinators.drain = self._drain

    # ---- life

    def start(self) -> None:
        """Opens the directories, becomes the active controller, registers the broker, listens.

        Raises StartError. When this returns, clients are served; what Python answers waits for `run`.
        """
        self._starting.bring_up()

    def run(self) -> None:
        """Serves until `request_stop`; then stops cleanly."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())
        if self._killed:
            _core.kill(self.native)
        else:
            self.native.stop()

    def request_stop(self) -> None:
        """Asks `run` to end; safe from any thread and from signal handlers."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopping.set)

    def kill(self) -> None:
        """Asks `run` to end the node as a kill of its process would. Safe from any thread."""
        self._killed = True
        self.request_stop()

    @property
    def bootstrap(self) -> str:
        """host:port of the first listener, as clients are told it."""
        _, host, port, _ = lifecycle.advertised(self.settings, self._starting.addresses)[0]
        return format_address(host, port)

    @property
    def node_id(self) -> int:
        return self.settings.node_id

    @property
    def cluster_id(self) -> str:
        return self.native.cluster_id

    async def _serve(self) -> None:
        descriptor = self.native.event_descriptor()
        self._loop.add_reader(descriptor, self._on_events)
        self._on_events()
        warming.begin(self._loop)
        await self._stopping.wait()
        if not self._killed:
            await self._loop.run_in_executor(None, self.native.stop_serving, STOP_MS_MAX)
        self._loop.remove_reader(descriptor)

    # ---- events from Rust

    def _on_events(self) -> None:
        """Takes in what has happened; what follows from it leaves in the same turn."""
        for _ in range(TURNS_MAX):
            events = self.native.drain(EVENTS_MAX)
            if not events:
                return
            self._in_turn = True
            self.coordinators.begin_turn()
            try:
                self._take(events)
            finally:
                self.coordinators.end_turn()
                self._in_turn = False
                self._send_responses()

    def _drain(self) -> None:
        """Takes in all that has happened until now, before a timer decides that it has not."""
        for _ in range(DRAINS_MAX):
            if self._take_in() < EVENTS_MAX:
                return

    def _take_in(self) -> int:
        events = self.native.drain(EVENTS_MAX)
        self._take(events)
        return len(events)

    def _take(self, events: Sequence[_core.Event]) -> None:
        for event in events:
            match event:
                case _core.ColdRequest():
                    self._begin(event)
                case _core.Committed():
                    self._note_commit(event.offset)
                case _core.ReplicaDirectory():
                    self._record_directory(event)
                case _core.DirectoryFailed():
                    self._record_failure(event.directory)
                case _core.DirectoryReturned():
                    self._record_return(event.directory)
                case _core.LogLine():
                    logging.getLogger(event.target).log(event.level, "%s", event.message)
                case _core.Fatal():
                    logger.critical("the node stops: %s", event.reason)
                    self.failure = event.reason
                    self._stopping.set()
                case _core.FaultedRequest():
                    self._answer_fault(event)
                case _core.FiguresWanted():
                    self._tell_figures()
                case _core.CoordinatorLeadership():
                    self.coordinators.leadership(event.topic, event.partition, event.leader_epoch)
                case _core.CoordinatorCommitted():
                    self.coordinators.committed(event.topic, event.partition, event.high_watermark)
                case _core.TransactionEnded():
                    self.coordinators.transaction_ended(
                        event.topic,
                        event.partition,
                        event.offset,
                        event.producer_id,
                        event.producer_epoch,
                        committed=event.committed,
                    )
                case _core.PartitionReadable():
                    self._partition_readable(event)
                case _core.TransactionCheck():
                    self._check_transaction(event)
                case _core.SchemaCheck():
                    self._check_schemas(event)
                case _core.ConnectionClosed():
                    self._connection_closed(event)
                case _core.MarkersMoved():
                    self._markers_moved(event)

    def _answer_fault(self, event: _core.FaultedRequest) -> None:
        from barnabas.server.handlers.refusal import refused

        self._respond(event.request.id, refused(event.request, event.error_code))

    def _tell_figures(self) -> None:
        from barnabas.server import figures, lent_groups

        lent_groups.of(self).take_back_all()
        self.native.tell_figures(figures.of_coordinators(self.coordinators, self.now()))

    def _partition_readable(self, event: _core.PartitionReadable) -> None:
        from barnabas.server import share_partitions

        share_partitions.of(self).readable(event.topic_id, event.partition)

    def _connection_closed(self, event: _core.ConnectionClosed) -> None:
        from barnabas.server import share_partitions

        share_partitions.of(self).disconnected(event.connection)

    def _check_transaction(self, event: _core.TransactionCheck) -> None:
        from barnabas.server import transactions

        transactions.of(self).data_plane_asks(event)

    def _check_schemas(self, event: _core.SchemaCheck) -> None:
        from barnabas.server import schema_checks

        schema_checks.of(self).data_plane_asks(event)

    def _markers_moved(self, event: _core.MarkersMoved) -> None:
        from barnabas.server import transactions

        transactions.of(self).markers_moved(event.id)

    def _begin(self, request: ColdRequest) -> None:
        if dispatch.begin(self, request, partial(self._respond, request.id)):
            return
        task = self._loop.create_task(self._answer(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, request: ColdRequest) -> None:
        response = await dispatch.answer(self, request)
        if response is dispatch.ELSEWHERE:
            return
        self._respond(request.id, response)

    def _respond(self, request_id: int, response: Message | None) -> None:
        if not self._responses and not self._in_turn:
            self._loop.call_soon(self._send_responses)
        self._responses.append((request_id, response))

    def _send_responses(self) -> None:
        responses, self._responses = self._responses, []
        if responses:
            self.native.respond(responses)

    def _record_directory(self, event: _core.ReplicaDirectory) -> None:
        """Records where this broker has put a replica (what AssignReplicasToDirs does between nodes)."""
        from barnabas.controller.directories import assign_replica

        self._propose_now(
            assign_replica(self.state(), self.node_id, event.topic_id, event.partition, event.directory)
        )

    def _record_failure(self, directory: _core.Uuid) -> None:
        """Records that a log directory has failed (what heartbeats tell between nodes)."""
        from barnabas.controller.brokers import directories_offline

        state = self.state()
        self._propose_now(directories_offline(state, state.brokers[self.node_id], [directory]))

    def _record_return(self, directory: _core.Uuid) -> None:
        """Records that a log directory works again, so that its replicas lead as they did before."""
        from barnabas.controller.brokers import directories_online, lead_in

        self._propose_now(directories_online(self.state().brokers[self.node_id], [directory]))
        self._propose_now(lead_in(self.state(), self.node_id, [directory]))

    def _propose_now(self, records: Sequence[Record]) -> None:
        if records:
            self.native.propose(records)

    def _broker_overrides(self) -> tuple[dict[str, str], dict[str, str]]:
        configs = broker_configs(self.settings, self.native.image())
        return dict(configs.own), dict(configs.cluster)

    def _note_commit(self, offset: int) -> None:
        configs = self._broker_overrides()
        if configs != self._overrides:
            self._overrides = configs
            self._starting.configs.apply()
            self.coordinators.configs_changed()
        self.coordinators.metadata_changed()
        while self._commits and self._commits[0][0] <= offset:
            _, future = self._commits.popleft()
            if not future.done():
                future.set_result(None)

    # ---- what handlers use

    @property
    def lent_groups(self) -> _core.LentGroups:
        return _core.LentGroups(self.native)

    @property
    def lent_transactions(self) -> _core.LentTransactions:
        return _core.LentTransactions(self.native)

    def now(self) -> int:
        return self.native.now()

    def image(self) -> MetadataImage:
        return self.native.image()

    def state(self) -> ControllerState:
        return lifecycle.controller_state(self.settings, self.native)

    def propose(self, records: Sequence[Record]) -> Awaitable[None]:
        future: asyncio.Future[None] = self._loop.create_future()
        if records:
            self._commits.append((self.native.propose(records), future))
        else:
            future.set_result(None)
        return future

    async def commit(self, decision: Decision[R]) -> R:
        await self.propose(decision.records)
        return decision.response

    def answer_natively(self, request: ColdRequest) -> None:
        self.native.answer_natively(request.id)
