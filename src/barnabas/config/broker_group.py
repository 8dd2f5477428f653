"""Broker configs of the group coordinator: classic, consumer and streams groups, committed offsets.

The columns are described in `definition`.
"""

TABLE = """
group.coordinator.rebalance.protocols | list | classic,consumer,streams |
  list non-empty of consumer classic share streams | read-only | effective
    Which kinds of groups are served: classic, consumer, share, streams.
group.coordinator.threads | int | 4 | 1.. | read-only | threads
    Threads of the group coordinator.
group.coordinator.background.threads | int | 2 | 1.. | read-only | threads
    Threads for the coordinator's slow work, such as server-side assignors.
group.coordinator.append.linger.ms | int | -1 | -1.. | read-only | internals
    How long the coordinator collects records before it writes them together; -1 adapts.
group.coordinator.cached.buffer.max.bytes | int | 1048588 | 524288.. | cluster-wide | internals
    Largest write buffer that the coordinator keeps for reuse.
group.initial.rebalance.delay.ms | int | 3000 | - | read-only | effective
    How long the first rebalance of an empty classic group waits for more members.
group.min.session.timeout.ms | int | 6000 | - | read-only | effective
    Shortest session timeout that a classic member may ask for.
group.max.session.timeout.ms | int | 1800000 | - | read-only | effective
    Longest session timeout that a classic member may ask for.
group.max.size | int | 2147483647 | 1.. | read-only | effective
    Most members of a classic group.
group.consumer.session.timeout.ms | int | 45000 | 1.. | read-only | effective
    How long a consumer group's member may stay silent before it is removed.
group.consumer.min.session.timeout.ms | int | 45000 | 1.. | read-only | effective
    Lower bound of a group's own consumer.session.timeout.ms.
group.consumer.max.session.timeout.ms | int | 60000 | 1.. | read-only | effective
    Upper bound of a group's own consumer.session.timeout.ms.
group.consumer.heartbeat.interval.ms | int | 5000 | 1.. | read-only | effective
    How often a consumer group's members report.
group.consumer.min.heartbeat.interval.ms | int | 5000 | 1.. | read-only | effective
    Lower bound of a group's own consumer.heartbeat.interval.ms.
group.consumer.max.heartbeat.interval.ms | int | 15000 | 1.. | read-only | effective
    Upper bound of a group's own consumer.heartbeat.interval.ms.
group.consumer.assignment.interval.ms | int | 1000 | 0.. | cluster-wide | effective
    Shortest time between two assignments of a consumer group; 10 ms for each member, if that is shorter.
group.consumer.min.assignment.interval.ms | int | 0 | 0.. | read-only | effective
    Lower bound of a group's own consumer.assignment.interval.ms.
group.consumer.max.assignment.interval.ms | int | 15000 | 0.. | read-only | effective
    Upper bound of a group's own consumer.assignment.interval.ms.
group.consumer.assignor.offload.enable | boolean | true | - | cluster-wide | internals | internal
    Whether a consumer group's assignment is computed off the coordinator's thread.
group.consumer.assignors | list | uniform,range | list non-empty | read-only | effective
    Server-side assignors of consumer groups; the first is the default.
group.consumer.max.size | int | 2147483647 | 1.. | read-only | effective
    Most members of a consumer group.
group.consumer.migration.policy | string | bidirectional |
  any case of DISABLED DOWNGRADE UPGRADE BIDIRECTIONAL | read-only | effective
    Whether groups may move between the classic and the consumer protocol, and which way.
group.consumer.regex.refresh.interval.ms | int | 600000 | 10000.. | read-only | effective | internal
    How often regular-expression subscriptions are matched against the topics again.
group.streams.session.timeout.ms | int | 45000 | 1.. | read-only | effective
    How long a streams group's member may stay silent before it is removed.
group.streams.min.session.timeout.ms | int | 45000 | 1.. | read-only | effective
    Lower bound of a group's own streams.session.timeout.ms.
group.streams.max.session.timeout.ms | int | 60000 | 1.. | read-only | effective
    Upper bound of a group's own streams.session.timeout.ms.
group.streams.heartbeat.interval.ms | int | 5000 | 1.. | read-only | effective
    How often a streams group's members report.
group.streams.min.heartbeat.interval.ms | int | 5000 | 1.. | read-only | effective
    Lower bound of a group's own streams.heartbeat.interval.ms.
group.streams.max.heartbeat.interval.ms | int | 15000 | 1.. | read-only | effective
    Upper bound of a group's own streams.heartbeat.interval.ms.
group.streams.assignment.interval.ms | int | 1000 | 0.. | cluster-wide | effective
    Shortest time between two assignments of a streams group.
group.streams.min.assignment.interval.ms | int | 0 | 0.. | read-only | effective
    Lower bound of a group's own streams.assignment.interval.ms.
group.streams.max.assignment.interval.ms | int | 15000 | 0.. | read-only | effective
    Upper bound of a group's own streams.assignment.interval.ms.
group.streams.assignor.offload.enable | boolean | true | - | cluster-wide | internals | internal
    Whether a streams group's assignment is computed off the coordinator's thread.
group.streams.assignors | list | sticky | list non-empty | read-only | effective
    Assignors of streams groups; the first is the default.
group.streams.max.size | int | 2147483647 | 1.. | read-only | effective
    Most members of a streams group.
group.streams.initial.rebalance.delay.ms | int | 3000 | 0.. | read-only | effective
    How long the first assignment of an empty streams group waits for more members.
group.streams.num.standby.replicas | int | 0 | 0.. | read-only | effective
    Standby copies of each stateful task.
group.streams.max.standby.replicas | int | 2 | 0.. | read-only | effective
    Upper bound of a group's own streams.num.standby.replicas.
group.streams.num.warmup.replicas | int | 2 | 0.. | read-only | warm-up | internal
    Most extra copies of tasks that warm up at once.
group.streams.max.warmup.replicas | int | 20 | 0.. | read-only | warm-up | internal
    Upper bound of a group's own streams.num.warmup.replicas.
group.streams.acceptable.recovery.lag | long | 10000 | 0.. | read-only | effective | internal
    Lag below which a copy of a task counts as caught up.
group.streams.task.offset.interval.ms | int | 60000 | 1.. | read-only | effective | internal
    How often members report the offsets of their tasks.
group.streams.min.task.offset.interval.ms | int | 15000 | 1.. | read-only | effective | internal
    Lower bound of a group's own streams.task.offset.interval.ms.
group.streams.rack.aware.assignment.tags | list | '' | list | read-only | rack
    Client tags over which standby copies are spread.
group.streams.topology.description.plugin.class | class | null | - | read-only | java
    Java class that is shown the topology of streams groups.
offset.metadata.max.bytes | int | 4096 | - | read-only | effective
    Longest note that a client may attach to a committed offset.
offsets.commit.timeout.ms | int | 5000 | 1.. | read-only | quorum
    How long an offset commit waits for its replicas.
offsets.load.buffer.size | int | 5242880 | 1.. | read-only | internals
    Bytes read at a time while committed offsets are loaded.
offsets.retention.minutes | int | 10080 | 1.. | read-only | effective
    How long the offsets of an empty group are kept.
offsets.retention.check.interval.ms | long | 600000 | 1.. | read-only | effective
    How often expired offsets are looked for.
offsets.topic.num.partitions | int | 50 | 1.. | read-only | effective
    Partitions of __consumer_offsets.
offsets.topic.replication.factor | short | 3 | 1.. | read-only | effective
    Replicas of __consumer_offsets.
offsets.topic.segment.bytes | int | 104857600 | 1.. | read-only | effective
    Segment size of __consumer_offsets.
offsets.topic.compression.codec | int | 0 | - | read-only | effective
    Compression of __consumer_offsets, by number.
"""
