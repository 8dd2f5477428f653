"""Two hundred small tests of a shop's order pipeline. Each has a fresh broker, and topics of its own.

pytest examples/suite
"""

import json

import pytest

from barnabas import Consumer, Producer
from barnabas.errors import TopicAlreadyExists, UnknownTopicOrPartition
from barnabas.testing import Kafka, ProducerRecord

ORDERS = range(40)


class Shop:
    """What is tested: reads orders, writes bills and notes of what it could not read."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def place(self, number: int, amount: int) -> None:
        """A customer's order."""
        with Producer(bootstrap_servers=self.bootstrap, linger_ms=0) as producer:
            order = json.dumps({"number": number, "amount": amount})
            producer.produce("orders", order, key=str(number), headers={"source": "shop"})

    def bill(self, count: int) -> None:
        """Bills so many orders."""
        with (
            Consumer(bootstrap_servers=self.bootstrap, auto_offset_reset="earliest") as consumer,
            Producer(bootstrap_servers=self.bootstrap, linger_ms=0) as producer,
        ):
            consumer.assign_topic("orders")
            done = 0
            while done < count:
                for record in consumer.poll(5.0):
                    done += 1
                    try:
                        order = json.loads(record.value or b"")
                        producer.produce(
                            "bills", json.dumps({"due": order["amount"] * 119 // 100}), record.key
                        )
                    except (ValueError, KeyError):
                        producer.produce("unreadable", record.value, record.key)


@pytest.fixture
def shop(kafka: Kafka) -> Shop:
    kafka.topics({"orders": [], "bills": [], "unreadable": []})
    return Shop(kafka.bootstrap)


@pytest.mark.parametrize("number", ORDERS)
def test_an_order_is_written_with_its_key_and_source(kafka: Kafka, shop: Shop, number: int) -> None:
    shop.place(number, amount=100)
    wanted = ProducerRecord({"number": number, "amount": 100}, str(number), headers={"source": "shop"})
    kafka.assert_topic("orders", [wanted])


@pytest.mark.parametrize("number", ORDERS)
def test_a_bill_has_taxes_in_it(kafka: Kafka, shop: Shop, number: int) -> None:
    kafka.produce("orders", (str(number), {"number": number, "amount": 100 * number}))
    shop.bill(1)
    kafka.assert_topic("bills", [(str(number), {"due": 119 * number})])


@pytest.mark.parametrize("number", ORDERS)
def test_what_is_no_order_is_kept_aside(kafka: Kafka, shop: Shop, number: int) -> None:
    kafka.produce("orders", f"no order {number}", {"number": number, "amount": 1})
    shop.bill(2)
    kafka.assert_topic("unreadable", [f"no order {number}"])
    kafka.assert_topic("bills", [{"due": 1}])


@pytest.mark.parametrize("number", ORDERS)
def test_topics_are_the_tests_own(kafka: Kafka, number: int) -> None:
    kafka.topic("orders", [number], partitions=1 + number % 3)
    with pytest.raises(TopicAlreadyExists):
        kafka.topic("orders")
    kafka.delete_topic("orders")
    with pytest.raises(UnknownTopicOrPartition):
        kafka.values("orders")


@pytest.mark.parametrize("number", ORDERS)
def test_old_orders_go_and_new_ones_stay(kafka: Kafka, number: int) -> None:
    kafka.topic("orders", [f"old {number}"], configs={"retention.ms": 60_000})
    kafka.clock.advance(hours=1)
    kafka.produce("orders", f"new {number}")
    kafka.assert_topic("orders", [f"new {number}"])
