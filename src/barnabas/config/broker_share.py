"""Broker configs of share groups and of the share coordinator.

The columns are described in `definition`.
"""

TABLE = """
group.share.session.timeout.ms | int | 45000 | 1.. | read-only | effective
    How long a share group's member may stay silent before it is removed.
group.share.min.session.timeout.ms | int | 45000 | 1.. | read-only | effective
    Lower bound of a group's own share.session.timeout.ms.
group.share.max.session.timeout.ms | int | 60000 | 1.. | read-only | effective
    Upper bound of a group's own share.session.timeout.ms.
group.share.heartbeat.interval.ms | int | 5000 | 1.. | read-only | effective
    How often a share group's members report.
group.share.min.heartbeat.interval.ms | int | 5000 | 1.. | read-only | effective
    Lower bound of a group's own share.heartbeat.interval.ms.
group.share.max.heartbeat.interval.ms | int | 15000 | 1.. | read-only | effective
    Upper bound of a group's own share.heartbeat.interval.ms.
group.share.assignment.interval.ms | int | 1000 | 0.. | cluster-wide | effective
    Shortest time between two assignments of a share group.
group.share.min.assignment.interval.ms | int | 0 | 0.. | read-only | effective
    Lower bound of a group's own share.assignment.interval.ms.
group.share.max.assignment.interval.ms | int | 15000 | 0.. | read-only | effective
    Upper bound of a group's own share.assignment.interval.ms.
group.share.assignor.offload.enable | boolean | true | - | cluster-wide | internals | internal
    Whether a share group's assignment is computed off the coordinator's thread.
group.share.assignors | list | simple | list non-empty | read-only | unread
    Assignors of share groups; the first is the default.
group.share.max.size | int | 200 | 1..1000 | read-only | effective
    Most members of a share group.
group.share.max.share.sessions | int | 2000 | 1.. | read-only | effective
    Most share sessions on one broker.
group.share.delivery.count.limit | int | 5 | 2..10 | read-only | effective
    How often a record is delivered before it counts as failed.
group.share.min.delivery.count.limit | int | 2 | 2..5 | read-only | effective
    Lower bound of a group's own share.delivery.count.limit.
group.share.max.delivery.count.limit | int | 10 | 5..25 | read-only | effective
    Upper bound of a group's own share.delivery.count.limit.
group.share.record.lock.duration.ms | int | 30000 | 1000..3600000 | read-only | effective
    How long a delivered record belongs to its consumer before others may have it.
group.share.min.record.lock.duration.ms | int | 15000 | 1000..30000 | read-only | effective
    Lower bound of a group's own share.record.lock.duration.ms.
group.share.max.record.lock.duration.ms | int | 60000 | 30000..3600000 | read-only | effective
    Upper bound of a group's own share.record.lock.duration.ms.
group.share.partition.max.record.locks | int | 2000 | 100..10000 | read-only | effective
    Most records of one partition in delivery at once.
group.share.min.partition.max.record.locks | int | 100 | 100..2000 | read-only | effective
    Lower bound of a group's own share.partition.max.record.locks.
group.share.max.partition.max.record.locks | int | 4000 | 2000..10000 | read-only | effective
    Upper bound of a group's own share.partition.max.record.locks.
group.share.initialize.retry.interval.ms | int | 30000 | 1.. | read-only | effective | internal
    Pause before the state of a share partition is initialized again.
group.share.persister.class.name | string | org.apache.kafka.server.share.persister.DefaultStatePersister |
  - | read-only | java | internal
    Java class that stores the state of share groups.
group.share.dlq.manager.class.name | string |
  org.apache.kafka.server.share.dlq.DefaultShareGroupDLQManager | - | read-only | java | internal
    Java class that writes to dead letter topics.
errors.deadletterqueue.auto.create.topics.enable | boolean | false | - | cluster-wide | effective
    Whether dead letter topics of share groups are created when they are missing.
errors.deadletterqueue.topic.name.prefix | string | dlq. | - | cluster-wide | effective
    How the name of a dead letter topic must begin.
share.coordinator.threads | int | 1 | 1.. | read-only | threads
    Threads of the share coordinator.
share.coordinator.append.linger.ms | int | -1 | -1.. | read-only | internals
    How long the share coordinator collects records before it writes them together; -1 adapts.
share.coordinator.cached.buffer.max.bytes | int | 1048588 | 524288.. | cluster-wide | internals
    Largest write buffer that the share coordinator keeps for reuse.
share.coordinator.load.buffer.size | int | 5242880 | 1.. | read-only | internals
    Bytes read at a time while share state is loaded.
share.coordinator.write.timeout.ms | int | 5000 | 1.. | read-only | internals
    How long a write of share state waits for its replicas.
share.coordinator.snapshot.update.records.per.snapshot | int | 500 | 0..500 | read-only | effective
    Updates of a share partition's state between two full snapshots of it.
share.coordinator.cold.partition.snapshot.interval.ms | int | 300000 | 1.. | read-only | effective | internal
    How often share partitions without traffic are snapshotted.
share.coordinator.state.topic.num.partitions | int | 50 | 1.. | read-only | effective
    Partitions of __share_group_state.
share.coordinator.state.topic.replication.factor | short | 3 | 1.. | read-only | effective
    Replicas of __share_group_state.
share.coordinator.state.topic.min.isr | short | 2 | 1.. | read-only | effective
    min.insync.replicas of __share_group_state.
share.coordinator.state.topic.segment.bytes | int | 104857600 | 1.. | read-only | effective
    Segment size of __share_group_state.
share.coordinator.state.topic.compression.codec | int | 0 | - | read-only | unread
    Compression of __share_group_state, by number.
share.coordinator.state.topic.prune.interval.ms | int | 300000 | 1.. | read-only | effective | internal
    How often state that snapshots cover is deleted from __share_group_state.
share.fetch.purgatory.purge.interval.requests | int | 1000 | - | read-only | internals
    After how many requests finished share fetches are swept from the waiting list.
"""
