"""Group configs.

The columns are described in `definition`.
"""

TABLE = """
consumer.assignment.interval.ms | int | 1000 | 0.. | effective
    Shortest time between two assignments of this consumer group.
consumer.assignor.offload.enable | boolean | true | - | internals | internal
    Whether this consumer group's assignment is computed off the coordinator's thread.
consumer.heartbeat.interval.ms | int | 5000 | 1.. | effective
    How often this consumer group's members report.
consumer.session.timeout.ms | int | 45000 | 1.. | effective
    How long a member of this consumer group may stay silent before it is removed.
errors.deadletterqueue.copy.record.enable | boolean | false | - | effective
    Whether key and value of a failed record go to the dead letter topic with it.
errors.deadletterqueue.topic.name | string | '' | - | effective
    Topic that receives the records which this share group gives up; empty for none.
share.assignment.interval.ms | int | 1000 | 0.. | effective
    Shortest time between two assignments of this share group.
share.assignor.offload.enable | boolean | true | - | internals | internal
    Whether this share group's assignment is computed off the coordinator's thread.
share.auto.offset.reset | string | latest | offset reset | effective
    Where this share group begins: earliest, latest, or by_duration: and an ISO 8601 duration.
share.delivery.count.limit | int | 5 | 2.. | effective
    How often a record is delivered in this share group before it counts as failed.
share.delivery.headers | list | '' | list of deliver-at expires-at priority | effective
    Own to barnabas. Headers of records that decide on their delivery in this share group.
share.heartbeat.interval.ms | int | 5000 | 1.. | effective
    How often this share group's members report.
share.isolation.level | string | read_uncommitted | one of read_committed read_uncommitted | effective
    Whether this share group sees records of transactions that have not been committed.
share.ordering | string | none | one of none key | effective
    Own to barnabas. With key, no record is delivered while an earlier one with the same key is in flight.
share.partition.max.record.locks | int | 2000 | 100.. | effective
    Most records of one partition in delivery at once in this share group.
share.partition.max.waiting.records | int | 10000 | 0..20000 | effective
    Own to barnabas. Most records of one partition that wait for their time, their key or their turn.
share.record.lock.duration.ms | int | 30000 | 1000.. | effective
    How long a delivered record belongs to its consumer before others may have it.
share.renew.acknowledge.enable | boolean | true | - | effective
    Whether a consumer may renew its hold on a record.
share.retry.backoff.max.ms | int | 60000 | 0..86400000 | effective
    Own to barnabas. Longest pause before a record is delivered once more.
share.retry.backoff.ms | int | 0 | 0..86400000 | effective
    Own to barnabas. Pause before a record is delivered a second time, doubled before each further time.
share.session.timeout.ms | int | 45000 | 1.. | effective
    How long a member of this share group may stay silent before it is removed.
streams.acceptable.recovery.lag | long | 10000 | 0.. | effective | internal
    Lag below which a copy of a task counts as caught up.
streams.assignment.interval.ms | int | 1000 | 0.. | effective
    Shortest time between two assignments of this streams group.
streams.assignor.name | string | null | - | effective
    Assignor of this streams group; when unset, the broker's first.
streams.assignor.offload.enable | boolean | true | - | internals | internal
    Whether this streams group's assignment is computed off the coordinator's thread.
streams.heartbeat.interval.ms | int | 5000 | 1.. | effective
    How often this streams group's members report.
streams.initial.rebalance.delay.ms | int | 3000 | 0.. | effective
    How long the first assignment of this group waits for more members.
streams.num.standby.replicas | int | 0 | 0.. | effective
    Standby copies of each stateful task of this group.
streams.num.warmup.replicas | int | 2 | 0.. | warm-up | internal
    Most extra copies of tasks that warm up at once in this group.
streams.rack.aware.assignment.tags | list | '' | list | rack
    Client tags over which this group's standby copies are spread.
streams.session.timeout.ms | int | 45000 | 1.. | effective
    How long a member of this streams group may stay silent before it is removed.
streams.task.offset.interval.ms | int | 60000 | 1.. | effective | internal
    How often this group's members report the offsets of their tasks.
"""
