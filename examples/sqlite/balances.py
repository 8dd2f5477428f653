"""Exactly once into one's own database: what is worked out of records, and how far they are read, in one
transaction of SQLite.

A crash loses both or neither, so that each payment counts once, however often the program is started again.
The group's committed offsets are not used: the database alone says where to go on.

    python examples/sqlite/balances.py localhost:9092 balances.db
"""

import json
import sqlite3
import sys
from collections.abc import Sequence

from barnabas import Consumer, Record, TopicPartition

TOPIC = "payments"
SCHEMA = """
create table if not exists balance (account text primary key, amount integer not null);
create table if not exists read_up_to (
    topic text, partition integer, next_offset integer not null, primary key (topic, partition));
"""


def open_database(path: str) -> sqlite3.Connection:
    """The database, with its tables."""
    database = sqlite3.connect(path, isolation_level=None)
    database.executescript(SCHEMA)
    return database


def resume(consumer: Consumer, database: sqlite3.Connection) -> None:
    """Has the consumer go on where the database says, or begin."""
    rows = database.execute("select partition, next_offset from read_up_to where topic = ?", (TOPIC,))
    known = dict(rows.fetchall())
    partitions = consumer.partitions_for(TOPIC)
    consumer.assign([TopicPartition(TOPIC, one, known.get(one, 0)) for one in partitions])


def apply(database: sqlite3.Connection, records: Sequence[Record]) -> None:
    """Books payments, and notes how far they are read, both or neither."""
    database.execute("begin immediate")
    try:
        for record in records:
            payment = json.loads(record.value or b"{}")
            database.execute(
                "insert into balance values (:account, :amount)"
                " on conflict do update set amount = amount + excluded.amount",
                payment,
            )
            database.execute(
                "insert or replace into read_up_to values (?, ?, ?)",
                (record.topic, record.partition, record.offset + 1),
            )
        database.execute("commit")
    except BaseException:
        database.execute("rollback")
        raise


def main(bootstrap: str, path: str) -> None:
    """Books payments for ever."""
    database = open_database(path)
    with Consumer(bootstrap_servers=bootstrap, isolation_level="read_committed") as consumer:
        resume(consumer, database)
        while True:
            apply(database, consumer.poll(1.0))


if __name__ == "__main__":
    main(*sys.argv[1:])
