"""Configs of the clients: producer, consumer, Admin.

The columns are described in `definition`. Defaults are Java's, but for `batch.size`.
"""

COMMON = """
bootstrap.servers | list | required | - | effective
    Where to find the cluster at first: host:port pairs.
client.id | string | barnabas | - | effective
    What the client calls itself towards brokers.
metadata.max.age.ms | long | 300000 | 0.. | effective
    Age at which metadata is asked for again though nothing seems wrong.
reconnect.backoff.max.ms | long | 1000 | 0.. | effective
    Longest pause before a broker is connected to again.
reconnect.backoff.ms | long | 50 | 0.. | effective
    Pause before a broker is connected to again; doubled each time.
request.timeout.ms | int | 30000 | 1.. | effective
    How long a request may take before its connection is given up.
retry.backoff.ms | long | 100 | 0.. | effective
    Pause before a request is repeated.
socket.connection.setup.timeout.ms | long | 10000 | 1.. | effective
    How long a connection may take to come about.
"""

PRODUCER = """
acks | string | all | one of all -1 0 1 | effective
    Whose word makes a record delivered: all in-sync replicas', the leader's alone (1), nobody's (0).
batch.size | int | 1000000 | 1..2000000000 | effective
    Bytes of records, before compression, at which a batch is full. It takes memory as records come.
buffer.memory | long | 33554432 | 1048576.. | effective
    Bytes that records may take until they are delivered.
compression.gzip.level | int | -1 | -1..9 | effective
    Level of gzip.
compression.lz4.level | int | 9 | 1..17 | effective
    Level of LZ4.
compression.type | string | none | one of none gzip snappy lz4 zstd | effective
    How batches are compressed.
compression.zstd.level | int | 3 | -131072..22 | effective
    Level of Zstandard.
delivery.timeout.ms | int | 120000 | 0.. | effective
    How long after it was handed in a record is given up.
enable.idempotence | boolean | true | - | effective
    Whether a record is written once though it may be sent twice.
key.serializer | class | null | - | effective
    What keys are written with: a serde, its class, its name or Java's, or a function.
linger.ms | long | 5 | 0.. | effective
    How long a batch waits for more records.
max.block.ms | long | 60000 | 0.. | effective
    How long handing in a record may wait for metadata and room.
max.in.flight.requests.per.connection | int | 5 | 1.. | effective
    Requests to one broker that may be without an answer.
max.request.size | int | 1048576 | 0.. | effective
    Bytes of a request, before compression; no record may be larger.
partitioner | string | default | one of default round_robin | effective
    Own to barnabas. Records without a partition go where Java's clients send them, or to each in turn.
partitioner.ignore.keys | boolean | false | - | effective
    Whether keys don't choose the partition.
retries | int | 2147483647 | 0.. | effective
    How often a batch is sent again, within delivery.timeout.ms.
retry.backoff.max.ms | long | 1000 | 0.. | effective
    Longest pause before a batch is sent again.
transaction.timeout.ms | int | 60000 | 1.. | effective
    How long a transaction may stay open before the coordinator aborts it.
transactional.id | string | '' | - | effective
    Name under which transactions are written; whoever uses it fences those who used it before.
value.serializer | class | null | - | effective
    What values are written with, as key.serializer.
"""

CONSUMER = """
allow.auto.create.topics | boolean | true | - | effective
    Whether a broker may create topics that are asked for.
auto.commit.interval.ms | int | 5000 | 0.. | effective
    How often positions are committed, with enable.auto.commit.
auto.offset.reset | string | latest | consumer reset | effective
    Where to begin when there is no position, or it is no longer in the log.
check.crcs | boolean | true | - | effective
    Whether the checksums of batches are compared.
client.rack | string | '' | - | effective
    Where the client is.
default.api.timeout.ms | int | 60000 | 0.. | effective
    How long a commit, and a question for what is committed, is tried.
enable.auto.commit | boolean | true | - | effective
    Whether positions are committed at intervals, when partitions are given up, and at the end.
exclude.internal.topics | boolean | true | - | effective
    Whether patterns leave out topics that are the broker's own.
fetch.max.bytes | int | 52428800 | 0.. | effective
    Bytes of one answer.
fetch.max.wait.ms | int | 500 | 0.. | effective
    How long a broker may wait for fetch.min.bytes.
fetch.min.bytes | int | 1 | 0.. | effective
    Bytes for which a broker waits before it answers.
group.id | string | null | - | effective
    The group that it reads for, and commits to.
group.instance.id | string | null | - | effective
    Makes it a static member: who comes back under this name in time gets the same partitions.
group.protocol | string | classic | any case of CLASSIC CONSUMER | effective
    Who shares partitions out: the members (classic), or the coordinator (consumer, KIP-848).
group.remote.assignor | string | null | - | effective
    How the coordinator shares partitions out, with group.protocol=consumer: uniform or range.
heartbeat.interval.ms | int | 3000 | 1.. | effective
    How often a member of the classic protocol says that it is there.
key.deserializer | class | null | - | effective
    What keys are read with: a serde, its class, its name or Java's, or a function.
isolation.level | string | read_uncommitted | one of read_uncommitted read_committed | effective
    Whether records of open and aborted transactions are seen.
max.partition.fetch.bytes | int | 1048576 | 1.. | effective
    Bytes of one partition in an answer; twice as much may wait for the user.
max.poll.interval.ms | int | 300000 | 1.. | effective
    How long a member may go without asking for records before it leaves its group.
max.poll.records | int | 500 | 1.. | effective
    Most records that poll() gives at once.
partition.assignment.strategy | list | range,cooperative-sticky | list non-empty | effective
    How members of the classic protocol share out: range, roundrobin, sticky, cooperative-sticky.
session.timeout.ms | int | 45000 | 1.. | effective
    How long a member of the classic protocol may be silent before it is taken for gone.
value.deserializer | class | null | - | effective
    What values are read with, as key.deserializer.
"""

SERDES = frozenset({"key.serializer", "value.serializer", "key.deserializer", "value.deserializer"})
"""Configs whose values are objects, or names of classes."""

SHARE_LIKE_CONSUMER = (
    "check.crcs",
    "client.rack",
    "fetch.max.bytes",
    "fetch.max.wait.ms",
    "fetch.min.bytes",
    "key.deserializer",
    "max.poll.interval.ms",
    "max.poll.records",
    "value.deserializer",
)
"""Configs that a share consumer has as a consumer has them."""

SHARE_CONSUMER = """
group.id | string | required | - | effective
    The share group that it takes records for.
share.acknowledgement.mode | string | implicit | any case of IMPLICIT EXPLICIT | effective
    Whether asking for more says that the last records were worked on, or acknowledge() says so of each.
share.acquire.mode | string | batch_optimized | any case of BATCH_OPTIMIZED RECORD_LIMIT | effective
    Whether brokers give whole batches, or never more than max.poll.records.
"""

ADMIN = """
default.api.timeout.ms | int | 60000 | 0.. | effective
    How long an operation may take in all, with what it has to ask again.
retry.backoff.max.ms | long | 1000 | 0.. | effective
    Longest pause before a request is repeated.
"""

UNBUILT = frozenset(
    {
        "interceptor.classes",
        "sasl.client.callback.handler.class",
        "sasl.kerberos.service.name",
        "sasl.login.callback.handler.class",
        "ssl.cipher.suites",
        "ssl.engine.factory.class",
        "ssl.key.password",
        "ssl.keystore.password",
        "ssl.truststore.password",
    }
)
"""Configs of Kafka's clients whose meaning is not built yet: they are refused, never ignored."""
