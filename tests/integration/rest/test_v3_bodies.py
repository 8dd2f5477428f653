"""Bodies with several records, and batches: what is answered without Python is answered, and written, as by
Python."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.rest.asking import Cluster
from tests.integration.rest.inside import Proxy, made, written
from tests.integration.rest.test_metrics import counted, figures
from tests.integration.rest.test_v3_plain import json_text, value
from tests.support.registry import Reply

pytestmark = pytest.mark.parametrize("cluster", ["barnabas"], indirect=True)

ONE = value("STRING", '"one"')
NATIVE_RECORDS_MAX = 1_000
NATIVE_BYTES_MAX = 256 * 1024
OLD = 1_234_567_890_123
"""Some time in milliseconds: the topics here keep records of all times."""


@pytest.fixture(scope="module")
def path(proxy: Proxy) -> str:
    """The records of a topic whose lines and batches need no Python."""
    path = made(proxy, proxy.v3, retention_ms="-1")
    first = proxy.ask("POST", f"{path}:batch", batch([("a", "{}")]))
    assert first.status == 207
    assert [one["offset"] for one in first.body["successes"]] == [1]
    return path


def batch(entries: list[tuple[str, str]]) -> str:
    """A batch of records with names."""
    named = [f'{record[:-1]}{"," * (record != "{}")}"id":"{name}"}}' for name, record in entries]
    return '{"entries":[' + ",".join(named) + "]}"


def lines(reply: Reply) -> list[Any]:
    """The replies to the records of a body."""
    assert reply.status == 200
    text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body) + "\r\n"
    *found, rest = text.split("\r\n")
    assert rest == ""
    return [json.loads(line) for line in found]


def test_records_of_a_body_are_answered_in_their_order(proxy: Proxy, cluster: Cluster) -> None:
    path = made(proxy, proxy.v3)
    seen = len(proxy.seen)
    texts = [value("JSON", str(number)) for number in range(100)]
    here = proxy.ask("POST", path, "\n".join(texts))
    assert len(proxy.seen) == seen
    there = proxy.ask("POST", f"{path}?by=python", "\n".join(texts))
    assert len(proxy.seen) == seen + 100
    assert here.headers["content-type"] == there.headers["content-type"]
    assert [one["offset"] for one in lines(here)] == list(range(1, 101))
    assert [lasting(one) for one in lines(here)] == [lasting(one) for one in lines(there)]
    found = [record.value for record in written(cluster, path, 201)]
    assert found[1:101] == found[101:] == [str(number).encode() for number in range(100)]


def test_entries_of_a_batch_are_told_of_by_their_names(proxy: Proxy, path: str) -> None:
    body = batch([("b", ONE), ("a", "{}"), ("A-_9", '{"key":{"type":"JSON","data":[]}}')])
    seen = len(proxy.seen)
    here = proxy.ask("POST", f"{path}:batch", body)
    assert len(proxy.seen) == seen
    there = proxy.ask("POST", f"{path}:batch?by=python", body)
    assert (here.status, here.headers["content-type"]) == (207, there.headers["content-type"])
    assert [one["id"] for one in here.body["successes"]] == ["b", "a", "A-_9"]
    assert here.body["failures"] == []
    first = here.body["successes"][0]["offset"]
    assert [one["offset"] for one in here.body["successes"]] == [first, first + 1, first + 2]
    assert list(here.body) == list(there.body)
    for one, other in zip(here.body["successes"], there.body["successes"], strict=True):
        assert (lasting(one), list(one)) == (lasting(other), list(other))


def test_times_and_headers_are_written_as_by_python(proxy: Proxy, cluster: Cluster) -> None:
    path = made(proxy, proxy.v3, retention_ms="-1")
    times = ["2024-02-29T01:50:45Z", "2009-02-13T23:31:30.123Z", "1999-12-31T23:59:59.999999Z", 0, OLD]
    header = {"name": "h", "value": "AAE="}
    records = [{"timestamp": time, "headers": [header, {"name": "é"}, header]} for time in times]
    body = "".join(map(json.dumps, records))
    seen = len(proxy.seen)
    here = lines(proxy.ask("POST", path, body))
    assert len(proxy.seen) == seen
    there = lines(proxy.ask("POST", f"{path}?by=python", body))
    assert [one["timestamp"] for one in here] == [one["timestamp"] for one in there]
    assert here[-1]["timestamp"] == "2009-02-13T23:31:30.123Z"
    found = [(record.timestamp, list(record.headers)) for record in written(cluster, path, 11)]
    assert found[1:6] == found[6:]
    assert found[5] == (OLD, [("h", b"\0\1"), ("é", None), ("h", b"\0\1")])


def test_records_of_a_body_are_counted(proxy: Proxy, path: str) -> None:
    operations = [
        f"POST /v3/clusters/{{cluster_id}}/topics/{{topic_name}}/records{end}" for end in ("", ":batch")
    ]
    names = [counted(operations[0], 200), counted(operations[1], 207), "barnabas_rest_produced_records_total"]
    before, seen = figures(proxy), len(proxy.seen)
    lines(proxy.ask("POST", path, ONE * 5))
    assert proxy.ask("POST", f"{path}:batch", batch([("a", ONE), ("b", ONE)])).status == 207
    after = figures(proxy)
    assert [after[name] - before[name] for name in names] == [1, 1, 7]
    assert len(proxy.seen) == seen


def test_records_of_a_body_that_the_broker_refuses_are_told_of_as_by_python(proxy: Proxy) -> None:
    path = made(proxy, proxy.v3, max_message_bytes="500")
    assert proxy.ask("POST", f"{path}:batch", batch([("a", "{}")])).status == 207
    large = value("STRING", '"' + "x" * 5_000 + '"')
    seen = len(proxy.seen)
    here = lines(proxy.ask("POST", path, ONE + large + ONE))
    named = batch([("a", ONE), ("b", large), ("c", ONE)])
    of_batch = proxy.ask("POST", f"{path}:batch", named)
    assert len(proxy.seen) == seen
    there = lines(proxy.ask("POST", f"{path}?by=python", ONE + large + ONE))
    assert [one["error_code"] for one in here] == [200, 40002, 200]
    assert [lasting(one) for one in here] == [lasting(one) for one in there]
    by_python = proxy.ask("POST", f"{path}:batch?by=python", named)
    assert of_batch.status == by_python.status == 207
    assert [one["id"] for one in of_batch.body["successes"]] == ["a", "c"]
    assert of_batch.body["failures"] == by_python.body["failures"]
    assert list(of_batch.body["failures"][0]) == list(by_python.body["failures"][0])


@pytest.mark.parametrize(
    ("body", "is_native"),
    [
        ("{}" * NATIVE_RECORDS_MAX, True),
        ("{}" * (NATIVE_RECORDS_MAX + 1), False),
        (ONE + " " * (NATIVE_BYTES_MAX - len(ONE)), True),
        (ONE + " " * (NATIVE_BYTES_MAX + 1 - len(ONE)), False),
        (value("STRING", '"' + "x" * (1 << 19) + '"') + value("STRING", '"' + "y" * (1 << 19) + '"'), False),
    ],
    ids=["most records", "more records", "most bytes", "more bytes", "1 MiB"],
)
def test_large_bodies_are_left_to_the_loop(proxy: Proxy, path: str, body: str, is_native: bool) -> None:
    seen = len(proxy.seen)
    replies = lines(proxy.ask("POST", path, body))
    assert len(replies) == body.count("{}") or len(replies) == body.count("type")
    assert {one["error_code"] for one in replies} == {200}
    assert (len(proxy.seen) == seen) == is_native


def lasting(reply: dict[str, Any]) -> dict[str, Any]:
    """A reply without what differs from one record to the next."""
    return {name: told for name, told in reply.items() if name not in ("offset", "timestamp")}


def part(chance: random.Random) -> str:
    kind = chance.choice(("JSON", "STRING", "BINARY", "json", "AVRO", "null"))
    kind = '"' + kind + '"' if kind != "null" or chance.random() < 0.9 else kind
    strings = ('"text"', '"\\u00e9\\n"', '"AAE="', '"AA"', '""', "1")
    data = json_text(chance) if "JSON" in kind.upper() else chance.choice(strings)
    members = [f'"type":{kind}', f'"data":{data}', '"schema_id":7', '"more":[{}]'][: chance.randrange(1, 5)]
    chance.shuffle(members)
    return "{" + ",".join(members) + "}"


def header(chance: random.Random) -> str:
    members = [chance.choice(('"name":"h"', '"name":""', '"name":"\\u20ac"', '"name":null', '"name":"\\""'))]
    members += chance.choice(([], ['"value":null'], ['"value":"AAE="'], ['"value":"AAE="'], ['"value":"?"']))
    chance.shuffle(members)
    return "{" + ",".join(members) + "}"


def moment(chance: random.Random) -> str:
    odd = (
        "null",
        "-1",
        "1.5",
        '"2026-02-30T00:00:00Z"',
        '"2026-02-03 04:05:06Z"',
        '"2026-02-03T04:05:06+01:00"',
    )
    if chance.random() < 0.3:
        return chance.choice(odd)
    year, month, day = chance.randrange(1968, 2025), chance.randrange(1, 13), chance.randrange(1, 31)
    fraction = chance.choice(("", ".5", ".123", ".123456"))
    clock = f"{chance.randrange(24):02}:{chance.randrange(60):02}:{chance.randrange(60):02}"
    return chance.choice((str(chance.randrange(OLD)), f'"{year}-{month:02}-{day:02}T{clock}{fraction}Z"'))


def record(chance: random.Random) -> list[str]:
    """Members of a record as somebody may write it; many are good."""
    makers: list[Callable[[], str]] = [
        lambda: '"partition_id":' + chance.choice(("0", "0", "null", "1", "-1", '"0"', "0.0")),
        lambda: '"timestamp":' + moment(chance),
        lambda: (
            '"headers":' + chance.choice(("null", "[" + ",".join(header(chance) for _ in range(2)) + "]"))
        ),
        lambda: '"key":' + part(chance),
        lambda: '"value":' + part(chance),
        lambda: '"more":' + json_text(chance),
    ]
    members = [make() for make in chance.sample(makers, chance.randrange(4))]
    return members + (chance.sample(members, 1) if members and chance.random() < 0.02 else [])


def test_random_bodies_are_answered_and_written_as_by_python(
    proxy: Proxy, cluster: Cluster, path: str
) -> None:
    chance = random.Random(41)
    seen, native = len(proxy.seen), 0
    pairs: list[tuple[int, int]] = []
    for _ in range(400):
        records = ["{" + ",".join(record(chance)) + "}" for _ in range(chance.choice((1, 1, 2, 5)))]
        if is_batch := chance.random() < 0.3:
            names = [
                chance.choice((f"n{number}",) * 4 + ("a-_Z9", "ä", "")) for number in range(len(records))
            ]
            body = batch(list(zip(names, records, strict=True)))
        else:
            body = "".join(one + chance.choice(("", "\n", " ", "\r\n\t")) for one in records)
        if chance.random() < 0.05:
            at = chance.randrange(len(body))
            body = body[:at] + chance.choice(("", ",", "}", "1", "\\")) + body[at + 1 :]
        place = f"{path}:batch" if is_batch else path
        before = len(proxy.seen)
        here = proxy.ask("POST", place, body.encode())
        native += here.status < 300 and len(proxy.seen) == before
        there = proxy.ask("POST", f"{place}?by=python", body.encode())
        assert (here.status, here.headers["content-type"]) == (there.status, there.headers["content-type"])
        pairs += compared(replies_of(here), replies_of(there), body)
    assert 100 < native < 300
    assert len(proxy.seen) - seen > 400
    found = {one.offset: one for one in written(cluster, path, 1 + max(max(pair) for pair in pairs))}
    for one, other in ((found[here], found[there]) for here, there in pairs):
        assert (one.key, one.value, list(one.headers)) == (other.key, other.value, list(other.headers))


def replies_of(reply: Reply) -> list[dict[str, Any]]:
    """What is told of each record, of whatever body."""
    if reply.status == 207:
        return [*reply.body["successes"], *reply.body["failures"]]
    return [reply.body] if isinstance(reply.body, dict) else lines(reply)


def compared(here: list[dict[str, Any]], there: list[dict[str, Any]], body: str) -> list[tuple[int, int]]:
    """Offsets of records that were written in both ways."""
    pairs = []
    for one, other in zip(here, there, strict=True):
        assert (lasting(one), list(one)) == (lasting(other), list(other)), body
        if "offset" in one:
            pairs.append((one["offset"], other["offset"]))
    if '"timestamp":' in body and len(here) == 1 and pairs and '"timestamp":null' not in body:
        assert here[0]["timestamp"] == there[0]["timestamp"], body
    return pairs
