"""Broker configs of logs: directories, segments, retention, cleaning, flushing, defaults of topics.

The columns are described in `definition`.
"""

TABLE = """
log.dir | list | /tmp/kafka-logs | list non-empty | read-only | effective
    Directory of the data, when log.dirs is unset.
log.dirs | list | null | list non-empty nullable | read-only | effective
    Directories of the data, separated by commas.
cordoned.log.dirs | list | '' | list nullable | per-broker | unread
    Log directories that take no new partitions.
log.dir.failure.timeout.ms | long | 30000 | 1.. | read-only | quorum
    How long a broker with a failed directory may go on without the controller knowing before it stops.
num.partitions | int | 1 | 1.. | read-only | effective
    Partitions of a topic that is created without a number of them.
default.replication.factor | int | 1 | - | read-only | effective
    Replicas of a topic that is created without a number of them.
auto.create.topics.enable | boolean | true | - | read-only | effective
    Whether a topic comes into being when a client that allows it asks for it by name.
delete.topic.enable | boolean | true | - | read-only | effective
    Whether topics can be deleted.
min.insync.replicas | int | 1 | 1.. | cluster-wide | effective
    Fewest in-sync replicas with which a write of acks=all is taken.
compression.type | string | producer | one of uncompressed zstd lz4 snappy gzip producer | cluster-wide |
  effective
    Compression of stored batches: a codec, uncompressed, or producer to keep what arrives.
compression.gzip.level | int | -1 | gzip level | cluster-wide | effective
    Level of gzip when compression.type is gzip.
compression.lz4.level | int | 9 | 1..17 | cluster-wide | effective
    Level of LZ4 when compression.type is lz4.
compression.zstd.level | int | 3 | -131072..22 | cluster-wide | effective
    Level of Zstandard when compression.type is zstd.
message.max.bytes | int | 1048588 | 0.. | cluster-wide | effective
    Largest record batch, in bytes after compression.
max.decompressed.message.bytes | int | 2147483639 | 1..2147483639 | cluster-wide | effective
    Largest size of a record batch once decompressed.
log.message.timestamp.type | string | CreateTime | one of CreateTime LogAppendTime | cluster-wide |
  effective
    Whether a record carries the producer's time or the time of its append.
log.message.timestamp.before.max.ms | long | 9223372036854775807 | 0.. | cluster-wide | effective
    How far in the past a record's timestamp may lie.
log.message.timestamp.after.max.ms | long | 3600000 | 0.. | cluster-wide | effective
    How far in the future a record's timestamp may lie.
log.segment.bytes | int | 1073741824 | 1048576.. | cluster-wide | effective
    Size at which a segment is closed and a new one begun.
log.roll.ms | long | null | - | cluster-wide | effective
    Age at which a segment is closed even if it is not full; before log.roll.hours.
log.roll.hours | int | 168 | 1.. | read-only | effective
    Age in hours at which a segment is closed even if it is not full.
log.roll.jitter.ms | long | null | - | cluster-wide | effective
    Up to this much is taken off log.roll.ms at random, so that segments do not all roll at once.
log.roll.jitter.hours | int | 0 | 0.. | read-only | effective
    log.roll.jitter.ms in hours.
log.index.interval.bytes | int | 4096 | 0.. | cluster-wide | effective
    Bytes of records between two entries of the offset index.
log.index.size.max.bytes | int | 10485760 | 4.. | cluster-wide | effective
    Largest size of an index file; a full index closes its segment.
log.preallocate | boolean | false | - | cluster-wide | effective
    Whether a new segment file takes its full size on disk at once.
log.cleanup.policy | list | delete | list of compact delete | cluster-wide | effective
    What happens to old segments: delete, compact, both, or nothing.
log.retention.ms | long | null | - | cluster-wide | effective
    Age at which segments are deleted, before the minutes and hours; -1 never.
log.retention.minutes | int | null | - | read-only | effective
    Age in minutes at which segments are deleted.
log.retention.hours | int | 168 | - | read-only | effective
    Age in hours at which segments are deleted.
log.retention.bytes | long | -1 | - | cluster-wide | effective
    Size of a partition above which its oldest segments are deleted; -1 sets no bound.
log.retention.check.interval.ms | long | 300000 | 1.. | read-only | effective
    How often old segments are looked for.
log.segment.delete.delay.ms | long | 60000 | 0.. | cluster-wide | effective
    Pause between taking a segment out of the log and removing its files.
log.initial.task.delay.ms | long | 30000 | 0.. | read-only | unread | internal
    Pause after the start before the log's housekeeping first runs.
barnabas.durability | string | page-cache | one of page-cache fsync | cluster-wide | effective
    Own to barnabas. When a write counts: once it is in the page cache, as in Kafka, or once it is on disk.
log.flush.interval.messages | long | 9223372036854775807 | 1.. | cluster-wide | effective
    Messages after which a partition is forced to disk.
log.flush.interval.ms | long | null | - | cluster-wide | effective
    Longest time that a message stays unforced; when unset, log.flush.scheduler.interval.ms.
log.flush.scheduler.interval.ms | long | 9223372036854775807 | - | read-only | effective
    How often partitions due for a flush are looked for.
log.flush.offset.checkpoint.interval.ms | int | 60000 | 0.. | read-only | effective
    How often the recovery points are written down.
log.flush.start.offset.checkpoint.interval.ms | int | 60000 | 0.. | read-only | unread
    How often the log start offsets are written down.
num.recovery.threads.per.data.dir | int | 2 | 1.. | cluster-wide | effective
    Threads for each data directory that load and recover logs at the start.
num.replica.alter.log.dirs.threads | int | null | - | read-only | threads
    Threads that move replicas between log directories.
alter.log.dirs.replication.quota.window.num | int | 11 | 1.. | read-only | quotas
    How many windows the quota on moves between directories remembers.
alter.log.dirs.replication.quota.window.size.seconds | int | 1 | 1.. | read-only | quotas
    Length of one window of the quota on moves between directories.
log.cleaner.enable | boolean | true | - | read-only | effective
    Whether logs are compacted. Without, compacted topics keep everything.
log.cleaner.threads | int | 1 | 0.. | cluster-wide | effective
    Threads that compact logs.
log.cleaner.backoff.ms | long | 15000 | 0.. | cluster-wide | effective
    Pause of a cleaner that finds nothing to do.
log.cleaner.dedupe.buffer.size | long | 134217728 | - | cluster-wide | effective
    Memory for the keys seen by all cleaners together.
log.cleaner.io.buffer.size | int | 524288 | 0.. | cluster-wide | effective
    Memory for the reads and writes of all cleaners together.
log.cleaner.io.buffer.load.factor | double | 0.9 | - | cluster-wide | effective
    How full the cleaner's table of keys may become.
log.cleaner.io.max.bytes.per.second | double | 1.7976931348623157E308 | - | cluster-wide | effective
    Most bytes that cleaners read and write in a second.
log.cleaner.min.cleanable.ratio | double | 0.5 | 0..1 | cluster-wide | effective
    Share of a log that must be uncleaned before it is worth cleaning.
log.cleaner.min.compaction.lag.ms | long | 0 | 0.. | cluster-wide | effective
    Time for which a record stays safe from compaction.
log.cleaner.max.compaction.lag.ms | long | 9223372036854775807 | 1.. | cluster-wide | effective
    Time after which a record must be open to compaction.
log.cleaner.delete.retention.ms | long | 86400000 | 0.. | cluster-wide | effective
    How long delete markers of a compacted log are kept for readers.
log.local.retention.bytes | long | -2 | -2.. | cluster-wide | tiered
    Size kept on local disk of a partition with remote storage; -2 takes the full retention.
log.local.retention.ms | long | -2 | -2.. | cluster-wide | tiered
    Age kept on local disk of a partition with remote storage; -2 takes the full retention.
log.remote.copy.lag.bytes | long | -1 | -1.. | cluster-wide | tiered
    Size up to which a closed segment may wait for its copy to remote storage; -1 takes the local retention.
log.remote.copy.lag.ms | long | 0 | -1.. | cluster-wide | tiered
    Time for which a closed segment may wait for its copy to remote storage; -1 takes the local retention.
"""
