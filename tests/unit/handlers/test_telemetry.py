"""Client telemetry (KIP-714): who pushes what, and when."""

import gzip
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from barnabas._core import Uuid
from barnabas.errors import ThrottlingQuotaExceeded
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.config_record import ConfigRecord
from barnabas.protocol.generated.get_telemetry_subscriptions_request import GetTelemetrySubscriptionsRequest
from barnabas.protocol.generated.push_telemetry_request import PushTelemetryRequest
from barnabas.server.client_telemetry import CLIENTS_MAX, Client, ClientTelemetry, Subscription
from tests.support.cluster import numbered
from tests.support.fake_node import FakeNode

GZIP = 1


def subscribe_all(node: FakeNode, name: str, **configs: str) -> None:
    node.cluster.write(
        (ConfigRecord(resource_type=16, resource_name=name, name=key.replace("_", "."), value=value), 0)
        for key, value in configs.items()
    )


async def get(node: FakeNode, instance: Uuid = Uuid.ZERO, **header: Any) -> Any:
    return await node.ask(GetTelemetrySubscriptionsRequest(client_instance_id=instance), **header)


async def push(node: FakeNode, told: Any, **fields: Any) -> int:
    request = PushTelemetryRequest(
        **{
            "client_instance_id": told.client_instance_id,
            "subscription_id": told.subscription_id,
            "metrics": b"metrics",
            **fields,
        }
    )
    code: int = (await node.ask(request)).error_code
    return code


async def test_a_new_client_gets_an_id_and_the_defaults() -> None:
    told = await get(FakeNode())
    assert told.client_instance_id
    assert (told.error_code, told.push_interval_ms, told.requested_metrics) == (0, 300_000, [])
    assert (told.accepted_compression_types, told.telemetry_max_bytes) == ([4, 3, 1, 2], 1_048_576)
    assert told.delta_temporality


async def test_subscriptions_that_fit_are_joined() -> None:
    node = FakeNode()
    subscribe_all(
        node, "a", metrics="org.apache.kafka.producer.,x", interval_ms="2000", match="client_id=te.*"
    )
    subscribe_all(node, "b", metrics="x,y", interval_ms="1000", match="client_source_address=127.0.0.1")
    subscribe_all(node, "c", metrics="z", interval_ms="500", match="client_id=te")
    told = await get(node)
    assert told.requested_metrics == ["org.apache.kafka.producer.", "x", "y"]
    assert told.push_interval_ms == 1000
    subscribe_all(node, "d", metrics="*")
    assert (await get(node)).requested_metrics == ["*"]


async def test_a_client_pushes_once_in_each_interval() -> None:
    node = FakeNode()
    told = await get(node)
    assert await push(node, told) == ErrorCode.NONE
    assert await push(node, told) == ErrorCode.THROTTLING_QUOTA_EXCEEDED
    node.time += 300_000
    assert await push(node, told) == ErrorCode.NONE


async def test_a_client_that_asks_too_early_is_told_to_wait() -> None:
    node = FakeNode()
    told = await get(node)
    assert (await get(node, told.client_instance_id)).error_code == ErrorCode.THROTTLING_QUOTA_EXCEEDED
    node.time += 300_000
    assert (await get(node, told.client_instance_id)).error_code == ErrorCode.NONE


async def test_the_last_push_may_come_early_and_none_comes_after_it() -> None:
    node = FakeNode()
    told = await get(node)
    assert await push(node, told) == ErrorCode.NONE
    assert await push(node, told, terminating=True) == ErrorCode.NONE
    assert await push(node, told, terminating=True) == ErrorCode.INVALID_REQUEST


async def test_a_changed_subscription_makes_the_client_ask_again_at_once() -> None:
    node = FakeNode()
    told = await get(node)
    subscribe_all(node, "a", metrics="x")
    assert await push(node, told) == ErrorCode.UNKNOWN_SUBSCRIPTION_ID
    again = await get(node, told.client_instance_id)
    assert (again.error_code, again.requested_metrics) == (0, ["x"])
    assert await push(node, again) == ErrorCode.THROTTLING_QUOTA_EXCEEDED, "it has pushed just now"
    node.time += 300_000
    assert await push(node, again) == ErrorCode.NONE


async def test_a_changed_subscription_lets_everybody_ask_anew() -> None:
    node = FakeNode()
    told = await get(node)
    subscribe_all(node, "a", metrics="x", match="client_id=somebody")
    assert (await get(node, told.client_instance_id)).error_code == ErrorCode.NONE
    assert (await get(node, told.client_instance_id)).error_code == ErrorCode.THROTTLING_QUOTA_EXCEEDED


async def test_a_client_that_comes_back_may_ask_at_once() -> None:
    node = FakeNode()
    told = await get(node, client_address="127.0.0.1:1000")
    for port, code in ((1000, ErrorCode.THROTTLING_QUOTA_EXCEEDED), (1001, ErrorCode.NONE)):
        again = await get(node, told.client_instance_id, client_address=f"127.0.0.1:{port}")
        assert again.error_code == code


async def test_pushes_that_cannot_be_taken_are_refused() -> None:
    for fields, code in (
        ({"client_instance_id": Uuid.ZERO}, ErrorCode.INVALID_REQUEST),
        ({"compression_type": 9}, ErrorCode.UNSUPPORTED_COMPRESSION_TYPE),
        ({"metrics": bytes(1_048_577)}, ErrorCode.TELEMETRY_TOO_LARGE),
        ({"metrics": b"not gzip", "compression_type": GZIP}, ErrorCode.INVALID_RECORD),
        (
            {"metrics": gzip.compress(bytes(20_000_000)), "compression_type": GZIP},
            ErrorCode.INVALID_RECORD,
        ),
        ({"metrics": gzip.compress(b"metrics"), "compression_type": GZIP}, ErrorCode.NONE),
        ({"metrics": b""}, ErrorCode.NONE),
    ):
        node = FakeNode()
        assert await push(node, await get(node), **fields) == code, fields


def test_what_is_remembered_is_bounded() -> None:
    telemetry = ClientTelemetry(bytes_max=100)
    for number in range(CLIENTS_MAX + 10):
        telemetry.subscribe(Client(numbered(number), "c", "h", "1"), [], now=number)
    assert len(telemetry._known) == CLIENTS_MAX


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["get", "push"]), st.integers(0, 2), st.integers(0, 150)),
        max_size=40,
    )
)
def test_no_client_pushes_more_often_than_it_was_told(
    steps: list[tuple[str, int, int]],
) -> None:
    telemetry = ClientTelemetry(bytes_max=100)
    subscriptions = [Subscription(metrics=("x",), interval_ms=100, match=())]
    now = 0
    taken: dict[int, list[int]] = {0: [], 1: [], 2: []}
    asked: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for step, number, passed in steps:
        now += passed
        client = Client(numbered(number), "c", "h", "1")
        try:
            if step == "get":
                telemetry.subscribe(client, subscriptions, now)
                asked[number].append(now)
            else:
                wanted = ClientTelemetry(100).subscribe(client, subscriptions, now)
                telemetry.push(
                    client,
                    subscriptions,
                    now,
                    subscription_id=wanted.subscription_id,
                    codec=0,
                    size=1,
                    terminating=False,
                )
                taken[number].append(now)
        except ThrottlingQuotaExceeded:
            continue
    for number, times in taken.items():
        for earlier, later in pairwise(times):
            asked_between = any(earlier <= time <= later for time in asked[number])
            assert later - earlier >= 100 or asked_between
