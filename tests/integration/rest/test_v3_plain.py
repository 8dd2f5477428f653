"""Records that need no decision, which are read, written and answered without Python: they do not differ from
those that Python sees to."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from barnabas.rest.values import json_value
from tests.integration.rest.asking import Cluster
from tests.integration.rest.inside import Proxy, made, written
from tests.integration.rest.test_metrics import counted, figures
from tests.integration.rest.test_v3 import Streaming

pytestmark = pytest.mark.parametrize("cluster", ["barnabas"], indirect=True)


@pytest.fixture(scope="module")
def v3(proxy: Proxy) -> str:
    return proxy.v3


@pytest.fixture
def path(proxy: Proxy, v3: str) -> str:
    return made(proxy, v3)


def value(kind: str, data: str) -> str:
    return f'{{"value":{{"type":"{kind}","data":{data}}}}}'


PLAIN_NUMBERS = "1 0 -1 123456789012345678 0.5 -2.5 0.0001 100000.0 -0.0 0.0 12345678901234.5 0.00012345"
ODD_NUMBERS = "1e3 1E-7 1e999 -0 00 01 1. .5 +1 1.50 0.00001 123456789012345678901234567890 NaN -Infinity"
PLAIN = [
    "{}",
    " { } \n",
    '{"key":null,"value":null}',
    '{"partition_id":null}',
    '{"partition_id":0}',
    '{"value":{"type":"JSON"}}',
    '{"key":{"type":"BINARY"},"value":{"type":"STRING","data":null}}',
    '{"value":{"type":"JSON","data":null}}',
    '{"partition_id":0,"key":{"type":"STRING","data":"k"},"value":{"type":"JSON","data":{"a":[]}}}',
    '{"value":{"type":"STRING","data":"v"},"key":{"type":"STRING","data":"k"},"partition_id":0}',
    '{ "key" : {"type":"BINARY","data":"AAH/"} ,\r\n\t"value": {"type" : "STRING" , "data":""} }',
    '{"headers":[]}',
    '{"headers":null,"timestamp":null}',
    '{"headers":[{"name":"h","value":"AA=="},{"name":""},{"value":null,"name":"h"}]}',
    '{"headers":[{"name":"\\u00e9\\n","value":"","more":[{}]}],"value":{"type":"JSON","data":1}}',
    '{"value":{"type":"JSON","data":1},"more":1}',
    '{"id":"a","value":{"data":{"a":1},"type":"JSON"}}',
    '{"value":{"type":"json","data":1},"key":{"data":"","type":"bInArY"}}',
    '{"value":{"type":"JSON","data":1,"schema_id":1,"subject":[]}}',
    '{"value":{"data":null,"type":"STRING"}}',
    *(value("BINARY", f'"{data}"') for data in ("", "AA==", "AAA=", "AAAA", "+/+/")),
    *(value("STRING", f'"{data}"') for data in ("", "é€😀", r"a\nb\/\\\"\b\f\r\t", "\x7f")),
    *(value("STRING", f'"{data}"') for data in (r"\u00e9\ud83d\ude00", r"\u0000\uD83D\uDE00\u002f")),
    value("JSON", r'["\u0041\u001f\u2028\u0022\u005c\u007f\u000A", "\\\ud83d\ude00"]'),
    *(value("JSON", data) for data in PLAIN_NUMBERS.split()),
    *(value("JSON", data) for data in ("true", "false", '"text"', '"\\/\\"\\\\é"', "[]", "{}", "[[],{}]")),
    value("JSON", ' { "b" : [ 1 , { "a" : null } ] , "a" : "\\n" , "" : true }  '),
    value("JSON", "[" * 30 + "]" * 30),
    value("JSON", json.dumps({f"field{number}": number for number in range(32)})),
]
"""What is answered without Python."""

ODD = [
    '{"partition_id":"0","value":{"type":"STRING","data":"x"}}',
    '{"partition_id":0.0}',
    '{"partition_id":-0}',
    '{"partition_id":-1}',
    '{"partition_id":true}',
    '{"partition_id":7}',
    '{"partition_id":2147483647}',
    '{"partition_id":2147483648}',
    '{"partition_id":12345678901234567890}',
    '{"headers":{}}',
    '{"headers":[{}]}',
    '{"headers":[{"name":null}]}',
    '{"headers":[{"name":1,"value":"AA=="}]}',
    '{"headers":[{"name":"h","name":"h"}]}',
    '{"headers":[{"name":"h","value":"A"}]}',
    '{"headers":[{"name":"\\ud800"}]}',
    '{"timestamp":"2026-02-30T00:00:00Z"}',
    '{"timestamp":-1}',
    '{"timestamp":1.0}',
    '{"timestamp":true}',
    '{"timestamp":""}',
    '{"value":{}}',
    '{"value":7}',
    '{"value":[]}',
    '{"value":"text"}',
    '{"value":{"data":1}}',
    '{"value":{"type":null,"data":1}}',
    '{"value":{"type":1,"data":1}}',
    '{"value":{"type":"AVRO","data":1}}',
    '{"value":{"type":"NONE","data":1}}',
    '{"value":{"type":"JSON","data":1,"data":2}}',
    '{"value":{"type":"JSON","data":1},"value":{"type":"JSON","data":2}}',
    '{"val\\u0075e":{"type":"JSON","data":1}}',
    '{"value":{"type":"JSON","data":1}',
    '{"value":{"type":"JSON","data":1},}',
    '{"value":{"type":"JSON","data":}}',
    "",
    "[]",
    "1",
    "{",
    *(value("BINARY", f'"{data}"') for data in ("A", "AA", "A===", "AB==", "AA==AA==", "A A=", "é", "-_-_")),
    *(value("BINARY", data) for data in ("1", "[]")),
    *(value("STRING", data) for data in ("1", "{}", "true", r'"\ud800"', r'"\ude00\ud83d"', '"\x01"')),
    *(value("JSON", data) for data in ODD_NUMBERS.split()),
    *(value("JSON", data) for data in ("tru", "nul", "True", "'1'")),
    value("JSON", '{"a":1,"b":2,"a":3}'),
    value("JSON", '{"\\n":1}'),
    value("JSON", '"\\u00g0"'),
    value("JSON", '"\\u+123"'),
    value("JSON", '"\\udc00"'),
    value("JSON", '"\\x"'),
    value("JSON", '"a\nb"'),
    value("JSON", "[1,]"),
    value("JSON", "[" * 40 + "]" * 40),
    value("JSON", json.dumps({f"field{number}": number for number in range(33)})),
]
"""What Python has to see."""


STRANGE = [
    b'{"value":{"type":"STRING","data":"\xff"}}',
    b'\xef\xbb\xbf{"key":null}',
    PLAIN[-1].encode("utf-16"),
    b"\x0c{}",
]
"""What is no UTF-8, or has marks around it that JSON does not know."""


def lasting(reply: Any) -> Any:
    """A reply without what differs from one record to the next."""
    return {name: told for name, told in reply.items() if name not in ("offset", "timestamp")}


def test_what_needs_no_python_is_written_and_answered_as_by_python(
    proxy: Proxy, cluster: Cluster, path: str
) -> None:
    count = 1
    for body in (*PLAIN, *ODD, *STRANGE):
        seen = len(proxy.seen)
        sent = body if isinstance(body, bytes) else body.encode()
        here = proxy.ask("POST", path, sent)
        if here.status == 200:
            assert len(proxy.seen) - seen == (body not in PLAIN), body
        there = proxy.ask("POST", f"{path}?by=python", sent)
        assert (here.status, here.headers["content-type"]) == (there.status, there.headers["content-type"])
        assert lasting(here.body) == lasting(there.body), body
        assert list(here.body) == list(there.body), body
        if here.status == 200:
            assert (here.body["offset"], there.body["offset"]) == (count, count + 1), body
            count += 2
        assert here.status == 200 or body not in PLAIN, here
    records = [(record.key, record.value, list(record.headers)) for record in written(cluster, path, count)]
    assert records[1::2] == records[2::2]
    assert records[1 + 2 * PLAIN.index(value("JSON", "-0.0"))][1] == b"-0.0"


def test_requests_that_need_no_python_are_counted_as_others(proxy: Proxy, path: str) -> None:
    operation = "POST /v3/clusters/{cluster_id}/topics/{topic_name}/records"
    names = [counted(operation, 200), "barnabas_rest_produced_records_total"]
    before, seen = figures(proxy), len(proxy.seen)
    for _ in range(3):
        reply = proxy.ask("POST", path, PLAIN[0], X_Request_ID="seven")
        assert (reply.status, reply.headers["x-request-id"]) == (200, "seven")
    with_charset = proxy.ask("POST", path, PLAIN[0], Content_Type="application/json; charset=utf-8")
    assert with_charset.status == 200
    after = figures(proxy)
    assert [after[name] - before[name] for name in names] == [4, 4]
    assert len(proxy.seen) == seen + 1


def test_record_that_the_broker_refuses_is_told_of_as_by_python(proxy: Proxy, v3: str) -> None:
    path = made(proxy, v3, max_message_bytes="500")
    seen = len(proxy.seen)
    small, large = (value("STRING", '"' + "x" * size + '"') for size in (1, 5_000))
    here = proxy.ask("POST", path, large)
    assert len(proxy.seen) == seen
    there = proxy.ask("POST", f"{path}?by=python", large)
    assert (here.status, here.body) == (there.status, there.body)
    assert here.status == 400
    stream = Streaming(proxy.url, path)
    for record in (small, large, by_python_too(large), small):
        stream.send(record.encode())
        if len(record) > 500:
            assert stream.reply() == here.body
        else:
            assert stream.reply()["error_code"] == 200
    assert stream.end() == []
    assert len(proxy.seen) == seen + 2


def by_python_too(record: str) -> str:
    """The same record, which Python sees to in a stream."""
    return record[:-1] + ',"\\u0061":null}'


def test_replies_of_a_stream_keep_the_order_of_records(proxy: Proxy, path: str) -> None:
    records = [value("JSON", str(number)) for number in range(3_000)]
    for index in range(7, len(records), 97):
        records[index] = by_python_too(records[index])
    records[1_000] = value("BINARY", '"?"')
    whole = "\n".join(records).encode()
    seen = len(proxy.seen)
    stream = Streaming(proxy.url, path)
    for begin in range(0, len(whole), 7_001):
        stream.send(whole[begin : begin + 7_001])
    replies = [stream.reply() for _ in records]
    assert stream.end() == []
    assert len(proxy.seen) - seen == 32
    assert [number for number, reply in enumerate(replies) if reply["error_code"] != 200] == [1_000]
    good = [reply for reply in replies if reply["error_code"] == 200]
    assert [reply["offset"] for reply in good] == list(range(1, len(records)))
    assert [reply["value"]["size"] for reply in replies[:1_000]] == [
        len(str(number)) for number in range(1_000)
    ]


def test_stream_that_ends_badly_has_written_what_came_before(
    proxy: Proxy, cluster: Cluster, path: str
) -> None:
    for end, words in (
        ("nonsense", "must begin with a brace"),
        ('{"value":', "ends within a JSON object"),
        ('{"value":tru}', "is no JSON"),
        ('{"value":]}', "is no JSON"),
    ):
        stream = Streaming(proxy.url, path)
        stream.send((value("JSON", "1") + "\n" + end).encode())
        good, refused = stream.end()
        assert (good["error_code"], refused["error_code"]) == (200, 400)
        assert words in refused["message"]
    assert len(written(cluster, path, 5)) == 5


def json_text(chance: random.Random, depth: int = 0) -> str:
    """JSON as somebody may write it: not always as Python would."""
    space = chance.choice(("", "", "", " ", "\n\t"))
    kind = chance.randrange(6 if depth < 4 else 4)
    if kind == 0:
        return chance.choice(("true", "false", "null", "0", "-0", "{}", "[]"))
    if kind == 1:
        return str(chance.randrange(-(10 ** chance.randrange(1, 25)), 10 ** chance.randrange(1, 25)))
    if kind == 2:
        number = f"{chance.choice(('', '-'))}{chance.randrange(10 ** chance.randrange(1, 12))}"
        number += f".{chance.randrange(10 ** chance.randrange(1, 12)):0{chance.randrange(1, 9)}}"
        return number + chance.choice(("", "", "", "e3", "E-9", "e+22"))
    if kind == 3:
        parts = ("a", "é", "\U0001f600", "\\n", "\\/", "\\\\", '\\"', "\\u0041", "\\u001f", "\x7f", "{", "]")
        return '"' + "".join(chance.choices(parts, k=chance.randrange(6))) + '"'
    inside = [json_text(chance, depth + 1) for _ in range(chance.randrange(4))]
    if kind == 4:
        return "[" + f"{space},{space}".join(inside) + f"{space}]"
    members = [f'"{chance.choice("abcde")}"{space}:{space}{one}' for one in inside]
    return f"{{{space}" + f"{space},".join(members) + "}"


def test_values_are_written_as_python_writes_them(proxy: Proxy, cluster: Cluster, path: str) -> None:
    chance = random.Random(20)
    texts = [json_text(chance) for _ in range(1_500)]
    expected = [json_value(json.loads(text), "value") if text != "null" else None for text in texts]
    seen = len(proxy.seen)
    stream = Streaming(proxy.url, path)
    for text in texts:
        stream.send(value("JSON", text).encode())
    replies = [stream.reply() for _ in texts]
    assert stream.end() == []
    assert [reply["error_code"] for reply in replies] == [200] * len(texts)
    assert 300 < len(proxy.seen) - seen < 1_200  # Both ways were gone.
    found = [record.value for record in written(cluster, path, 1 + len(texts))]
    assert found[1:] == expected
