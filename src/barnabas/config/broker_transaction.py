"""Broker configs of producers' state and of the transaction coordinator.

The columns are described in `definition`.
"""

TABLE = """
producer.id.expiration.ms | int | 86400000 | 1.. | cluster-wide | effective
    How long a partition remembers a producer that has gone quiet.
producer.id.expiration.check.interval.ms | int | 600000 | 1.. | read-only | effective | internal
    How often forgotten producers are looked for.
transactional.id.expiration.ms | int | 604800000 | 1.. | read-only | effective
    How long a transactional id without transactions is remembered.
transaction.max.timeout.ms | int | 900000 | 1.. | read-only | effective
    Longest timeout that a producer may ask for its transactions.
transaction.two.phase.commit.enable | boolean | false | - | read-only | effective
    Whether producers may leave the end of a transaction to an outside coordinator.
transaction.partition.verification.enable | boolean | true | - | cluster-wide | effective
    Whether a partition checks with the coordinator that a transaction is open before it takes its records.
transaction.abort.timed.out.transaction.cleanup.interval.ms | int | 10000 | 1.. | read-only | effective
    How often transactions over their timeout are looked for.
transaction.remove.expired.transaction.cleanup.interval.ms | int | 3600000 | 1.. | read-only | effective
    How often expired transactional ids are looked for.
transaction.state.log.num.partitions | int | 50 | 1.. | read-only | effective
    Partitions of __transaction_state.
transaction.state.log.replication.factor | short | 3 | 1.. | read-only | effective
    Replicas of __transaction_state.
transaction.state.log.min.isr | int | 2 | 1.. | read-only | effective
    min.insync.replicas of __transaction_state.
transaction.state.log.segment.bytes | int | 104857600 | 1.. | read-only | effective
    Segment size of __transaction_state.
transaction.state.log.load.buffer.size | int | 5242880 | 1.. | read-only | internals
    Bytes read at a time while transactions are loaded.
add.partitions.to.txn.retry.backoff.ms | int | 20 | 1.. | read-only | effective
    First pause before a partition is added to a transaction again on the server's side.
add.partitions.to.txn.retry.backoff.max.ms | int | 100 | 0.. | read-only | effective
    Longest time for which the server retries to add a partition to a transaction.
"""
