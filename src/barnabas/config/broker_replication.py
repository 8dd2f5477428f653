"""Broker configs of replication and leadership.

The columns are described in `definition`.
"""

TABLE = """
unclean.leader.election.enable | boolean | false | - | cluster-wide | effective
    Whether a replica that is not in sync may lead when no other is left, at the price of lost records.
unclean.leader.election.interval.ms | long | 300000 | 1.. | read-only | quorum | internal
    How often partitions without a leader are tried for an unclean election.
auto.leader.rebalance.enable | boolean | true | - | read-only | quorum
    Whether leadership goes back to preferred replicas by itself.
leader.imbalance.check.interval.seconds | long | 300 | 1.. | read-only | quorum
    How often the preferred leaders are checked.
num.replica.fetchers | int | 1 | 1.. | cluster-wide | quorum
    Threads that copy from each other broker.
replica.fetch.backoff.ms | int | 1000 | 0.. | read-only | quorum
    Pause of a follower after a failed fetch.
replica.fetch.max.bytes | int | 1048576 | 0.. | read-only | quorum
    Bytes of one partition that a follower asks for at a time.
replica.fetch.min.bytes | int | 1 | - | read-only | quorum
    Bytes for which a follower's fetch waits.
replica.fetch.response.max.bytes | int | 10485760 | 0.. | read-only | quorum
    Bytes of one whole response to a follower.
replica.fetch.wait.max.ms | int | 500 | - | read-only | quorum
    Longest time that a follower's fetch waits.
replica.high.watermark.checkpoint.interval.ms | long | 5000 | - | read-only | effective
    How often the high watermarks are written down.
replica.lag.time.max.ms | long | 30000 | - | read-only | quorum
    A follower that has not caught up for this long leaves the in-sync replicas.
replica.selector.class | string | null | - | read-only | java
    Java class that chooses the replica for a consumer to read from.
replica.socket.receive.buffer.bytes | int | 65536 | - | read-only | quorum
    Receive buffer of a follower's connection; -1 leaves it to the system.
replica.socket.timeout.ms | int | 30000 | - | read-only | quorum
    Timeout of a follower's request.
replication.quota.window.num | int | 11 | 1.. | read-only | quotas
    How many windows the replication quotas remember.
replication.quota.window.size.seconds | int | 1 | 1.. | read-only | quotas
    Length of one window of the replication quotas.
follower.fetch.last.tiered.offset.enable | boolean | false | - | cluster-wide | tiered
    Whether an empty follower starts at the last offset that remote storage has.
leader.replication.throttled.rate | long | 9223372036854775807 | 0.. | dynamic-only | quotas
    Most bytes in a second that leaders send to throttled replicas.
follower.replication.throttled.rate | long | 9223372036854775807 | 0.. | dynamic-only | quotas
    Most bytes in a second that followers copy for throttled replicas.
replica.alter.log.dirs.io.max.bytes.per.second | long | 9223372036854775807 | 0.. | dynamic-only | quotas
    Most bytes in a second that moves between log directories copy.
"""
