"""The native half of barnabas. Everything that crosses between Python and Rust is in this file."""

from collections.abc import Mapping, Sequence
from typing import Any, final

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

def decompress(codec: int, data: bytes, size_max: int) -> bytes:
    """What a codec of record batches (0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd) packed; ValueError when the data
    is damaged or holds more than `size_max` bytes."""

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
    features: dict[str, tuple[int, int]]

@final
class MetadataImage:
    """One state of the cluster's metadata: frozen, shared with Rust, cheap to hold."""

    def __init__(self) -> None:
        """No metadata at all."""
    def with_records(self, records: Sequence[bytes]) -> MetadataImage:
        """The image after these records, framed as in the log. ValueError for one that can't be applied."""
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
    body: Message

@final
class LogDirectory:
    """A log directory of this node, as DescribeLogDirs shows it."""

    path: str
    error_code: int
    """0, or KAFKA_STORAGE_ERROR when it has failed."""
    total_bytes: int
    """Size of its volume; -1 when unknown."""
    usable_bytes: int
    replicas: list[tuple[str, int, int, int, bool]]
    """(topic, partition, size in bytes, offset lag, whether it is a future replica), in order"""

@final
class QuorumState:
    """The metadata quorum as its leader sees it."""

    leader_id: int
    leader_epoch: int
    high_watermark: int
    log_end_offset: int
    directory_id: Uuid
    """Of the directory that holds this voter's metadata log."""

class NodeConfig:
    """What Rust must know of the configuration: see `barnabas.server.native_config`."""

@final
class Node:
    """The data plane of one node: log directories, metadata log, partitions, network."""

    def __init__(self, settings: Mapping[str, Any]) -> None: ...
    def start(self) -> None: ...
    def listen(self) -> list[tuple[str, str, int]]:
        """Binds the listeners; (name, host, port) with the real port of each."""
    def stop(self, deadline_ms: int) -> None: ...
    def event_descriptor(self) -> int:
        """Readable whenever `drain` has something."""
    def drain(self, limit: int) -> list[Any]:
        """ColdRequest, Committed, LogLine … in order."""
    def respond(self, responses: Sequence[tuple[int, Message | None]]) -> None:
        """Answers cold requests by id; None closes the connection."""
    def propose(self, records: Sequence[tuple[Message, int]]) -> int:
        """Appends one atomic batch of metadata records (message, version); its last offset."""
    def head(self) -> MetadataImage: ...
    def image(self) -> MetadataImage: ...
    def log_directories(self) -> list[LogDirectory]: ...
    def alter_replica_log_dir(self, topic: str, partition: int, path: str) -> int:
        """Moves this node's replica of a partition to another directory; 0 or an error code."""
    def quorum(self) -> QuorumState: ...
