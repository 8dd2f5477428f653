"""Offsets of a consumer in the user's own database, written in the transaction that holds what came of the
record: each record takes effect exactly once, whatever crashes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from barnabas.clients.consumer import Consumer, TopicPartition
from barnabas.clients.consumer_types import GivenRecord

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")
_NOTHING = -1
"""The offset of a partition of which nothing is done yet."""


class Cursor(Protocol):
    """What is used of a cursor of Python's database interface (PEP 249)."""

    @property
    def rowcount(self) -> int:
        """How many rows the last statement has changed."""

    def execute(self, sql: str, parameters: Sequence[Any], /) -> object:
        """Carries a statement out."""

    def fetchone(self) -> Any:
        """The next row; None after the last."""

    def close(self) -> object:
        """Gives it back."""


class Database(Protocol):
    """What is used of a connection of Python's database interface (PEP 249): `sqlite3`, `psycopg`, others."""

    def cursor(self) -> Any:
        """A cursor."""

    def commit(self) -> object:
        """Ends the transaction."""


class StoredOffsets:
    """How far a group is in each partition, in a table of a database.

        offsets = StoredOffsets(database, "billing")
        offsets.subscribe(consumer, "orders")
        for record in consumer:
            with database:  # One transaction.
                if offsets.save(record):
                    database.execute("insert into payments values (?, ?)", (record.key, record.value))

    `save` is False for a record that has taken effect already, be it by a member that was taken for dead:
    what it means is left undone then. Records of a partition have to be worked on in order, and none passed
    over.

    `placeholder` is how the database's module writes parameters: `?` (sqlite3) or `%s` (psycopg)."""

    def __init__(
        self, database: Database, group_id: str, *, table: str = "consumer_offsets", placeholder: str = "?"
    ) -> None:
        """Creates the table, unless it is there."""
        if not _NAME.fullmatch(table):
            raise ValueError(f"{table!r} is no name of a table")
        if placeholder not in ("?", "%s"):
            raise ValueError(f"placeholder is '?' or '%s', not {placeholder!r}")
        self._database = database
        self._group_id = group_id
        self._table = table
        self._placeholder = placeholder
        self._run(
            f"create table if not exists {table} (group_id varchar(255), topic varchar(249), part integer, "
            "next_offset bigint not null, primary key (group_id, topic, part))"
        )
        database.commit()

    def subscribe(self, consumer: Consumer, topics: str | Iterable[str] | re.Pattern[str]) -> None:
        """Has the consumer, a member of its group, go on in each partition that it gets where the table says.
        Positions that it may have committed to Kafka do not count; it should not commit any."""
        consumer.subscribe(topics, on_assign=self._go_on)

    def assign(self, consumer: Consumer, partitions: Iterable[tuple[str, int]]) -> None:
        """Has the consumer read these partitions, from where the table says."""
        places = list(partitions)
        consumer.assign([TopicPartition(*place) for place in places])
        self._go_on(consumer, [TopicPartition(*place) for place in places])

    def _go_on(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for topic, partition, _ in partitions:
            offset = self.position(topic, partition)
            if offset is not None:
                consumer.seek(topic, partition, offset)

    def position(self, topic: str, partition: int) -> int | None:
        """Offset of the first record that has not taken effect; None when nothing has."""
        place = (self._group_id, topic, partition)
        values = f"{self._marks(3)}, {_NOTHING}"
        self._run(f"insert into {self._table} values ({values}) on conflict do nothing", *place)
        row = self._run(f"select next_offset from {self._table} where {self._where()}", *place, fetches=True)
        self._database.commit()
        return None if row[0] == _NOTHING else int(row[0])

    def save(self, record: GivenRecord) -> bool:
        """Notes, in the open transaction, that the record takes effect with it. False when it has done so
        before. Another transaction that has noted the same record, and is not over, is waited for, or refused
        by the database."""
        place = (self._group_id, record.topic, record.partition)
        offset = record.offset
        mark = self._placeholder
        changed = self._run(
            f"update {self._table} set next_offset = {mark} where {self._where()} and next_offset <= {mark}",
            *(offset + 1, *place, offset),
        )
        return bool(changed == 1)

    def _where(self) -> str:
        mark = self._placeholder
        return f"group_id = {mark} and topic = {mark} and part = {mark}"

    def _marks(self, count: int) -> str:
        return ", ".join([self._placeholder] * count)

    def _run(self, sql: str, *parameters: Any, fetches: bool = False) -> Any:
        """Carries out a statement: the row that it gives, or how many it has changed."""
        cursor: Cursor = self._database.cursor()
        try:
            cursor.execute(sql, parameters)
            return cursor.fetchone() if fetches else cursor.rowcount
        finally:
            cursor.close()
