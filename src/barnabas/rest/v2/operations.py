"""The operations of API v2: what each takes, and what it answers."""

from __future__ import annotations

from dataclasses import replace

from barnabas.http.openapi import (
    ANYTHING,
    FLAG,
    INT32,
    INT64,
    TEXT,
    TEXTS,
    Operation,
    Shape,
    array,
    choice,
    mapping,
    members,
    nullable,
    shape,
)
from barnabas.rest.v2.asking import FORMATS, MEDIA_TYPE, format_media_type

_TIME: Shape = {"oneOf": [INT64, {"type": "string", "format": "date-time"}]}
_PLACE = {"topic": TEXT, "partition": INT32}
_HEADERS = array(members(name=TEXT, value=TEXT))
_EMPTY = members()

SHAPES: dict[str, Shape] = {
    "V2Brokers": members(brokers=array(INT32)),
    "V2Partition": members(
        partition=INT32, leader=INT32, replicas=array(members(broker=INT32, leader=FLAG, in_sync=FLAG))
    ),
    "V2Topic": members(name=TEXT, configs=mapping(TEXT), partitions=array(shape("V2Partition"))),
    "V2PartitionOffsets": members(beginning_offset=INT64, end_offset=INT64),
    "V2ProduceRequest": members(
        key_schema=TEXT,
        key_schema_id=INT32,
        value_schema=TEXT,
        value_schema_id=INT32,
        records=array(
            members(key=ANYTHING, value=ANYTHING, partition=INT32, timestamp=_TIME, headers=_HEADERS)
        ),
    ),
    "V2ProduceResponse": members(
        key_schema_id=nullable(INT32),
        value_schema_id=nullable(INT32),
        offsets=array(
            members(
                partition=nullable(INT32),
                offset=nullable(INT64),
                error_code=nullable(INT32),
                error=nullable(TEXT),
            )
        ),
    ),
    "V2ConsumerRequest": {
        "type": "object",
        "properties": {
            "name": TEXT,
            "format": choice(*FORMATS),
            "auto.offset.reset": choice("earliest", "latest", "none"),
            "auto.commit.enable": TEXT,
            "fetch.min.bytes": INT32,
            "consumer.request.timeout.ms": INT32,
        },
    },
    "V2Consumer": members(instance_id=TEXT, base_uri=TEXT),
    "V2Subscription": members(topics=TEXTS, topic_pattern=TEXT),
    "V2Topics": members(topics=TEXTS),
    "V2Partitions": members(partitions=array(members(**_PLACE))),
    "V2Offsets": members(offsets=array(members(**_PLACE, offset=INT64, metadata=TEXT))),
    "V2Positions": members(
        offsets=array(members(**_PLACE, offset=INT64, metadata=TEXT)),
        timestamps=array(members(**_PLACE, timestamp=_TIME)),
    ),
    "V2Record": members(
        topic=TEXT,
        key=ANYTHING,
        value=ANYTHING,
        partition=INT32,
        offset=INT64,
        timestamp=INT64,
        headers=_HEADERS,
    ),
}
_FORMATTED: tuple[str, ...] = tuple(format_media_type(name) for name in FORMATS)
_TOPIC, _PARTITION = "/topics/{topic}", "/topics/{topic}/partitions/{partition}"
_GROUP = "/consumers/{group}"
_INSTANCE = f"{_GROUP}/instances/{{instance}}"
_WHERE = shape("V2Partitions")
_MORE: dict[str, Shape] = {"timeout": INT32, "max_bytes": INT32, "timestamps": FLAG, "headers": FLAG}


def _writing(name: str) -> Operation:
    answered, taken = shape("V2ProduceResponse"), shape("V2ProduceRequest")
    return Operation(name, answered, body=taken, consumed=_FORMATTED)


_DECLARED: dict[str, Operation] = {
    "GET /": Operation("getV2Root", _EMPTY),
    "POST /": Operation("postV2Root", _EMPTY),
    "GET /brokers": Operation("listV2Brokers", shape("V2Brokers")),
    "GET /topics": Operation("listV2Topics", TEXTS),
    f"GET {_TOPIC}": Operation("getV2Topic", shape("V2Topic")),
    f"POST {_TOPIC}": _writing("produceV2Records"),
    f"GET {_TOPIC}/partitions": Operation("listV2Partitions", array(shape("V2Partition"))),
    f"GET {_PARTITION}": Operation("getV2Partition", shape("V2Partition")),
    f"POST {_PARTITION}": _writing("produceV2PartitionRecords"),
    f"GET {_PARTITION}/offsets": Operation("getV2PartitionOffsets", shape("V2PartitionOffsets")),
    f"POST {_GROUP}": Operation("createV2Consumer", shape("V2Consumer"), body=shape("V2ConsumerRequest")),
    f"DELETE {_INSTANCE}": Operation("deleteV2Consumer", status=204),
    f"POST {_INSTANCE}/subscription": Operation("subscribeV2", body=shape("V2Subscription"), status=204),
    f"GET {_INSTANCE}/subscription": Operation("getV2Subscription", shape("V2Topics")),
    f"DELETE {_INSTANCE}/subscription": Operation("unsubscribeV2", status=204),
    f"POST {_INSTANCE}/assignments": Operation("assignV2", body=_WHERE, status=204),
    f"GET {_INSTANCE}/assignments": Operation("getV2Assignments", _WHERE),
    f"GET {_INSTANCE}/records": Operation(
        "readV2Records", array(shape("V2Record")), query=_MORE, produced=_FORMATTED
    ),
    f"POST {_INSTANCE}/offsets": Operation("commitV2Offsets", _EMPTY, body=shape("V2Offsets")),
    f"GET {_INSTANCE}/offsets": Operation("getV2Offsets", shape("V2Offsets"), body=_WHERE),
    f"POST {_INSTANCE}/positions": Operation("seekV2", body=shape("V2Positions"), status=204),
    f"POST {_INSTANCE}/positions/beginning": Operation("seekV2ToBeginning", body=_WHERE, status=204),
    f"POST {_INSTANCE}/positions/end": Operation("seekV2ToEnd", body=_WHERE, status=204),
}


def _whole(operation: Operation) -> Operation:
    return replace(
        operation,
        produced=operation.produced or (MEDIA_TYPE,),
        refusing=(MEDIA_TYPE, "application/json"),
        consumed=operation.consumed or (MEDIA_TYPE,),
        errors=(401, 403, 404, 409, 422, 429),
    )


OPERATIONS = {name: _whole(operation) for name, operation in _DECLARED.items()}
