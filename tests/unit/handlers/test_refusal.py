"""Responses that refuse everything, for any request in any version."""

from dataclasses import dataclass
from typing import Any

import pytest

from barnabas import _core
from barnabas.protocol import ErrorCode, Message, class_named, message_class
from barnabas.protocol.generated import fetch_request as fetch
from barnabas.protocol.generated import offset_fetch_request as offsets
from barnabas.protocol.generated import produce_request as produce
from barnabas.protocol.generated.index import API_NAMES
from barnabas.server.apis import MODULES
from barnabas.server.handlers.refusal import error_codes, refused
from tests.conformance.codec.random_messages import Generator, schemas

CODE = ErrorCode.KAFKA_STORAGE_ERROR
SERVED = sorted({*MODULES, *_core.native_apis()})
SCHEMAS = {schema.name: schema for schema in schemas()}
MESSAGES = 5
"""Random requests for each version of each API."""


@dataclass
class Request:
    body: Any
    api_version: int

    @property
    def api_key(self) -> int:
        return int(self.body.API_KEY)


def answer(body: Message, code: int = CODE, version: int | None = None) -> Any:
    request = Request(body, body.HIGHEST_VERSION if version is None else version)
    return refused(request, code)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", SERVED, ids=lambda key: API_NAMES[key])
def test_refusal_is_well_formed_and_says_the_error(key: int) -> None:
    kind = message_class(key, response=False)
    generator = Generator(SCHEMAS[kind.__name__], seed=f"7 {key}")
    said = 0
    for version in range(kind.LOWEST_VERSION, kind.HIGHEST_VERSION + 1):
        for _ in range(MESSAGES):
            body = generator.message(version)
            body = _core.decode(kind, version, _core.encode(body, version))
            response = answer(body, version=version)
            if response is None:
                continue
            data = _core.encode(response, version)
            read = _core.decode(class_named(type(response).__name__), version, data)
            assert error_codes(read) - {0} == {CODE}
            said += 1
    assert said, "no request was refused"


def test_partitions_of_a_produce_are_refused_one_by_one() -> None:
    topic = produce.TopicProduceData(
        name="t", partition_data=[produce.PartitionProduceData(0), produce.PartitionProduceData(3)]
    )
    response = answer(produce.ProduceRequest(acks=1, topic_data=[topic]), version=9)
    assert [(one.name, [(p.index, p.error_code, p.base_offset) for p in one.partition_responses])
            for one in response.responses] == [("t", [(0, CODE, -1), (3, CODE, -1)])]  # fmt: skip


def test_produce_without_acks_is_not_answered() -> None:
    assert answer(produce.ProduceRequest(acks=0)) is None


def test_fetch_says_the_error_of_its_partitions_and_keeps_its_session() -> None:
    request = fetch.FetchRequest(
        session_id=9, topics=[fetch.FetchTopic(topic="t", partitions=[fetch.FetchPartition(partition=2)])]
    )
    response = answer(request, version=12)
    assert (response.session_id, response.error_code) == (9, 0)
    partition = response.responses[0].partitions[0]
    assert (partition.partition_index, partition.error_code, partition.high_watermark) == (2, CODE, -1)


def test_fetch_says_an_error_of_its_session_once() -> None:
    request = fetch.FetchRequest(session_id=9, topics=[fetch.FetchTopic(topic="t")])
    response = answer(request, ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
    assert (response.error_code, response.responses) == (ErrorCode.FETCH_SESSION_ID_NOT_FOUND, [])


def test_error_of_offsets_is_the_group_s_where_the_version_has_a_place_for_it() -> None:
    topic = offsets.OffsetFetchRequestTopics("t", partition_indexes=[1])
    group = offsets.OffsetFetchRequestGroup("g", topics=[topic])
    response = answer(offsets.OffsetFetchRequest(groups=[group]), version=8)
    assert [(one.group_id, one.error_code, one.topics) for one in response.groups] == [("g", CODE, [])]
    old = offsets.OffsetFetchRequest("g", topics=[offsets.OffsetFetchRequestTopic("t", [1])])
    assert answer(old, version=7).error_code == CODE
    partition = answer(old, version=1).topics[0].partitions[0]
    assert (partition.partition_index, partition.error_code, partition.committed_offset) == (1, CODE, -1)
