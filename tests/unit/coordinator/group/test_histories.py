"""Random histories of one classic group and its offsets, beside a model of a few lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from barnabas.coordinator.group.classic.group import ClassicGroup, State
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.join_group_response import JoinGroupResponse
from tests.support.coordinator import Reply
from tests.unit.coordinator.group.group_sim import REBALANCE_MS, SESSION_MS, GroupSim

EXPELLED = (ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.FENCED_INSTANCE_ID)
PARTITIONS = 3
PRODUCERS = (1000, 1001)
INSTANCES = ("i1", "i2")

chance = st.integers(0, 2**16)
partitions = st.integers(0, PARTITIONS - 1)


@dataclass
class Client:
    """A member as it sees itself."""

    instance: str | None
    member_id: str = ""
    generation: int = -1
    waiting: Reply | None = None
    """Its JoinGroup or SyncGroup that is not answered."""
    synced: bool = False
    rejoins: bool = False
    """It has heard of a rebalance."""


@dataclass
class Generation:
    """What members of one generation were told."""

    leader: str
    protocol: str | None
    leaders: int = 0
    members: frozenset[str] = frozenset()
    given: dict[str, bytes] = field(default_factory=dict)
    """What the leader gave to each."""
    got: dict[str, bytes] = field(default_factory=dict)


class GroupHistory(RuleBasedStateMachine):
    """Members come, go, fall silent and commit; the node loses leadership and gets it again."""

    def __init__(self) -> None:
        super().__init__()
        self.sim = GroupSim(group_initial_rebalance_delay_ms="100")
        self.clients: list[Client] = []
        self.generations: dict[int, Generation] = {}
        self.expelled: set[str] = set()
        self.committed: dict[int, int] = {}
        self.pending: dict[int, dict[int, int]] = {}
        self.order: dict[int, int] = {}
        self.count = 0

    # ---- members

    @rule(instance=st.sampled_from((None, None, *INSTANCES)))
    @precondition(lambda self: len(self.clients) < 6)
    def comes(self, instance: str | None) -> None:
        self.clients.append(Client(instance))

    def client(self, number: int) -> Client:
        return self.clients[number % len(self.clients)]

    @rule(number=chance, word=st.sampled_from((b"a", b"b")))
    @precondition(lambda self: self.clients)
    def joins(self, number: int, word: bytes) -> None:
        client = self.client(number)
        client.waiting = self.sim.join(client.member_id, client.instance, protocols={"p": word, "q": word})
        client.synced = client.rejoins = False
        self.hear()

    @rule(number=chance)
    @precondition(lambda self: self.clients)
    def syncs(self, number: int) -> None:
        client = self.client(number)
        if client.generation < 0 or (client.waiting is not None and client.waiting.waits):
            return
        generation = self.generations.get(client.generation)
        if generation is None:
            return
        given = {}
        if generation.leader == client.member_id:
            given = {one: f"{client.generation}-{one}".encode() for one in generation.members}
            if not generation.given:
                generation.given = given
        client.waiting = self.sim.sync(
            client.member_id, client.generation, given, client.instance, protocol=generation.protocol
        )
        self.hear()

    @rule(number=chance)
    @precondition(lambda self: self.clients)
    def beats(self, number: int) -> None:
        client = self.client(number)
        if client.generation < 0:
            return
        code = self.sim.heartbeat(client.member_id, client.generation, client.instance).error_code
        if code in EXPELLED:
            self.expel(client)
        elif code == ErrorCode.REBALANCE_IN_PROGRESS:
            client.rejoins = True
        elif not code:
            assert client.member_id not in self.expelled

    @rule(rounds=st.integers(1, 5), silent=chance)
    @precondition(lambda self: self.clients)
    def clients_go_on(self, rounds: int, silent: int) -> None:
        """All clients but one do what clients do."""
        for _ in range(rounds):
            for number, client in enumerate(self.clients):
                if (client.waiting is not None and client.waiting.waits) or number == silent % 16:
                    continue
                if client.generation < 0 or client.rejoins:
                    self.joins(number, b"a")
                elif not client.synced:
                    self.syncs(number)
                else:
                    self.beats(number)
            self.time_passes(100)

    @rule(number=chance)
    @precondition(lambda self: self.clients)
    def leaves(self, number: int) -> None:
        client = self.client(number)
        if client.member_id:
            self.sim.leave(client.member_id)
            self.hear()

    def expel(self, client: Client) -> None:
        if client.member_id:
            self.expelled.add(client.member_id)
        client.member_id, client.generation, client.waiting = "", -1, None

    def hear(self) -> None:
        """Members take in what they were told."""
        for client in self.clients:
            reply = client.waiting
            if reply is None or reply.waits:
                continue
            client.waiting = None
            answer = reply.answers[0]
            if answer.error_code == ErrorCode.MEMBER_ID_REQUIRED:
                client.member_id = answer.member_id
            elif answer.error_code in EXPELLED:
                self.expel(client)
            elif answer.error_code:
                client.generation = -1
            elif isinstance(answer, JoinGroupResponse):
                self.hear_join(client, answer)
            else:
                self.hear_sync(client, answer)

    def hear_join(self, client: Client, answer: JoinGroupResponse) -> None:
        assert answer.member_id not in self.expelled
        client.member_id, client.generation = answer.member_id, answer.generation_id
        told = self.generations.setdefault(
            answer.generation_id, Generation(answer.leader, answer.protocol_name)
        )
        assert told.protocol == answer.protocol_name
        if answer.members and not answer.skip_assignment:
            assert answer.leader == answer.member_id
            told.leader = answer.leader
            told.members = frozenset(one.member_id for one in answer.members)
            assert answer.member_id in told.members

    def hear_sync(self, client: Client, answer: Any) -> None:
        generation = self.generations[client.generation]
        client.synced = True
        if client.instance is None:  # Static members also have what was given to an id that they had before.
            assert answer.assignment == generation.given.get(client.member_id, b"")
        before = generation.got.setdefault(client.member_id, answer.assignment)
        assert before == answer.assignment, "one assignment for each member of a generation"

    # ---- offsets

    @rule(number=chance, partition=partitions)
    @precondition(lambda self: self.clients)
    def commits(self, number: int, partition: int) -> None:
        client = self.client(number)
        self.count += 1
        answer = self.sim.commit(
            self.count, client.member_id, client.generation, partition=partition
        ).answers[0]
        code = getattr(answer, "error_code", 0)
        if not code:
            assert client.member_id not in self.expelled
            self.committed[partition] = self.order[partition] = self.count

    @rule(producer=st.sampled_from(PRODUCERS), partition=partitions)
    def commits_in_a_transaction(self, producer: int, partition: int) -> None:
        self.count += 1
        self.sim.commit_in_transaction(producer, self.count, partition=partition).response  # noqa: B018
        self.pending.setdefault(producer, {})[partition] = self.count

    @rule(producer=st.sampled_from(PRODUCERS), committed=st.booleans())
    def ends_a_transaction(self, producer: int, committed: bool) -> None:
        self.sim.end_transaction(producer, committed=committed)
        for partition, offset in self.pending.pop(producer, {}).items():
            # Offsets are numbered as they were written: the later one counts.
            if committed and offset > self.order.get(partition, 0):
                self.committed[partition] = self.order[partition] = offset

    # ---- the world

    @rule(ms=st.sampled_from((1, 100, 3000, SESSION_MS, REBALANCE_MS)))
    def time_passes(self, ms: int) -> None:
        self.sim.advance(ms)
        self.hear()

    @rule()
    def the_node_leads_anew(self) -> None:
        group = self.sim.machine.groups.by_id.get("g")
        before = self.sim.describe() if isinstance(group, ClassicGroup) and stays(group) else None
        self.sim.restart()
        for client in self.clients:
            client.waiting = None
        if before is not None:
            assert self.sim.describe() == before
        # A generation whose assignment was never written did not happen: its number comes again.
        group = self.sim.machine.groups.by_id.get("g")
        last = group.generation_id if isinstance(group, ClassicGroup) else 0
        self.generations = {number: told for number, told in self.generations.items() if number <= last}

    @rule(calls=st.lists(st.tuples(chance, st.sampled_from(("joins", "beats", "syncs"))), max_size=6))
    @precondition(lambda self: self.clients)
    def much_happens_at_once(self, calls: list[tuple[int, str]]) -> None:
        for number, what in calls:
            if what == "joins":
                self.joins(number, b"a")
            elif what == "syncs":
                self.syncs(number)
            else:
                self.beats(number)

    # ---- what always holds

    @invariant()
    def offsets_are_what_was_committed(self) -> None:
        topics = self.sim.fetch().response.topics
        found = {one.partition_index: one.committed_offset for topic in topics for one in topic.partitions}
        assert found == self.committed

    @invariant()
    def counts_are_right(self) -> None:
        group = self.sim.machine.groups.by_id.get("g")
        if not isinstance(group, ClassicGroup):
            return
        members = group.members.values()
        assert group.awaiting_join == sum(one.join_ticket is not None for one in members)
        assert group.static_members == {
            one.group_instance_id: one.member_id for one in members if one.group_instance_id is not None
        }
        assert (group.leader_id in group.members) if group.members else True
        assert not group.pending_join.keys() & group.members.keys()
        assert group.pending_sync.keys() <= group.members.keys()
        assert (group.state is State.EMPTY) == (
            not group.members and group.state is not State.PREPARING_REBALANCE
        )
        for name in group.supported:
            assert group.supported[name] == sum(name in dict(one.protocols) for one in members)


def stays(group: ClassicGroup) -> bool:
    """Whether the log knows all there is to describe."""
    return group.state in (State.STABLE, State.EMPTY)


TestGroupHistory = GroupHistory.TestCase
TestGroupHistory.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
