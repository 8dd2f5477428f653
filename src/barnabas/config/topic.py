"""Topic configs.

The columns are described in `definition`.
"""

TABLE = """
barnabas.delivery.delay.ms | long | 0 | 0.. | effective
    Own to barnabas. How long after its timestamp a record is delivered in share groups.
barnabas.delivery.ttl.ms | long | -1 | -1.. | effective
    Own to barnabas. How long after its timestamp a record is no longer delivered in share groups; -1 never.
barnabas.durability | string | page-cache | one of page-cache fsync | effective
    Own to barnabas. When a write counts: once it is in the page cache, as in Kafka, or once it is on disk.
barnabas.key.schema.validation | string | none | one of none id value | effective
    Own to barnabas. Whether keys must name a schema that their subject has (id), and fit it (value).
barnabas.key.subject.name.strategy | string | TopicNameStrategy |
  one of TopicNameStrategy RecordNameStrategy TopicRecordNameStrategy | effective
    Own to barnabas. How the subject of keys is named, for barnabas.key.schema.validation.
barnabas.schema.validation.divert | string | '' | no internal topic | effective
    Own to barnabas. The topic for records that do not pass schema validation; empty: they are refused.
barnabas.value.schema.validation | string | none | one of none id value | effective
    Own to barnabas. Whether values must name a schema that their subject has (id), and fit it (value).
barnabas.value.subject.name.strategy | string | TopicNameStrategy |
  one of TopicNameStrategy RecordNameStrategy TopicRecordNameStrategy | effective
    Own to barnabas. How the subject of values is named, for barnabas.value.schema.validation.
cleanup.policy | list | delete | list of compact delete | effective
    What happens to old segments: delete, compact, both, or nothing.
compression.gzip.level | int | -1 | gzip level | effective
    Level of gzip when compression.type is gzip.
compression.lz4.level | int | 9 | 1..17 | effective
    Level of LZ4 when compression.type is lz4.
compression.type | string | producer | one of uncompressed zstd lz4 snappy gzip producer | effective
    Compression of stored batches: a codec, uncompressed, or producer to keep what arrives.
compression.zstd.level | int | 3 | -131072..22 | effective
    Level of Zstandard when compression.type is zstd.
delete.retention.ms | long | 86400000 | 0.. | effective
    How long delete markers of a compacted topic are kept for readers.
errors.deadletterqueue.group.enable | boolean | false | - | effective
    Whether share groups may use this topic as their dead letter topic.
file.delete.delay.ms | long | 60000 | 0.. | effective
    Pause between taking a segment out of the log and removing its files.
flush.messages | long | 9223372036854775807 | 1.. | effective
    Messages after which a partition is forced to disk.
flush.ms | long | 9223372036854775807 | 0.. | effective
    Longest time that a message stays unforced.
follower.replication.throttled.replicas | list | '' | throttled replicas | quotas
    Replicas whose copying is throttled on the follower's side: partition:broker pairs, or *.
index.interval.bytes | int | 4096 | 0.. | effective
    Bytes of records between two entries of the offset index.
internal.segment.bytes | int | null | - | effective | internal
    Segment size for tests, below the public minimum; wins over segment.bytes.
leader.replication.throttled.replicas | list | '' | throttled replicas | quotas
    Replicas whose copying is throttled on the leader's side: partition:broker pairs, or *.
local.retention.bytes | long | -2 | -2.. | tiered
    Size kept on local disk of a partition with remote storage; -2 takes retention.bytes.
local.retention.ms | long | -2 | -2.. | tiered
    Age kept on local disk of a partition with remote storage; -2 takes retention.ms.
max.compaction.lag.ms | long | 9223372036854775807 | 1.. | effective
    Time after which a record must be open to compaction.
max.decompressed.message.bytes | int | 2147483639 | 1..2147483639 | effective
    Largest size of a record batch once decompressed.
max.message.bytes | int | 1048588 | 0.. | effective
    Largest record batch, in bytes after compression.
message.timestamp.after.max.ms | long | 3600000 | 0.. | effective
    How far in the future a record's timestamp may lie.
message.timestamp.before.max.ms | long | 9223372036854775807 | 0.. | effective
    How far in the past a record's timestamp may lie.
message.timestamp.type | string | CreateTime | one of CreateTime LogAppendTime | effective
    Whether a record carries the producer's time or the time of its append.
min.cleanable.dirty.ratio | double | 0.5 | 0..1 | effective
    Share of a log that must be uncleaned before it is worth cleaning.
min.compaction.lag.ms | long | 0 | 0.. | effective
    Time for which a record stays safe from compaction.
min.insync.replicas | int | 1 | 1.. | effective
    Fewest in-sync replicas with which a write of acks=all is taken.
preallocate | boolean | false | - | effective
    Whether a new segment file takes its full size on disk at once.
remote.copy.lag.bytes | long | -1 | -1.. | tiered
    Size up to which a closed segment may wait for its copy to remote storage; -1 takes local.retention.bytes.
remote.copy.lag.ms | long | 0 | -1.. | tiered
    Time for which a closed segment may wait for its copy to remote storage; -1 takes local.retention.ms.
remote.log.copy.disable | boolean | false | - | tiered
    Whether the topic stops copying to remote storage and only reads what is there.
remote.log.delete.on.disable | boolean | false | - | tiered
    Whether remote data is deleted when remote storage is turned off for the topic.
remote.storage.enable | boolean | false | - | tiered
    Whether the topic keeps its older segments in remote storage.
retention.bytes | long | -1 | - | effective
    Size of a partition above which its oldest segments are deleted; -1 sets no bound.
retention.ms | long | 604800000 | -1.. | effective
    Age at which segments are deleted; -1 never.
segment.bytes | int | 1073741824 | 1048576.. | effective
    Size at which a segment is closed and a new one begun.
segment.index.bytes | int | 10485760 | 4.. | effective
    Largest size of an index file; a full index closes its segment.
segment.jitter.ms | long | 0 | 0.. | effective
    Up to this much is taken off segment.ms at random, so that segments do not all roll at once.
segment.ms | long | 604800000 | 1.. | effective
    Age at which a segment is closed even if it is not full.
unclean.leader.election.enable | boolean | false | - | effective
    Whether a replica that is not in sync may lead when no other is left, at the price of lost records.
"""
