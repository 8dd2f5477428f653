"""The native half of barnabas. Everything that crosses between Python and Rust is in this file."""

from asyncio import Future
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, Self, final

from barnabas.errors import BarnabasError
from barnabas.protocol.message import Message

# ---- ids ------------------------------------------------------------------------------------------------

@final
class Uuid:
    """Sixteen bytes that name a topic, a directory, an incarnation; written as unpadded base64url."""

    ZERO: Uuid
    def __init__(self, value: str | bytes) -> None: ...
    @staticmethod
    def random() -> Uuid:
        """A new id; never one of Kafka's first 100 reserved ones, and its text never starts with '-'."""
    @property
    def bytes(self) -> bytes: ...
    def __bool__(self) -> bool: ...
    def __hash__(self) -> int: ...
    def __eq__(self, other: object) -> bool: ...
    def __lt__(self, other: Uuid) -> bool: ...

# ---- codec ----------------------------------------------------------------------------------------------

def encode(message: Message, version: int) -> bytes:
    """The message's bytes in `version`. ValueError names the field that can't be written."""

def decode(cls: type[Message], version: int, data: bytes) -> Message:
    """Reads exactly one message. ValueError when the bytes are anything else."""

def misfit(program: bytes, payload: bytes, in_header: bytes | None = None) -> str | None:
    """Why a payload is no value of the schema that a program (`barnabas.serde.programs`) is, or None.
    `in_header` is what follows the schema's id where that stands in a header. ValueError for no program."""

def flat_json(data: bytes) -> dict[str, Any] | None:
    """The JSON object of texts, whole numbers, truth values and nulls that stands in `data`, as `json.loads`
    reads it; None where it is not as plain as that, or no JSON."""

def compact_json(value: Any) -> bytes | None:
    """`value` as JSON without space, as `json.dumps` writes it with `ensure_ascii=False`, where it is made of
    plain dicts, lists, texts, whole numbers, truth values and nulls; None for any other."""

def plain_avro(text: str) -> str | None:
    """The text in which an Avro schema without references is kept, as `formats.avro` has it; None where it is
    not plain, or no schema."""

def decompress(codec: int, data: bytes, size_max: int) -> bytes:
    """What a codec of record batches (0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd) packed; ValueError when the
    data is damaged or holds more than `size_max` bytes."""

# ---- metadata image ---------------------------------------------------------------------------------------

@final
class PartitionImage:
    replicas: list[int]
    isr: list[int]
    adding_replicas: list[int]
    removing_replicas: list[int]
    elr: list[int]
    last_known_elr: list[int]
    directories: list[Uuid]
    leader: int
    leader_epoch: int
    partition_epoch: int
    leader_recovery_state: int

@final
class TopicImage:
    name: str
    id: Uuid
    @property
    def partition_count(self) -> int: ...
    def partition(self, index: int) -> PartitionImage | None: ...
    def partitions(self) -> list[tuple[int, PartitionImage]]:
        """(index, partition) in order of index."""

@final
class BrokerImage:
    id: int
    epoch: int
    incarnation_id: Uuid
    fenced: bool
    in_controlled_shutdown: bool
    rack: str | None
    listeners: list[tuple[str, str, int, int]]
    """(name, host, port, security protocol)"""
    log_dirs: list[Uuid]
    cordoned_log_dirs: list[Uuid] | None
    features: dict[str, tuple[int, int]]

@final
class ControllerImage:
    id: int
    incarnation_id: Uuid
    listeners: list[tuple[str, str, int, int]]
    """(name, host, port, security protocol)"""
    features: dict[str, tuple[int, int]]

@final
class MetadataImage:
    """One state of the cluster's metadata: frozen, shared with Rust, cheap to hold."""

    def __init__(self) -> None:
        """No metadata at all."""
    def with_records(self, records: Sequence[bytes]) -> MetadataImage:
        """The image after these records, framed as in the log. ValueError for one that can't be applied."""
    def to_records(self) -> list[bytes]:
        """The records that build this image from an empty one, framed as in the log: a snapshot."""
    @property
    def offset(self) -> int:
        """Offset of the last record in it; -1 when empty."""
    @property
    def epoch(self) -> int: ...
    def topic(self, name: str) -> TopicImage | None: ...
    def topic_by_id(self, topic_id: Uuid) -> TopicImage | None: ...
    def topics(self) -> list[TopicImage]: ...
    def topic_count(self) -> int: ...
    def partition_count(self) -> int: ...
    def broker(self, broker_id: int) -> BrokerImage | None: ...
    def brokers(self) -> list[BrokerImage]: ...
    def controller(self, controller_id: int) -> ControllerImage | None: ...
    def controllers(self) -> list[tuple[int, Uuid]]: ...
    def config(self, resource_type: int, name: str) -> dict[str, str]:
        """Overrides set for a resource; empty when none. Broker defaults of the cluster have the name ''."""
    def config_resources(self) -> list[tuple[int, str]]: ...
    def features(self) -> dict[str, int]: ...
    def next_producer_id(self) -> int: ...
    def quotas(self) -> list[tuple[list[tuple[str, str | None]], dict[str, float]]]:
        """(entity as (type, name) pairs, quotas by key)"""
    def scram(self) -> list[tuple[int, str, bytes, bytes, bytes, int]]:
        """(mechanism, user, salt, stored key, server key, iterations)"""
    def acls(self) -> list[tuple[Uuid, int, str, int, str, str, int, int]]:
        """(id, resource type, resource name, pattern type, principal, host, operation, permission type)"""
    def tokens(self) -> list[tuple[str, str, str, list[str], int, int, int]]:
        """(id, owner, requester, renewers, issued, max timestamp, expires)"""

def load_metadata(log_dir: str) -> MetadataImage:
    """Reads the metadata in a log directory that no node uses. OSError says what is wrong with it."""

# ---- subscriptions -----------------------------------------------------------------------------------------

def check_topic_pattern(pattern: str) -> None:
    """ValueError, which says why, when a pattern of topic names is not in RE2's syntax."""

def match_topics(patterns: Sequence[str], image: MetadataImage) -> list[list[str]]:
    """The topics whose whole name each pattern matches, in order; none for one that can't be read. Takes time
    that grows with patterns times names, whatever the patterns are. Releases the GIL."""

def match_names(pattern: str, names: Sequence[str]) -> list[str]:
    """Those names that the pattern, in RE2's syntax, matches as a whole; ValueError when it can't be read.
    Releases the GIL."""

def changed_topics(before: MetadataImage, after: MetadataImage) -> tuple[set[str], bool]:
    """The names of topics that are new, gone or differ (in partitions, their replicas or leaders), and
    whether any is new."""

def subscription_hash(names: Sequence[str], image: MetadataImage) -> int:
    """Kafka's hash of what a group sees of topics: ids, names, partitions and the racks of their replicas.
    Names of no topic count for nothing; 0 when there is none."""

# ---- node -------------------------------------------------------------------------------------------------

@final
class ColdRequest:
    """A whole request that Rust does not answer itself."""

    id: int
    api_key: int
    api_version: int
    correlation_id: int
    client_id: str | None
    listener: str
    client_address: str
    connection: int
    """Higher for a connection that was accepted later, on whatever listener."""
    body: Message

@final
class LogDirectory:
    """A log directory of this node, as DescribeLogDirs shows it."""

    path: str
    id: Uuid
    error_code: int
    """0, or KAFKA_STORAGE_ERROR when it has failed."""
    total_bytes: int
    """Size of its volume; -1 when unknown."""
    usable_bytes: int
    replicas: list[tuple[str, int, int, int, bool]]
    """(topic, partition, size in bytes, offset lag, whether it is a future replica), in order"""

@final
class QuorumInfo:
    """The metadata quorum as its leader sees it."""

    leader_id: int
    leader_epoch: int
    high_watermark: int
    log_end_offset: int
    voters: list[tuple[int, Uuid, list[tuple[str, str, int]]]]
    """(id, directory of its metadata log, its listeners as (name, host, port))"""

@final
class FaultedRequest:
    """A request that a test wants answered with an error (`add_fault`)."""

    request: ColdRequest
    error_code: int

@final
class Committed:
    """Metadata records up to this offset are committed and applied by the broker."""

    offset: int

@final
class ReplicaDirectory:
    """This node's replica lies in that log directory: to be recorded."""

    topic_id: Uuid
    partition: int
    directory: Uuid

@final
class DirectoryFailed:
    """A log directory has failed: to be recorded."""

    directory: Uuid

@final
class DirectoryReturned:
    """A log directory that had failed works again: to be recorded."""

    directory: Uuid

@final
class LogLine:
    """A line for the log, with Python's number of its level."""

    level: int
    target: str
    message: str

@final
class Fatal:
    """The node can't go on."""

    reason: str

@final
class FiguresWanted:
    """Somebody looks at `/metrics`: to be answered with `Node.tell_figures`."""

@final
class CoordinatorLeadership:
    """This node begins or ends to lead a partition of `__consumer_offsets`, `__transaction_state` or
    `__share_group_state`. Events of one partition come in the order in which things happened."""

    topic: str
    partition: int
    leader_epoch: int
    """The epoch in which this node leads from now on (again, when it grows); -1 when it leads no more."""

@final
class CoordinatorCommitted:
    """The high watermark of such a partition has moved otherwise than by an append of this node's
    coordinators, whose result says so. Several moves may be told as one."""

    topic: str
    partition: int
    high_watermark: int

@final
class PartitionReadable:
    """A partition that is watched (`watch_for_share`) has more to read."""

    topic_id: Uuid
    partition: int

@final
class ConnectionClosed:
    """A connection that is watched (`watch_connection`) has closed."""

    connection: int

@final
class TransactionEnded:
    """A control record was appended to a partition of `__consumer_offsets`. Comes before whoever asked for
    the marker has its answer."""

    topic: str
    partition: int
    offset: int
    """Of the control record."""
    producer_id: int
    producer_epoch: int
    committed: bool

@final
class TransactionCheck:
    """A transactional Produce waits: are its partitions part of the producer's ongoing transaction? To be
    answered with `transaction_checked`; without an answer it ends with its own time-out."""

    id: int
    transactional_id: str
    producer_id: int
    producer_epoch: int
    partitions: list[tuple[str, int]]
    """(topic, partition)"""
    add: bool
    """Transaction version 2: a partition that is not part of the transaction is added to it."""

@final
class SchemaCheck:
    """Records have schemas of which it must be known whether they are versions of their subjects; most often
    a Produce waits. To be answered with `schemas_checked`."""

    id: int
    topic: str
    key_strategy: str
    value_strategy: str
    """`barnabas.value.subject.name.strategy` of the topic."""
    reads_keys: bool
    reads_values: bool
    """Whether values are held against their schemas (`barnabas.value.schema.validation=value`)."""
    schemas: list[tuple[bool, int | str]]
    """Whether keys have it (else values do), and its id, or the text of its GUID."""

@final
class MarkersMoved:
    """Markers that waited (`write_markers`) may be committed now: `markers_written` tells. Comes once until
    that is asked."""

    id: int

Event = (
    ColdRequest
    | FaultedRequest
    | Committed
    | ReplicaDirectory
    | DirectoryFailed
    | DirectoryReturned
    | LogLine
    | Fatal
    | FiguresWanted
    | CoordinatorLeadership
    | CoordinatorCommitted
    | PartitionReadable
    | ConnectionClosed
    | TransactionEnded
    | TransactionCheck
    | SchemaCheck
    | MarkersMoved
)

Figure = tuple[str, Sequence[tuple[str, str]], float]
"""(family, labels, value) of a sample."""

CoordinatorBatch = tuple[str, int, int, Sequence[tuple[bytes, bytes | None]], int, int, int, int]
"""(topic, partition, leader epoch, records as (key, value), timestamp, producer id, producer epoch,
verification guard); the last three are (-1, -1, 0) outside of transactions."""

AppendResult = tuple[int, int, int, int]
"""(error code, base offset, log end offset, high watermark); the offsets are -1 with an error."""

CoordinatorRecord = tuple[int, int, int, int, bytes | None, bytes | None, int]
"""(offset, timestamp, producer id, producer epoch, key, value, control): control is -1 for data, 0 for an
abort marker, 1 for a commit marker; the producer id is -1 where the batch is not transactional."""

SteadyMember = tuple[int, int, str, str, str | None, int, int, int, int]
"""(partition of `__consumer_offsets`, leader epoch, group id, member id, group instance id, generation or
member epoch, heartbeat interval in ms or -1 in a classic group, session timeout in ms, connection)"""

TransactionMarker = tuple[int, int, bool, int, Sequence[tuple[str, int]]]
"""(producer id, producer epoch, committed, transaction version, partitions as (topic, partition))"""

ShareRecord = tuple[int, int, int, int, int, int]
"""(offset, timestamp, lane, deliver at, expires at, priority): the lane is the same for the same key and 0
without one; times are those of the headers `deliver-at` and `expires-at`, -1 without; the priority is that of
the header `priority`, 0 without."""

OpenTransaction = tuple[int, int, str, int, int, Sequence[tuple[str, int]]]
"""(partition of `__transaction_state`, leader epoch, transactional id, producer id, producer epoch,
partitions as (topic, partition))"""

LentGroup = tuple[int, int, int, str, bool, bool, int, Sequence[Uuid]]
"""(partition of `__consumer_offsets`, how many there are, leader epoch, group id, whether nobody is in it,
whether it is classic, offset.metadata.max.bytes, topics that may be committed to)"""

TransactionChanges = tuple[int, int, int, int, Sequence[tuple[str, int]], int, int, int, int]
"""What plain steps change of a transaction: producer epoch, last producer epoch, previous producer id, state,
partitions as (topic, partition), start, last update, transaction version, latest connection or 0."""

LentTransaction = tuple[int, int, str, int, int, TransactionChanges]
"""(partition of `__transaction_state`, leader epoch, transactional id, producer id, timeout, changes)"""

RELEASE: bool
"""Whether this half was built with optimization: figures of any other build say nothing."""

def share_records(batches: bytes) -> list[ShareRecord]:
    """What the delivery of the records of whole batches may depend on, control records left out; ValueError
    for batches that can't be read."""

def native_apis() -> list[int]:
    """API keys that are answered without Python."""

@final
class MemoryDisk:
    """Files in memory, which outlive the nodes that write them."""

    def __init__(self) -> None: ...

@final
class LentGroups:
    """Groups whose plain OffsetCommits are written without Python."""

    def __init__(self, node: Node) -> None: ...
    def may_lend(self, partition: int) -> bool:
        """Whether what is appended to this partition of `__consumer_offsets` is committed at once: no other
        groups are to be lent."""
    def lend(self, lent: Sequence[LentGroup]) -> None:
        """Lends groups that are not lent, whose records are all committed. Python decides nothing about one
        of them before it has taken it back."""
    def take_back(self, partition: int, group_ids: Sequence[str]) -> tuple[int, list[CoordinatorRecord]]:
        """Takes groups back that a partition has lent. How many records were written of them, and the newest
        of each key, by offset, all of them committed."""
    def forget(self, partition: int) -> None:
        """Takes back all that a partition of `__consumer_offsets` has lent, before its log is read."""

@final
class LentTransactions:
    """Transactional ids whose plain steps are made without Python, with their records and markers."""

    def __init__(self, node: Node) -> None: ...
    def lend(self, lent: Sequence[LentTransaction]) -> None:
        """Lends ids at rest or with an open transaction, whose records are all committed. Python decides
        nothing about one of them before it has taken it back."""
    def take_back(self, transactional_id: str) -> TransactionChanges | None:
        """Takes an id back, as it is now; None when it is not lent (any more). Prepared is one whose markers
        could not all be written: who takes it back goes on with them."""
    def forget(self, partition: int) -> int:
        """Takes back all that a partition of `__transaction_state` has lent, before its log is read. Gives
        the highest number of a connection that has asked something of a transaction; 0 for none."""
    def overdue(self, now: int) -> list[str]:
        """Lent ids whose transactions are open for too long at `now` (ms since the Unix epoch)."""

@final
class Node:
    """The data plane of one node: log directories, metadata log, partitions, network.

    The order of a life: `start`, `bind`, decisions of the controller, `serve`, `drain` and `respond` many
    times, `stop_serving`, `stop`. RuntimeError is raised outside of it.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """`settings`: what `barnabas.server.native` makes."""
    def start(self) -> None:
        """Opens the directories (formatted on first use), replays the metadata, loads the logs and takes the
        metadata log's leadership. Raises StartError."""
    def bind(self) -> list[tuple[str, str, int]]:
        """Binds the broker's listeners (`start` has bound the controller's); (name, host, port) of all, with
        the real port of each. Raises StartError."""
    def serve(self) -> None:
        """Lets clients in."""
    def serve_metrics(self, host: str, port: int) -> int:
        """Serves `/metrics` there until the node stops; the port, a free one for 0. Raises StartError."""
    def stop_serving(self, grace_ms: int) -> None:
        """Lets nobody in any more; requests in hand may finish for at most `grace_ms`."""
    def stop(self) -> None:
        """Ends all threads and closes all files, so that the next start needs no recovery."""
    def now(self) -> int:
        """The node's time, in milliseconds since the Unix epoch."""
    def event_descriptor(self) -> int:
        """Readable whenever `drain` has something."""
    def drain(self, limit: int) -> list[Event]:
        """What has happened, in order."""
    def respond(self, responses: Sequence[tuple[int, Message | None]]) -> None:
        """Answers cold requests by id; None closes the connection."""
    def answer_natively(self, request_id: int) -> None:
        """Answers a cold request from the metadata as it is now."""
    def propose(self, records: Sequence[tuple[Message, int]]) -> int:
        """Appends one atomic batch of metadata records (message, version) to the log and applies it to the
        head; its last offset. RuntimeError when the records can't be applied: nothing is appended then."""
    def wait_committed(self, offset: int, most_ms: int) -> bool:
        """Waits until everything up to `offset` is committed and applied; False when that takes too long."""
    def head(self) -> MetadataImage:
        """With everything that was proposed: what decisions read."""
    def image(self) -> MetadataImage:
        """With everything that is committed: what answers read."""
    @property
    def cluster_id(self) -> str: ...
    def directory_ids(self) -> list[Uuid]:
        """Ids of the log directories that work."""
    def previous_broker_epoch(self) -> int:
        """Epoch of the broker's registration at its last clean stop; -1 after any other."""
    def set_broker_epoch(self, epoch: int) -> None:
        """Epoch of this registration, kept for the clean stop."""
    def set_log_defaults(self, defaults: Mapping[str, str]) -> None:
        """Topic configs, by name, of topics that override nothing."""
    def set_cleaners(self, numbers: Mapping[str, int], doubles: Mapping[str, float]) -> None:
        """Lets cleaners of logs run as `log.cleaner.*` of these broker configs say."""
    def apply_configs(self, numbers: Mapping[str, int], connections_per_ip: str) -> None:
        """Acts on broker configs as they are in force now, all numbers by name and
        `max.connections.per.ip.overrides`: bounds on connections (those above one stay),
        `num.network.threads` (the connections of a thread too many are closed once they are answered),
        `producer.id.expiration.ms`, `transaction.partition.verification.enable`."""
    def log_directories(self) -> list[LogDirectory]: ...
    def alter_replica_log_dir(self, topic: str, partition: int, path: str) -> int:
        """Moves this node's replica of a partition to another directory; 0 or an error code."""
    def quorum(self) -> QuorumInfo: ...

    # ---- coordinators: their partitions, as logs. An error code comes first; 0 is success. None of these
    # waits for replication: the high watermark in a result, and CoordinatorCommitted later, tell of it.

    def append_records(
        self,
        topic: str,
        partition: int,
        leader_epoch: int,
        records: Sequence[tuple[bytes, bytes | None]],
        timestamp: int,
        producer_id: int = -1,
        producer_epoch: int = -1,
        verification_guard: int = 0,
    ) -> AppendResult:
        """Appends one batch as a coordinator that leads since `leader_epoch`.

        With a producer id the batch is part of that producer's transaction (TxnOffsetCommit); if the
        partition has no ongoing transaction of the producer, the guard of `begin_verification` is asked for,
        and INVALID_TXN_STATE is the answer when it is not valid (any more).

        A base offset beyond the one that the coordinator expects says that markers were appended in between;
        the TransactionEnded of each is in the inbox by then.

        NOT_LEADER_OR_FOLLOWER and its kin when the leadership is over, NOT_ENOUGH_REPLICAS below
        `min.insync.replicas`, RECORD_LIST_TOO_LARGE or MESSAGE_TOO_LARGE when the batch is over the topic's
        limits, KAFKA_STORAGE_ERROR when the disk fails; nothing is written with any of them.
        """
    def append_many(self, batches: Sequence[CoordinatorBatch]) -> list[AppendResult]:
        """The same for all appends of one turn of the event loop, in order; each succeeds or fails alone."""
    def read_records(
        self, topic: str, partition: int, offset: int, bytes_max: int
    ) -> tuple[int, int, list[CoordinatorRecord]]:
        """(error code, next offset, records) from `offset` on, or from the log start where that is above it.

        Reads whole batches, about `bytes_max` bytes and at least one batch, but not beyond a segment. No
        records come at the log end offset only, which the next offset is then. Any codec is unpacked.
        """
    def read_for_share(
        self, topic_id: Uuid, partition: int, offset: int, bytes_max: int, committed: bool
    ) -> tuple[int, int, int, bytes, list[tuple[int, int, int, bool]]]:
        """(error code, log start offset, end offset, bytes, batches): whole batches from the one that holds
        `offset` on, about `bytes_max` bytes and at least one batch, as far as consumers may see. A batch is
        (base offset, last offset, where it ends in the bytes, whether its transaction was aborted); the last
        is known only with `committed`."""
    def share_offset(
        self, topic_id: Uuid, partition: int, timestamp: int, committed: bool
    ) -> tuple[int, int]:
        """(error code, offset) that ListOffsets finds for a timestamp (-1 the end, -2 the start); -1 for
        none."""
    def watch_for_share(self, topic_id: Uuid, partition: int) -> int:
        """Has PartitionReadable told once there is more to read than now; 0 or an error code. Set anew before
        each read that may find nothing."""
    def append_dead_letters(
        self,
        topic_id: Uuid,
        topic: str,
        partition: int,
        first_offset: int,
        last_offset: int,
        group_id: str,
        delivery_count: int,
        message: str,
        target: str,
        target_partition: int,
        copies: bool,
    ) -> int:
        """Appends a record for each of these to the target, with Kafka's headers of dead letters, and with
        key and value when `copies` says so; 0 or an error code, and then some may have been appended."""
    def delete_coordinator_records(self, topic: str, partition: int, offset: int) -> int:
        """Has an internal topic's partition begin at this offset, which must be committed; 0 or an error
        code."""
    def watch_connection(self, request_id: int) -> bool:
        """Has ConnectionClosed told, once, for the connection of a cold request that is not answered yet;
        False when the connection is gone already."""
    def unwatch_for_share(self, topic_id: Uuid, partition: int) -> None:
        """Ends the watch."""
    def begin_verification(
        self,
        topic: str,
        partition: int,
        producer_id: int,
        producer_epoch: int,
        transaction_version: int = 0,
    ) -> tuple[int, int]:
        """(error code, verification guard) for an append in the producer's transaction (KIP-890).

        `transaction_version` is that of the request: from 2 on (TxnOffsetCommit >= 5) each transaction has an
        epoch of its own, and the marker that ends the one before leaves the guard as it is.

        Guard 0: the partition has an ongoing transaction of the producer, the append may go ahead. Any other:
        the transaction coordinator is to be asked first, then the guard goes with the append. A marker that
        arrives meanwhile makes the guard invalid, so that a late batch opens no transaction that never ends.
        """
    def write_markers(
        self, coordinator_epoch: int, markers: Sequence[TransactionMarker]
    ) -> list[tuple[int, list[int]]]:
        """Ends transactions on partitions that this node leads, as WriteTxnMarkers does. For each marker 0
        and an error code for each partition: those that are written are committed, and on disk where the
        topic asks for that. Or, while they are not, a number and no codes: MarkersMoved comes with it."""
    def markers_written(self, id: int) -> list[int] | None:
        """An error code for each partition of a marker that waits; None while it does."""
    def publish_transactions(self, ended: Sequence[int], opened: Sequence[OpenTransaction]) -> None:
        """Forgets the transactions of producers, by id; then takes note of partitions that are part of open
        ones: a Produce to them is told without a TransactionCheck, as long as this node leads the partition
        of `__transaction_state` in that epoch."""
    def tell_figures(self, figures: Sequence[Figure]) -> None:
        """What `/metrics` shows of what Python knows, all of it."""
    def publish_steady(self, withdrawn: Sequence[str] | None, members: Sequence[SteadyMember]) -> None:
        """First withdraws these groups (None: all), whose heartbeats are Python's again from now on; then
        publishes members: the next heartbeats that say the same and nothing new, on the same connection, are
        answered without Python, for as long as the leadership lasts and no pause is longer than the session.

        A member is published when a heartbeat of it changed nothing (it counts as heard of now), and
        withdrawn before the response to whatever changes its group leaves.
        """
    def last_heartbeat(self, group_id: str, member_id: str) -> int | None:
        """When a heartbeat of a member that was published was answered without Python last (ms since the
        Unix epoch), or the member was published; to be asked before its session expires. Known beyond its
        withdrawal, for at least the length of its session; None when it is not."""
    def transaction_checked(self, check_id: int, errors: Sequence[int]) -> None:
        """Answers a TransactionCheck with an error code for each of its partitions; the Produce goes on. A
        check that is over already is ignored."""
    def schemas_checked(self, check_id: int, answers: Sequence[bool | str | bytes | None]) -> None:
        """Answers a SchemaCheck: whether each schema is a version of its subject; None where the registry
        could not be asked, so that producers are told to try again. A version may come as the program that
        payloads are held against (`barnabas.serde.programs`), or as the text that says why there is none."""

# ---- what the test kit asks of a node ------------------------------------------------------------------

def add_fault(
    node: Node,
    kind: str,
    value: int,
    api_key: int | None,
    topic: str | None,
    client_id: str | None,
    nth: int,
    times: int,
    chance: float,
    seed: int,
) -> int:
    """Has requests go wrong; the rule's id. `kind`: error (`value` is the code), delay (`value` in ms),
    disconnect (not served), lose (served, the response lost), truncate (half of the response sent). Struck
    are those of this API that name the topic and come from the client, from the `nth` on, `times` at most,
    each with this chance."""

def fault_counts(node: Node, rule: int) -> tuple[int, int] | None:
    """How many requests a rule concerned, and how many it has struck; None when it is gone."""

def remove_fault(node: Node, rule: int | None = None) -> None:
    """Removes a rule; None: all of them."""

def advance_clock(node: Node, ms: int) -> None:
    """Moves the node's wall clock on, and does at once what depends on it in Rust."""

def kill(node: Node) -> None:
    """Ends a node as a kill of its process would: nothing is written any more, connections break."""

# ---- clients --------------------------------------------------------------------------------------------

Data = bytes | bytearray | memoryview | str | None
"""What a key or a value may be; text goes out as UTF-8."""
Headers = Mapping[str, Data] | Iterable[tuple[str, Data]]

class ArrowArray(Protocol):
    """Columns in memory, as Arrow's C data interface has them."""

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...

class ArrowStream(Protocol):
    """Pieces of columns, as Arrow's C stream interface has them."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

Columns = (
    ArrowArray | ArrowStream | Mapping[str, ArrowArray | ArrowStream | Sequence[Any] | None] | Sequence[Data]
)
"""Many records: see `NativeProducer.send_batch`."""

OnDelivery = Callable[[Exception | None, RecordMetadata | None], object]

@final
class Record:
    """One record of a topic. Key, value and headers are read from its batch when they are asked for."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int:
        """Milliseconds since the Unix epoch: the producer's, or the time of append where the topic says
        so."""
    @property
    def timestamp_type(self) -> int:
        """0: the producer's; 1: the time of append."""
    @property
    def leader_epoch(self) -> int: ...
    @property
    def delivery_count(self) -> int | None:
        """How often a share group has delivered it, this time included; None elsewhere."""
    @property
    def key(self) -> Any:
        """Bytes or None; what `key.deserializer` makes of them where the client has one."""
    @property
    def value(self) -> Any:
        """As `key`; None is a tombstone."""
    @property
    def headers(self) -> list[tuple[str, bytes | None]]: ...

@final
class RecordBatch:
    """Records of one partition as columns: `offset`, `timestamp`, `key`, `value` and `headers`. It speaks
    Arrow's C data interface, so that `pyarrow.record_batch(batch)`, `polars.DataFrame(batch)` and
    `pandas.DataFrame.from_arrow(batch)` take it without a copy."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def first_offset(self) -> int: ...
    @property
    def last_offset(self) -> int: ...
    @property
    def offsets(self) -> memoryview[int]:
        """64-bit numbers in the batch's own memory: `numpy.asarray(batch.offsets)` copies nothing."""
    @property
    def timestamps(self) -> memoryview[int]:
        """Milliseconds since the Unix epoch, as `offsets`."""
    def __len__(self) -> int: ...
    def __arrow_c_schema__(self) -> object: ...
    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...

@final
class RecordMetadata:
    """Where a record lies that was sent."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int:
        """-1 where no broker has told (acks=0, or the batch was a repetition)."""
    @property
    def timestamp(self) -> int:
        """The time of append, where the topic stamps records; else -1."""

@final
class BearerToken:
    """The token of OAUTHBEARER that clients connect with."""

    def __new__(cls, token: str) -> Self: ...
    def set(self, token: str) -> None:
        """Replaces it."""
    @property
    def in_use(self) -> bool:
        """Whether a client may still ask for it."""

class Watched:
    """What all native clients have for event loops."""

    def fileno(self) -> int:
        """A descriptor that is readable when something may have come. From the first call on it is rung."""
    def clear(self) -> None:
        """Silences the descriptor until it is rung again."""

@final
class NativeCalls(Watched):
    """The engine below `barnabas.Admin`, and of all who send requests now and then. Finds the broker and the
    version, and asks again when a connection was lost; errors in answers are the caller's."""

    def __new__(cls, configs: dict[str, Any]) -> Self: ...
    def send(
        self,
        request: Message,
        kind: str,
        node: int,
        timeout: float,
        lowest: int = 0,
        highest: int = 32767,
    ) -> int:
        """Begins a call of "any" broker, a "node", or the "controller"; its number. `timeout` is in
        seconds."""
    def result(self, number: int, response: type[Message]) -> tuple[Message, int, int]:
        """Waits for the answer: the message, who sent it, its version. Raises why there is none."""
    def take(self) -> list[tuple[int, tuple[bytes, int, int] | Exception]]:
        """All calls that are done: the answer's bytes with node and version, or why there are none."""
    def cancel(self, number: int) -> None:
        """Nobody waits for the call any more."""
    def refresh(self) -> None:
        """Something was not where it was thought to be: asks for the metadata anew."""
    def close(self) -> None:
        """Gives up all calls, and ends the thread."""

class NativeProducer(Watched):
    """The producer below `barnabas.Producer`."""

    def __new__(
        cls,
        configs: dict[str, Any],
        seed: int,
        partitioner: Callable[[Data, Data, int], int] | None = None,
    ) -> Self: ...
    def produce(
        self,
        topic: str,
        value: Any = None,
        key: Any = None,
        partition: int | None = None,
        on_delivery: OnDelivery | None = None,
        timestamp: int | None = None,
        headers: Headers | None = None,
    ) -> None:
        """Hands a record in: text, bytes or None, or what the serializers of `barnabas.Producer` take. Waits
        at most `max.block.ms` for metadata and for room in `buffer.memory`."""
    def offer(
        self,
        topic: str,
        future: Future[RecordMetadata],
        value: Any = None,
        key: Any = None,
        partition: int | None = None,
        timestamp: int | None = None,
        headers: Headers | None = None,
    ) -> bool:
        """Hands a record in without waiting; False when there is no room, or no metadata, yet. `poll` gives
        the result to `future`."""
    def begin_flush(self) -> int:
        """Begins to send everything at once; a mark."""
    def is_flushed(self, mark: int) -> bool:
        """Whether everything before the mark is done."""
    def end_flush(self) -> None:
        """Ends what `begin_flush` began. Raises the first failure that nobody asked about."""
    def send_batch(self, topic: str, batch: Columns, partition: int | None = None) -> int:
        """Hands many records in at once, and says how many. `batch` is anything that speaks Arrow's C data
        interface (a table or record batch of pyarrow, polars, pandas, duckdb; what `Consumer.batches`
        gives), a mapping from names of columns to arrays or lists, or a list of values. The columns are
        `value`, `key`, `timestamp` (a time, or milliseconds since the Unix epoch), `headers` and
        `partition`; all may be left out and have nulls, and an `offset` is passed over. `partition` is that
        of records that name none; keys choose it otherwise, as for single records. Failures are raised by
        the next `flush`."""
    def poll(self, timeout: float | None = 0.0) -> int:
        """Calls `on_delivery` for what is done; waits up to `timeout` seconds for one. How many were
        called."""
    def transmit(self) -> None:
        """Sends what waits to be sent, in this thread if nobody else is at it. Does not wait."""
    def flush_all(self, timeout: float | None) -> bool:
        """Sends everything and waits until it is done; False when `timeout` seconds were not enough. Raises
        the first failure that nobody asked about."""
    def partition_count(self, topic: str, timeout: float | None) -> int:
        """How many partitions a topic has; waits for it."""
    def transactions_ready(self, timeout: float | None) -> bool:
        """Waits until the coordinator knows the producer; False when `timeout` seconds, or `max.block.ms`,
        were not enough. So do the others."""
    def transaction_begun(self, timeout: float | None) -> bool:
        """Begins a transaction."""
    def end_transaction(self, commit: bool) -> None:
        """Begins to commit or abort it."""
    def transaction_ended(self, timeout: float | None) -> bool:
        """Waits for that."""
    def offsets_added(self, timeout: float | None) -> bool:
        """Waits until the coordinator has the offsets that were added."""
    def add_offsets(
        self,
        group: tuple[str, int, str, str | None],
        offsets: Sequence[tuple[str, int, int, int, str]],
    ) -> None:
        """Makes offsets a part of it: group, generation, member and instance; topic, partition, offset,
        leader epoch and metadata."""
    @property
    def in_transaction(self) -> bool:
        """Whether an abort would end something."""
    @property
    def max_block(self) -> float:
        """`max.block.ms` in seconds."""
    def figures(self) -> dict[str, float]:
        """What it has counted, by the names of Apache Kafka's clients."""
    @property
    def buffered_bytes(self) -> int:
        """Bytes of `buffer.memory` in use."""
    def stop(self) -> None:
        """Gives up what is not sent, tells those who wait, and ends the thread."""

@final
class NativeConsumer(Watched):
    """The consumer below `barnabas.Consumer`. A place is an offset, or "earliest", "latest", or "timestamp"
    with a time instead of the offset."""

    def __new__(cls, configs: dict[str, Any]) -> Self: ...
    def assign(self, partitions: Sequence[tuple[str, int, int | None, str | None]]) -> None:
        """Reads exactly these from now on: topic, partition, and where to begin."""
    def seek(self, topic: str, index: int, offset: int | None, place: str | None) -> bool:
        """Goes to another place; False when the partition is not read."""
    def pause(self, topic: str, index: int, paused: bool) -> bool:
        """Stops or goes on giving out records; False when the partition is not read."""
    def assignment(self) -> list[tuple[str, int]]:
        """What is read."""
    def paused(self) -> list[tuple[str, int]]:
        """What of it is paused."""
    def position(self, topic: str, index: int, timeout: float | None) -> int | None:
        """Offset of the record that comes next; None when it was not known within `timeout` seconds."""
    def poll(self, timeout: float | None, max_records: int) -> list[Record] | None:
        """Up to `max_records` records; waits up to `timeout` seconds for the first. None when the caller has
        something to do for its group first: `take_call`, `take_committed`."""
    def poll_batch(self, timeout: float | None, max_records: int) -> RecordBatch | None:
        """Up to `max_records` records of one partition as columns; waits up to `timeout` seconds for them.
        None too when the caller has something to do for its group first."""
    def subscribe(self, topics: list[str] | None, pattern: str | None) -> None:
        """Wants topics, or a pattern of them, from now on."""
    def subscription(self) -> tuple[list[str] | None, str | None]:
        """What it is subscribed to: topics, or a pattern."""
    def take_call(self) -> tuple[str, list[tuple[str, int]]] | None:
        """What the caller has to do: "assigned", "revoked" or "lost", and the partitions; to be followed by
        `called`. Raises what the membership can't get over."""
    def called(self) -> None:
        """The caller has done what it was called for."""
    def commit(
        self,
        given: Sequence[tuple[str, int, int, int, str]] | None,
        not_seen: Sequence[tuple[str, int, int]],
    ) -> int:
        """Orders a commit of these (topic, partition, offset, leader epoch, metadata), or of all positions;
        the caller has seen nothing from `not_seen` on. The result comes under the number."""
    def committed(self, id: int, timeout: float | None) -> bool:
        """Waits for a commit; raises why it has failed. False when it is not done in `timeout` seconds."""
    def take_told(self) -> list[tuple[list[tuple[str, int, int, int, str]], Exception | None]]:
        """What became of all commits since the last call, where `tells.commits` is set: what was to be
        committed, and why it is not."""
    def figures(self) -> dict[str, float]:
        """What it has counted, by the names of Apache Kafka's clients."""
    def take_committed(self) -> list[tuple[int, Exception | None]]:
        """All commits that are done and that nobody has waited for, and why they have failed."""
    @property
    def commits_itself(self) -> bool:
        """Whether positions are committed without being asked."""
    def committed_positions(
        self, partitions: Sequence[tuple[str, int]], timeout: float | None
    ) -> list[tuple[str, int, tuple[int, int, str] | None]]:
        """Committed offsets with leader epochs and metadata; waits for the coordinator."""
    def group_metadata(self) -> tuple[str, int, str, str | None] | None:
        """Group id, generation or member epoch, member id, instance id; None without a group."""
    def leave(self, operation: str) -> None:
        """Begins to give everything up and to leave the group."""
    def has_left(self, timeout: float | None) -> bool | None:
        """Whether it has left; None when the caller has something to do first."""
    def partition_count(self, topic: str, timeout: float | None) -> int:
        """How many partitions a topic has; waits for it."""
    def offset_of(
        self, topic: str, index: int, offset: int | None, place: str, timeout: float | None
    ) -> tuple[int, int] | None:
        """Offset and timestamp of a place in a partition; None when no record is that new."""
    def close(self) -> None:
        """Ends the thread."""

@final
class NativeShareConsumer(Watched):
    """The share consumer below `barnabas.ShareConsumer`."""

    def __new__(cls, configs: dict[str, Any]) -> Self: ...
    def subscribe(self, topics: Sequence[str]) -> None:
        """Wants these topics from now on."""
    def subscription(self) -> list[str]:
        """What it is subscribed to."""
    def poll(self, timeout: float | None, max_records: int) -> list[Record]:
        """Up to `max_records` records; waits up to `timeout` seconds for the first."""
    def acknowledge(self, topic: str, index: int, offset: int, name: str) -> bool:
        """Notes what became of a record; False when the caller does not have it."""
    def commit(self, unseen: Sequence[tuple[str, int, int]]) -> None:
        """Hands over what was said. Where nothing need be said, everything is accepted that was given out,
        but for `unseen` records."""
    def is_settled(self, timeout: float | None) -> bool:
        """Waits until brokers have answered to all that was handed over."""
    def take_results(self) -> list[tuple[str, int, list[int], Exception | None]]:
        """What became of acknowledgements since the last call: topic, partition, offsets, and why not."""
    @property
    def lock_timeout_ms(self) -> int | None:
        """How long records are the caller's; None before the first came."""
    def leave(self) -> None:
        """Begins to give everything back and to leave the group."""
    def has_left(self, timeout: float | None) -> bool:
        """Whether it has left; waits up to `timeout` seconds."""
    def close(self) -> None:
        """Ends the thread."""

def partition_of_key(key: bytes, count: int) -> int:
    """The partition of a key among `count`, as Java's default partitioner finds it."""

@final
class HttpRequest:
    """A request that waits for its answer."""

    @property
    def id(self) -> int:
        """Counts up."""
    @property
    def service(self) -> int:
        """Number of the service that it came to."""
    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str:
        """The path as it was sent, percent signs included."""
    @property
    def query(self) -> str:
        """What stands behind the question mark, as it was sent."""
    @property
    def body(self) -> bytes:
        """Empty when it comes in pieces."""
    @property
    def in_pieces(self) -> bool:
        """Whether its body comes in pieces, which `read` gives."""
    def read(self) -> tuple[bytes, str | None]:
        """What has come of its body since it was asked last, and how that has ended: None while more may
        come, "complete", or why there will be no more."""
    @property
    def is_secured(self) -> bool:
        """Whether it came through TLS."""
    def write(self, piece: bytes) -> int | None:
        """Writes a piece of the body of the response that was begun: the bytes that are on their way. None
        when the client has gone, or nothing was begun."""
    def end_with(self, code: int, reason: str) -> None:
        """Says why the WebSocket that was begun will end: a code of RFC 6455, and words."""
    def finish(self) -> None:
        """Ends the response that was begun."""
    @property
    def subject(self) -> str | None:
        """Whose certificate the client has shown, as RFC 2253 writes names, and Java."""
    @property
    def is_websocket(self) -> bool:
        """Whether it asks for a WebSocket."""
    def note_operation(self, number: int) -> None:
        """Says which operation answers it."""
    @property
    def peer(self) -> str:
        """Address of the client."""
    def header(self, name: str) -> str | None:
        """The first header of this name, which is given in lower case."""

@final
class HttpServer:
    """A server of one or more services. No thread of it calls into Python."""

    def __new__(cls, threads: int, body_bytes_max: int) -> Self: ...
    def listen(
        self,
        name: str,
        host: str,
        port: int,
        published_bytes_max: int,
        in_pieces: str | None = None,
        tls: tuple[str, str, str | None] | None = None,
    ) -> tuple[int, int]:
        """Lets clients of a service in: its number, and the port, which may have been 0. To paths that end
        with `in_pieces`, bodies without a length are handed over as they come. `tls` has PEM texts:
        certificates, key, and authorities of clients' certificates, if clients must have some. Raises
        OSError, and ValueError for texts that can't be used."""
    def fileno(self) -> int:
        """A descriptor that is readable when `drain` has something to give."""
    def await_requests(self, micros: int) -> bool:
        """Waits up to `micros` for requests, awake; whether there are some."""
    def drain(self, limit: int) -> list[HttpRequest]:
        """Takes up to `limit` requests, and silences the descriptor. Those that are answered without Python
        are not among them."""
    def show_records(
        self,
        request: HttpRequest,
        target: RecordTarget,
        refusal: Callable[[BarnabasError], tuple[int, str]],
        is_batch: bool,
    ) -> None:
        """From now on the records of plain requests to the path of this one, without a query, go to `target`,
        and are answered, without Python. Plain: records of formats without a schema, one behind the other or,
        where `is_batch`, by their names. For a record that was not written `refusal` is called with why, and
        gives status and body of the response to it alone."""
    def respond(
        self, answers: Sequence[tuple[HttpRequest, int, Sequence[tuple[str, str]], bytes, bool]]
    ) -> None:
        """Answers requests: status, headers, body, and whether the same request is answered so from now on
        without Python."""
    def begin(self, request: HttpRequest, status: int, headers: Sequence[tuple[str, str]]) -> bool:
        """Begins the answer to a request; its body is what is written to the request. False when the client
        has gone."""
    def begin_websocket(self, request: HttpRequest) -> bool:
        """Makes a WebSocket of the connection of a request that asks for one: each piece that is written is a
        message. False when the client has gone."""
    def figures(self, service: int, operations: list[str]) -> str:
        """What a service has answered, in the text format of Prometheus; `operations` are the names of
        numbers from 1 on."""
    def news(self) -> list[int]:
        """Requests of which there is something new: pieces of a body, room for more of a response, or an end
        of either."""
    def withdraw(self, service: int) -> None:
        """Takes back all replies that were published for a service."""
    def stop(self, grace_ms: int) -> None:
        """Lets nobody in any more; who waits for an answer may get it within `grace_ms`."""

@final
class RecordCount:
    """Counts records of the REST Proxy, those that are handed in without Python too."""

    def __new__(cls) -> Self: ...
    def note(self) -> None:
        """Counts one more."""
    @property
    def value(self) -> int:
        """How many there were."""

@final
class RecordTarget:
    """A topic that plain records of the REST Proxy are handed in for without Python."""

    def __new__(
        cls, producer: NativeProducer, topic: str, names: tuple[str, str], count: RecordCount
    ) -> Self:
        """`names`: the cluster's id and the topic's name, as JSON has them. `count` counts what is handed
        in."""

@final
class RecordStream:
    """Records of the REST Proxy that come on one connection: those that are plain go to a producer at once,
    others to Python. Replies keep the order of records."""

    def __new__(
        cls,
        target: RecordTarget | None,
        ready: Callable[[], object],
        failed: Callable[[BarnabasError], bytes],
    ) -> Self:
        """`ready` is called when there are replies to take, `failed` with why a record was not written, and
        gives the reply. Without a target all records are given back."""
    def feed(self, piece: bytes) -> bytes | None:
        """Hands in what a piece completes. The first object that is not plain, or can't be handed in at once,
        is given back; then it goes on with an empty piece. None when nothing is left to do but to wait: for
        more pieces, or while too many replies are under way."""
    def rest(self) -> bytes:
        """What has come of an object that is not complete."""
    def reserve(self) -> int:
        """A place for the reply to a record that was given back."""
    def fill(self, number: int, reply: bytes) -> None:
        """Puts a reply into its place, once."""
    def take(self, limit: int) -> bytes:
        """Up to `limit` replies, each a line, up to the first that has to be waited for."""
    @property
    def under_way(self) -> int:
        """Records whose replies were not taken."""
    @property
    def is_full(self) -> bool:
        """Whether so many replies are under way that no more is read."""
