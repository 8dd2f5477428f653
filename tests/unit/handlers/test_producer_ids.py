"""InitProducerId."""

import asyncio
from typing import Any

import pytest

from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.init_producer_id_request import InitProducerIdRequest
from tests.support.fake_node import FakeNode


def asked(transactional_id: str | None = None, timeout: int = 1000, **fields: Any) -> InitProducerIdRequest:
    return InitProducerIdRequest(transactional_id=transactional_id, transaction_timeout_ms=timeout, **fields)


async def test_ids_follow_one_another_and_blocks_are_taken_as_needed() -> None:
    node = FakeNode()
    ids = [(await node.ask(asked())).producer_id for _ in range(1001)]
    assert ids == list(range(1001))
    assert node.cluster.image.next_producer_id() == 2000


async def test_producers_that_ask_at_once_get_ids_of_their_own() -> None:
    node = FakeNode()
    responses = await asyncio.gather(*(node.ask(asked()) for _ in range(50)))
    assert sorted(response.producer_id for response in responses) == list(range(50))
    assert node.cluster.image.next_producer_id() == 1000


async def test_after_a_restart_no_id_comes_again() -> None:
    node = FakeNode()
    await node.ask(asked())
    restarted = FakeNode(node.cluster)
    assert (await restarted.ask(asked())).producer_id == 1000


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (asked(producer_id=5, producer_epoch=3), ErrorCode.NONE),
        (asked(producer_id=5), ErrorCode.INVALID_REQUEST),
        (asked(producer_epoch=3), ErrorCode.INVALID_REQUEST),
        (asked(timeout=-1), ErrorCode.NONE),
        (asked(""), ErrorCode.INVALID_REQUEST),
        (asked("t", timeout=0), ErrorCode.INVALID_TRANSACTION_TIMEOUT),
        (asked("t", timeout=900_001), ErrorCode.INVALID_TRANSACTION_TIMEOUT),
        (asked("t"), ErrorCode.NOT_COORDINATOR),
    ],
)
async def test_requests_are_served_or_refused(request_: InitProducerIdRequest, code: ErrorCode) -> None:
    response = await FakeNode().ask(request_, 5)
    assert response.error_code == code
    expected = (0, 0) if code == ErrorCode.NONE else (-1, -1)
    assert (response.producer_id, response.producer_epoch) == expected
