"""`barnabas groups`, `share` and `transactions` against a live cluster."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from click.shell_completion import ShellComplete
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from barnabas._core import Uuid
from barnabas.cli.root import outcome, root
from barnabas.protocol.generated.find_coordinator_request import FindCoordinatorRequest
from barnabas.protocol.generated.share_group_heartbeat_request import ShareGroupHeartbeatRequest
from tests.support.wire import Connection

SECONDS_MAX = 30
BEGIN_MS = (int(time.time()) - 3_600) * 1000
"""Long gone, and not so long that topics would forget it."""


class Output(NamedTuple):
    out: str
    err: str

    @property
    def rows(self) -> list[list[str]]:
        """The cells of a table, its header first."""
        return [line.split() for line in self.out.splitlines()]

    @property
    def documents(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Output]


@pytest.fixture
def run(bootstrap: str, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process; what it prints. Its exit code must be the one expected."""

    def call(*arguments: str, code: int = 0) -> Output:
        capsys.readouterr()
        found = outcome([*arguments, "--bootstrap", bootstrap])
        output = Output(*capsys.readouterr())
        assert found == code, output
        return output

    return call


@pytest.fixture
def filled(bootstrap: str, topic: str) -> str:
    """A topic with the numbers from 0 to 19 in two partitions, one a second."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, 2, 1)])[topic].result(SECONDS_MAX)
    producer = Producer({"bootstrap.servers": bootstrap})
    for number in range(20):
        producer.produce(topic, str(number), partition=number % 2, timestamp=BEGIN_MS + number * 1000)
    assert producer.flush(SECONDS_MAX) == 0
    return topic


@pytest.fixture
def group(bootstrap: str, filled: str) -> str:
    """A group without members that has committed 4 and 0 in the topic's partitions."""
    name = f"group-{filled}"
    committed = [TopicPartition(filled, 0, 4), TopicPartition(filled, 1, 0)]
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": name})
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        try:
            consumer.commit(offsets=committed, asynchronous=False)
            break
        except KafkaException:  # A fresh Kafka's coordinator is not ready at once.
            assert time.monotonic() < deadline
    consumer.close()
    return name


@pytest.fixture
def busy(bootstrap: str, filled: str) -> Iterator[str]:
    """A consumer group with one member that has read nothing yet."""
    name = f"busy-{filled}"
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": name, "group.protocol": "consumer", "client.id": "app"}
    )
    consumer.subscribe([filled])
    while not consumer.assignment():
        consumer.poll(0.05)
    yield name
    consumer.close()


def offsets(run: Run, group: str) -> dict[int, tuple[int | None, int | None]]:
    """Offset and lag by partition."""
    (document,) = run("groups", "describe", group, "--json").documents
    return {one["partition"]: (one["offset"], one["lag"]) for one in document["offsets"]}


def test_configs_of_a_group_are_set_shown_and_reset(run: Run, topic: str) -> None:
    name, config = f"group-{topic}", "consumer.session.timeout.ms"
    assert run("groups", "configs", name, "--set", f"{config}=50000").out == f"{name} altered\n"
    assert run("groups", "configs", name).rows == [["CONFIG", "VALUE"], [config, "50000"]]
    assert run("groups", "configs", name, "--json").documents == [{config: "50000"}]
    assert "consumer.heartbeat.interval.ms" in run("groups", "configs", name, "--all").out
    run("groups", "configs", name, "--reset", config)
    assert run("groups", "configs", name, "--json").documents == [{}]
    assert "nope" in run("groups", "configs", name, "--set", "nope=1", code=1).err


def test_groups_are_listed_by_kind_and_state(run: Run, group: str, busy: str) -> None:
    names = run("groups", "list").out.split()
    assert {group, busy} <= set(names)
    assert names == sorted(names)
    assert group not in run("groups", "list", "--kind", "consumer").out.split()
    assert busy not in run("groups", "list", "--state", "empty").out.split()
    table = run("groups", "list", "--long").rows
    assert table[0] == ["GROUP", "KIND", "STATE", "PROTOCOL", "COORDINATOR"]
    assert [group, "classic", "Empty"] in [row[:3] for row in table]
    listed = {document["name"]: document for document in run("groups", "list", "--json").documents}
    assert (listed[busy]["kind"], listed[busy]["state"]) == ("consumer", "Stable")


def test_names_of_groups_are_completed(bootstrap: str, group: str) -> None:
    def completed(*words: str, start: str) -> list[str]:
        found = ShellComplete(root, {}, "barnabas", "_BARNABAS_COMPLETE").get_completions(list(words), start)
        return [item.value for item in found]

    assert completed("groups", "describe", "-b", bootstrap, start=group[:-1]) == [group]
    assert completed("groups", "describe", "-b", bootstrap, start="none-") == []
    assert completed("groups", "describe", "-b", "127.0.0.1:1", start="") == []


def test_a_group_is_described_with_members_and_lag(run: Run, filled: str, group: str, busy: str) -> None:
    shown = run("groups", "describe", group, busy)
    assert f"{group}: classic group, Empty, 0 members, lag 16\n" in shown.out
    assert [filled, "0", "4", "10", "6", "-"] in shown.rows
    assert f"{busy}: consumer group, Stable, 1 member, lag -\n" in shown.out
    (document,) = run("groups", "describe", busy, "--json").documents
    (member,) = document["members"]
    assert (member["client_id"], member["subscription"]) == ("app", [filled])
    assert member["assignment"] == {filled: [0, 1]}
    assert [filled, "0", "-", "10", "-", member["id"]] in shown.rows
    assert "There is no group nope." in run("groups", "describe", "nope", code=1).err
    assert "Name a group" in run("groups", "describe", code=2).err


def test_lag_is_shown_in_all_and_by_partition(run: Run, filled: str, group: str) -> None:
    assert run("groups", "lag", group).rows == [
        ["GROUP", "KIND", "STATE", "MEMBERS", "PARTITIONS", "BEHIND", "LAG"],
        [group, "classic", "Empty", "0", "2", "2", "16"],
    ]
    assert run("groups", "lag", group, "--partitions").rows[1:] == [
        [group, filled, "0", "4", "10", "6"],
        [group, filled, "1", "0", "10", "10"],
    ]
    assert group in run("groups", "lag").out
    assert run("groups", "lag", group, "--json", "--max", "16").documents[0]["lag"] == 16
    assert f"The lag is over 15 records: {group}." in run("groups", "lag", group, "--max", "15", code=1).err


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        (("--to-earliest",), {0: 0, 1: 0}),
        (("--to-latest",), {0: 10, 1: 10}),
        (("--to-offset", "7"), {0: 7, 1: 7}),
        (("--to-offset", "99"), {0: 10, 1: 10}),
        (("--shift-by", "-3"), {0: 1, 1: 0}),
        (("--shift-by", "2"), {0: 6, 1: 2}),
        (("--to-current",), {0: 4, 1: 0}),
        (("--to-datetime", f"@{BEGIN_MS + 5000}"), {0: 3, 1: 2}),
        (("--by-duration", "PT1S"), {0: 10, 1: 10}),
    ],
)
def test_a_group_is_moved_where_it_is_told(
    run: Run, group: str, way: tuple[str, ...], expected: dict[int, int]
) -> None:
    before = offsets(run, group)
    planned = run("groups", "reset", group, "--all-topics", *way, "--dry-run", "--json").documents
    assert {one["partition"]: one["to"] for one in planned} == expected
    assert offsets(run, group) == before
    assert f"{group} moved in 2 partitions\n" in run("groups", "reset", group, "--all-topics", *way).out
    assert {index: offset for index, (offset, _) in offsets(run, group).items()} == expected


def test_some_partitions_are_moved_and_a_plan_is_carried_out_later(
    run: Run, filled: str, group: str, tmp_path: Any
) -> None:
    shown = run("groups", "reset", group, "--topic", f"{filled}:1", "--to-offset", "3")
    assert shown.rows[:2] == [
        ["TOPIC", "PARTITION", "FROM", "TO", "RECORDS"],
        [filled, "1", "0", "3", "3", "skipped"],
    ]
    assert offsets(run, group) == {0: (4, 6), 1: (3, 7)}
    plan = tmp_path / "plan"
    plan.write_text(run("groups", "reset", group, "--all-topics", "--to-current", "-n", "--json").out)
    run("groups", "reset", group, "--all-topics", "--to-latest")
    run("groups", "reset", group, "--from-file", str(plan))
    assert offsets(run, group) == {0: (4, 6), 1: (3, 7)}


def test_a_group_that_is_not_there_is_made_by_a_reset(run: Run, filled: str) -> None:
    name = f"new-{filled}"
    run("groups", "reset", name, "--topic", filled, "--to-latest")
    assert offsets(run, name) == {0: (10, 0), 1: (10, 0)}
    assert "has no offsets yet" in run("groups", "reset", "none", "--all-topics", "--to-latest", code=1).err


def test_a_group_with_members_is_left_alone(run: Run, filled: str, busy: str) -> None:
    arguments = ("groups", "reset", busy, "--topic", filled, "--to-latest")
    assert f"{busy} is Stable with 1 member: stop them first." in run(*arguments, code=1).err
    assert run(*arguments, "--dry-run").rows[1] == [filled, "0", "-", "10", "new"]
    assert "the group has members: stop them first." in run("groups", "delete", busy, code=1).err
    assert busy in run("groups", "list").out.split()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--all-topics",),
        ("--to-latest",),
        ("--all-topics", "--to-latest", "--to-earliest"),
        ("--all-topics", "--topic", "t", "--to-latest"),
        ("--topic", "t:x", "--to-latest"),
        ("--all-topics", "--to-datetime", "soon"),
        ("--all-topics", "--by-duration", "soon"),
    ],
)
def test_a_reset_that_does_not_say_what_is_refused(run: Run, arguments: tuple[str, ...]) -> None:
    assert run("groups", "reset", "g", *arguments, code=2).err


def test_a_topic_or_partition_that_is_not_there_is_named(run: Run, filled: str) -> None:
    latest = ("groups", "reset", "g", "--to-latest", "--topic")
    assert "There is no topic nope." in run(*latest, "nope", code=1).err
    assert f"{filled} has no partition 2: they go from 0 to 1." in run(*latest, f"{filled}:1-2", code=1).err


def test_offsets_and_groups_are_deleted(run: Run, filled: str, group: str) -> None:
    assert run("groups", "delete", group, "--dry-run").rows[1] == [group, "classic", "Empty", "0", "2"]
    assert run("groups", "delete", group, "--topic", f"{filled}:1", "-n").rows[1:] == [
        [group, filled, "1", "0"]
    ]
    assert offsets(run, group) == {0: (4, 6), 1: (0, 10)}
    assert f"{group}: 1 offset deleted\n" in run("groups", "delete", group, "--topic", f"{filled}:1").out
    assert offsets(run, group) == {0: (4, 6)}
    assert "has no offset there" in run("groups", "delete", group, "--topic", f"{filled}:1", code=1).err
    assert run("groups", "delete", group).out == f"{group} deleted\n"
    assert f"There is no group {group}." in run("groups", "delete", group, code=1).err
    assert run("groups", "delete", group, "--if-exists").out == ""


def share_member(bootstrap: str, group: str, topic: str) -> Callable[[], int]:
    """Lets a member join a share group; what makes it leave."""
    member_id = str(Uuid.random())
    with Connection(bootstrap) as connection:
        answer = connection.request(FindCoordinatorRequest(key_type=0, coordinator_keys=[group]), 4)
    coordinator = answer.coordinators[0]

    def beat(epoch: int) -> int:
        request = ShareGroupHeartbeatRequest(group, member_id, epoch, subscribed_topic_names=[topic])
        with Connection(f"{coordinator.host}:{coordinator.port}") as connection:
            answer = connection.request(request, 1)
        assert answer.error_code == 0, answer
        return int(answer.member_epoch)

    beat(0)
    return lambda: beat(-1)


def test_share_groups_are_seen_moved_and_deleted(run: Run, bootstrap: str, filled: str) -> None:
    name = f"share-{filled}"
    run("share", "reset", name, "--topic", filled, "--to-offset", "4")
    assert name in run("share", "list").out.split()
    assert name in run("groups", "list", "--kind", "share").out.split()
    assert run("share", "offsets", name).rows == [
        ["GROUP", "TOPIC", "PARTITION", "OFFSET", "END", "LAG"],
        [name, filled, "0", "4", "10", "6"],
        [name, filled, "1", "4", "10", "6"],
    ]
    leave = share_member(bootstrap, name, filled)
    shown = run("share", "describe", name)
    assert f"{name}: share group, Stable, 1 member, lag 12\n" in shown.out
    assert "START" in shown.rows[2]
    refused = run("share", "reset", name, "--all-topics", "--to-earliest", code=1)
    assert "stop them first" in refused.err
    assert "the group has members" in run("share", "delete", name, code=1).err
    leave()
    run("groups", "reset", name, "--all-topics", "--to-earliest")
    assert offsets(run, name) == {0: (0, 10), 1: (0, 10)}
    assert "for whole topics" in run("groups", "delete", name, "--topic", f"{filled}:0", code=1).err
    assert "2 offsets deleted" in run("share", "delete", name, "--topic", filled).out
    assert run("share", "delete", name).out == f"{name} deleted\n"


def test_groups_of_other_kinds_are_not_taken_for_share_groups(run: Run, group: str) -> None:
    assert group not in run("share", "list").out.split()
    assert f"{group} is a classic group." in run("share", "describe", group, code=1).err


@pytest.fixture
def open_transaction(bootstrap: str, filled: str) -> Iterator[str]:
    """A transactional id with one record in partition 0 of the topic, not committed."""
    name = f"payments-{uuid.uuid4()}"
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": name})
    producer.init_transactions(SECONDS_MAX)
    producer.begin_transaction()
    producer.produce(filled, "open", partition=0)
    producer.flush(SECONDS_MAX)
    yield name
    producer.purge()


def test_transactions_are_listed_and_described(run: Run, filled: str, open_transaction: str) -> None:
    assert open_transaction in run("transactions", "list", "--state", "ongoing").out.split()
    assert open_transaction not in run("transactions", "list", "--running-longer-than", "1h").out.split()
    assert run("transactions", "list", "--pattern", "payments-[0-9a-f-]+").out.split()
    (listed,) = [
        one
        for one in run("transactions", "list", "--json").documents
        if one["transactional_id"] == open_transaction
    ]
    (described,) = run("transactions", "describe", open_transaction, "--json").documents
    assert described["partitions"] == {filled: [0]}
    assert described["producer_id"] == listed["producer_id"]
    shown = run("transactions", "describe", open_transaction).out
    assert shown.startswith(f"{open_transaction}: Ongoing\n")
    assert f"  partitions {filled}:0\n" in shown
    assert "There is no transactional id nope." in run("transactions", "describe", "nope", code=1).err


def test_producers_of_a_partition_are_shown(run: Run, filled: str, open_transaction: str) -> None:
    found = run("transactions", "producers", f"{filled}:0", "--json").documents
    assert [one["start_offset"] for one in found if one["start_offset"] is not None] == [10]
    assert run("transactions", "producers", f"{filled}:0").rows[0][:3] == ["TOPIC", "PARTITION", "PRODUCER"]
    assert "There is no partition 9" in run("transactions", "producers", f"{filled}:9", code=1).err
    assert run("transactions", "producers", filled, code=2).err


def test_a_transaction_is_aborted_by_its_id(run: Run, filled: str, open_transaction: str) -> None:
    run("transactions", "abort", open_transaction, "--dry-run")
    (before,) = run("transactions", "describe", open_transaction, "--json").documents
    assert before["state"] == "Ongoing"
    assert f"{open_transaction} aborted\n" in run("transactions", "abort", open_transaction).out
    (after,) = run("transactions", "describe", open_transaction, "--json").documents
    assert after["state"] in ("CompleteAbort", "Empty")
    found = run("transactions", "producers", f"{filled}:0", "--json").documents
    assert all(one["start_offset"] is None for one in found)


def test_a_transaction_is_aborted_where_it_hangs(run: Run, filled: str, open_transaction: str) -> None:
    assert run("transactions", "find-hanging", "--topic", filled, "--older-than", "0s", "--json").out == ""
    hanging = run("transactions", "find-hanging", "--topic", f"{filled}:0")
    assert hanging.out == "No transaction hangs in 1 partition.\n"
    where = ("transactions", "abort", "--partition", f"{filled}:0", "--start-offset")
    assert "open ones begin at 10." in run(*where, "9", code=1).err
    run(*where, "10", "--dry-run")
    run(*where, "10")
    found = run("transactions", "producers", f"{filled}:0", "--json").documents
    assert all(one["start_offset"] is None for one in found)
    assert run("transactions", "abort", code=2).err
    assert run("transactions", "abort", open_transaction, "--partition", f"{filled}:0", code=2).err
