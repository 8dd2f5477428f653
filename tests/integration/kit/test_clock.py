"""Virtual time: what is due by the kit's clock happens when the clock is moved."""

import time
from collections.abc import Callable

import confluent_kafka
import pytest

import barnabas
from barnabas.protocol.generated.consumer_group_heartbeat_request import ConsumerGroupHeartbeatRequest
from barnabas.protocol.generated.describe_transactions_request import DescribeTransactionsRequest
from barnabas.protocol.generated.find_coordinator_request import FindCoordinatorRequest
from barnabas.protocol.generated.join_group_request import JoinGroupRequest, JoinGroupRequestProtocol
from barnabas.protocol.generated.list_groups_request import ListGroupsRequest
from barnabas.testing import Kafka

DAY_MS = 86_400_000


def eventually(holds: Callable[[], bool]) -> None:
    """Waits for what other threads are about to do."""
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, "it has not happened"
        time.sleep(0.01)


def test_clock_goes_on_and_can_be_moved(kafka: Kafka) -> None:
    before = kafka.clock.now()
    kafka.clock.advance(days=1, hours=1, minutes=1, seconds=1, milliseconds=1)
    assert kafka.clock.now() - before >= DAY_MS + 3_661_001
    assert kafka.clock.now() == pytest.approx(kafka.clock.datetime().timestamp() * 1000, abs=5_000)
    with pytest.raises(ValueError, match="does not go back"):
        kafka.clock.advance(seconds=-1)


def test_clock_outlasts_a_restart(kafka: Kafka) -> None:
    kafka.clock.advance(days=1)
    before = kafka.clock.now()
    kafka.restart(kill=True)
    assert kafka.clock.now() >= before


def test_retention_takes_what_is_too_old(kafka: Kafka) -> None:
    kafka.topic("orders", ["old", "older"], configs={"retention.ms": 3_600_000})
    kafka.clock.advance(minutes=59)
    assert len(kafka.values("orders")) == 2
    kafka.clock.advance(minutes=2)
    kafka.assert_topic("orders", [], timeout=0)
    kafka.produce("orders", "new")
    kafka.assert_topic("orders", ["new"])


def test_records_of_the_kit_have_its_time(kafka: Kafka) -> None:
    kafka.clock.advance(days=3)
    before = kafka.clock.now()
    kafka.topic("orders", ["a"])
    assert kafka.records("orders")[0].timestamp >= before


def test_fetch_that_waits_is_answered(kafka: Kafka) -> None:
    kafka.topic("orders")
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": kafka.bootstrap, "group.id": "g", "fetch.wait.max.ms": 100_000,
         "socket.timeout.ms": 200_000}
    )  # fmt: skip
    consumer.assign([confluent_kafka.TopicPartition("orders", 0, 0)])
    consumer.poll(0.1)
    kafka.clock.advance(hours=1)
    kafka.produce("orders", "a")
    message = consumer.poll(20)
    consumer.close()
    assert message is not None
    assert message.value() == b"a"


def join(kafka: Kafka, group: str, member_id: str = "") -> str:
    """Has a member join a classic group, who is not heard of again; its id."""
    request = JoinGroupRequest(
        group,
        session_timeout_ms=45_000,
        rebalance_timeout_ms=60_000,
        member_id=member_id,
        protocol_type="consumer",
        protocols=[JoinGroupRequestProtocol("range", b"")],
    )
    joined: str = kafka.request(request, version=3).member_id
    return joined


def states(kafka: Kafka) -> dict[str, str]:
    return {group.group_id: group.group_state for group in kafka.request(ListGroupsRequest()).groups}


def with_groups(kafka: Kafka) -> None:
    """Has the coordinator's topic made, as a client's first question does."""
    response = kafka.request(FindCoordinatorRequest(coordinator_keys=["g"]), version=4)
    assert [found.error_code for found in response.coordinators] == [0]


def test_session_ends_with_its_time(kafka: Kafka) -> None:
    kafka.topic("orders")
    with_groups(kafka)
    join(kafka, "g")
    kafka.clock.advance(seconds=44)
    assert states(kafka)["g"] != "Empty"
    kafka.clock.advance(seconds=2)
    assert states(kafka)["g"] == "Empty"


def test_session_ends_on_demand(kafka: Kafka) -> None:
    kafka.topic("orders")
    with_groups(kafka)
    join(kafka, "g")
    assert kafka.expire_session("g", "somebody else") == 0
    assert states(kafka)["g"] != "Empty"
    assert kafka.expire_session("g") == 1
    assert states(kafka)["g"] == "Empty"
    assert kafka.expire_session("no group") == 0


def test_member_of_a_consumer_group_is_expelled(kafka: Kafka) -> None:
    kafka.topic("orders")
    with_groups(kafka)
    heartbeat = ConsumerGroupHeartbeatRequest(
        "g",
        "member-1",
        0,
        rebalance_timeout_ms=60_000,
        subscribed_topic_names=["orders"],
        topic_partitions=[],
    )
    kafka.request(heartbeat, version=1)
    assert states(kafka)["g"] != "Empty"
    assert kafka.expire_session("g", "member-1") == 1
    assert states(kafka)["g"] == "Empty"


def test_real_client_joins_again_after_its_session_has_ended(kafka: Kafka) -> None:
    kafka.topic("orders", ["a"])
    assigned: list[object] = []
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": kafka.bootstrap, "group.id": "g", "auto.offset.reset": "earliest",
         "heartbeat.interval.ms": 100}
    )  # fmt: skip
    consumer.subscribe(["orders"], on_assign=lambda _consumer, partitions: assigned.extend(partitions))
    first = consumer.consume(1, timeout=20)
    assert kafka.expire_session("g") == 1
    kafka.produce("orders", "b")
    values = []
    end = time.monotonic() + 60
    while (b"b" not in values or len(assigned) < 2) and time.monotonic() < end:
        values += [message.value() for message in consumer.consume(1, timeout=0.1)]
    consumer.close()
    assert [message.value() for message in first] == [b"a"]
    assert b"b" in values
    assert len(assigned) == 2


def test_transaction_is_aborted_when_its_time_is_over(kafka: Kafka) -> None:
    kafka.topic("orders")
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": kafka.bootstrap, "transactional.id": "t", "transaction.timeout.ms": 60_000}
    )
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce("orders", b"a")
    producer.flush(20)
    kafka.clock.advance(minutes=2)

    def state() -> str:
        [found] = kafka.request(DescribeTransactionsRequest(["t"])).transaction_states
        return str(found.transaction_state)

    eventually(lambda: state() == "CompleteAbort")
    kafka.produce("orders", "b")
    kafka.assert_topic("orders", ["b"])


def test_two_clocks_are_two(kafka: Kafka) -> None:
    with Kafka() as other:
        kafka.clock.advance(days=1)
        assert kafka.clock.now() - other.clock.now() > DAY_MS - 60_000
        with barnabas.Producer(bootstrap_servers=other.bootstrap) as producer:
            producer.send("orders", "a").result(20)
