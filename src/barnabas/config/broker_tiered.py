"""Broker configs of remote (tiered) storage.

The columns are described in `definition`.
"""

TABLE = """
remote.log.storage.system.enable | boolean | false | - | read-only | tiered
    Whether this broker has remote storage at all.
remote.log.storage.manager.class.name | string | null | non-empty | read-only | tiered
    Java class that stores segments remotely.
remote.log.storage.manager.class.path | string | null | - | read-only | tiered
    Where that class is loaded from.
remote.log.storage.manager.impl.prefix | string | rsm.config. | non-empty | read-only | tiered
    Prefix of the configs that are handed to the storage manager.
remote.log.metadata.manager.class.name | string |
  org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager |
  non-empty | read-only | tiered
    Java class that keeps track of remote segments.
remote.log.metadata.manager.class.path | string | null | - | read-only | tiered
    Where that class is loaded from.
remote.log.metadata.manager.impl.prefix | string | rlmm.config. | non-empty | read-only | tiered
    Prefix of the configs that are handed to the metadata manager.
remote.log.metadata.manager.listener.name | string | null | non-empty | read-only | tiered
    Listener over which the metadata manager reaches the cluster.
remote.log.metadata.custom.metadata.max.bytes | int | 128 | 0.. | read-only | tiered
    Most bytes of a plugin's own metadata for one segment.
remote.log.index.file.cache.total.size.bytes | long | 1073741824 | 1.. | cluster-wide | tiered
    Space for indexes fetched from remote storage.
remote.log.index.file.cache.ttl.ms | long | 900000 | -1.. | read-only | tiered | internal
    How long an index fetched from remote storage is kept unused.
remote.log.manager.thread.pool.size | int | 2 | 1.. | read-only | tiered
    Threads that schedule copies and expiry of remote segments.
remote.log.manager.copier.thread.pool.size | int | 10 | 1.. | cluster-wide | tiered
    Threads that copy segments to remote storage.
remote.log.manager.expiration.thread.pool.size | int | 10 | 1.. | cluster-wide | tiered
    Threads that delete expired remote segments.
remote.log.manager.follower.thread.pool.size | int | 2 | 1.. | cluster-wide | tiered
    Threads that follow remote offsets for follower replicas.
remote.log.manager.task.interval.ms | long | 30000 | 1.. | read-only | tiered
    How often copies and expiry of remote segments run.
remote.log.manager.task.retry.backoff.ms | long | 500 | 1.. | read-only | tiered | internal
    First pause after a failed remote task.
remote.log.manager.task.retry.backoff.max.ms | long | 30000 | 1.. | read-only | tiered | internal
    Longest pause after repeated failures of a remote task.
remote.log.manager.task.retry.jitter | double | 0.2 | 0..0.5 | read-only | tiered | internal
    Random share of the pause between retries.
remote.log.manager.copy.max.bytes.per.second | long | 9223372036854775807 | 1.. | cluster-wide | tiered
    Most bytes copied to remote storage in a second.
remote.log.manager.copy.quota.window.num | int | 11 | 1.. | read-only | tiered
    How many windows the copy quota remembers.
remote.log.manager.copy.quota.window.size.seconds | int | 1 | 1.. | read-only | tiered
    Length of one window of the copy quota.
remote.log.manager.fetch.max.bytes.per.second | long | 9223372036854775807 | 1.. | cluster-wide | tiered
    Most bytes fetched from remote storage in a second.
remote.log.manager.fetch.quota.window.num | int | 11 | 1.. | read-only | tiered
    How many windows the remote fetch quota remembers.
remote.log.manager.fetch.quota.window.size.seconds | int | 1 | 1.. | read-only | tiered
    Length of one window of the remote fetch quota.
remote.log.reader.threads | int | 10 | 1.. | cluster-wide | tiered
    Threads that read from remote storage.
remote.log.reader.max.pending.tasks | int | 100 | 1.. | read-only | tiered
    How many remote reads may wait for a thread.
remote.fetch.max.wait.ms | int | 500 | 1.. | cluster-wide | tiered
    Longest time that a fetch waits for remote storage.
remote.list.offsets.request.timeout.ms | long | 30000 | 1.. | cluster-wide | tiered
    Longest time that a ListOffsets waits for remote storage.
"""
