"""The Schema Registry and the REST Proxy beside the broker of `barnabas up`, under load over HTTP.

What stands beside their figures was measured in the same round: a constant reply, bare hyper, single
Produces, librdkafka.
"""

import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator

from bench import clients
from bench.brokers import Broker
from bench.load import ROOT, Figures, Load, LoadFailed, finish
from bench.process import memory_mib
from bench.schemas import records, request_body
from tests.support.oracle import free_port

CONNECTIONS = 64
REGISTRATIONS_PER_S = 100
REGISTERED = 1_000
"""Schemas that are asked for by id."""
OFFERED = 40_000
"""New schemas that are there to be registered; more than are registered in the time."""
RECORD_BYTES = 100
START_SECONDS_MAX = 5
MIB_MAX = 600
PATIENCE_SECONDS = 300

REGISTRY, REST = "schemas", "rest"


def http(load: Load, address: str, connections: int, seconds: float, **asked: object) -> Figures:
    """Requests on so many connections, one in flight on each."""
    return load.run("http", address, "", connections=connections, seconds=seconds, **asked)


def in_turns(measures: dict[str, Callable[[], Figures]]) -> Figures:
    """Each of them twice, there and back: what the machine does meanwhile comes to all alike. The means."""
    there = {name: measure() for name, measure in measures.items()}
    back = {name: measures[name]() for name in reversed(measures)}
    means = ({key: (there[name][key] + back[name][key]) / 2 for key in there[name]} for name in measures)
    found: Figures = {}
    for name, figures in zip(measures, means, strict=True):
        found |= named(name, figures)
    return found


def named(name: str, found: Figures) -> Figures:
    """Rate and latency under a name."""
    wanted = ("requests_per_s", "request_p50_ms", "request_p99_ms")
    return {f"{name}_{figure}": found[figure] for figure in wanted}


def ask(url: str, body: str | None = None) -> dict[str, object]:
    """What a service answers to one request."""
    data = None if body is None else body.encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        told: dict[str, object] = json.loads(answer.read())
        return told


def registry_of(broker: Broker) -> str:
    """The address of the registry, which has started."""
    address = broker.service(REGISTRY)
    ask(f"http://{address}/")
    return address


def rest_of(broker: Broker) -> str:
    """The address of the proxy, which has started."""
    address = broker.service(REST)
    ask(f"http://{address}/v3/clusters")
    return address


# ---- the stack


def constant(broker: Broker, seconds: float) -> Figures:
    """A reply that is given without Python, beside one that bare hyper gives."""
    registry = registry_of(broker)
    with _bare(broker.load) as bare:
        found = named("bare", http(broker.load, bare, CONNECTIONS, seconds))
    return found | named("constant", http(broker.load, registry, CONNECTIONS, seconds))


@contextlib.contextmanager
def _bare(load: Load) -> Iterator[str]:
    """The address of bare hyper."""
    process = load.begin("constant", type="application/vnd.schemaregistry.v1+json")
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


# ---- the registry


def schema_by_id(broker: Broker, seconds: float) -> Figures:
    """Schemas by id and by what they say, alone and while others are registered."""
    registry, name = registry_of(broker), f"by-id-{time.time_ns()}"
    asked = {"path": f"/subjects/{name}-{{n}}/versions", "body": request_body(name)}
    all_of_them = {"count": REGISTERED, "requests": REGISTERED}
    http(broker.load, registry, 1, PATIENCE_SECONDS, method="POST", **all_of_them, **asked)
    url = f"http://{registry}/subjects/{name}-1/versions"
    first = ask(url, str(asked["body"]).replace("{n}", "1"))["id"]
    by_id = {"path": "/schemas/ids/{n}", "first": first, "count": REGISTERED}
    lookup = {**asked, "path": f"/subjects/{name}-{{n}}", "method": "POST", "count": REGISTERED}
    for known in (by_id, lookup):  # Each once: from then on they are answered without Python.
        http(broker.load, registry, 1, PATIENCE_SECONDS, **known, requests=REGISTERED)
    figures = in_turns(
        {
            "constant": lambda: http(broker.load, registry, CONNECTIONS, seconds / 2),
            "by_id": lambda: http(broker.load, registry, CONNECTIONS, seconds / 2, **by_id),
            "lookup": lambda: http(broker.load, registry, CONNECTIONS, seconds / 2, **lookup),
        }
    )
    new = {
        "method": "POST",
        "path": f"/subjects/{name}-new-{{n}}/versions",
        "body": request_body(f"{name}_new"),
    }
    at_once = {"connections": 1, "rate": REGISTRATIONS_PER_S, "seconds": seconds, "count": OFFERED}
    registering = broker.load.begin("http", bootstrap=registry, **at_once, **new)
    figures |= named("beside", http(broker.load, registry, CONNECTIONS, seconds, **by_id))
    return figures | named("registrations", finish(registering))


def registering(broker: Broker, seconds: float) -> Figures:
    """New schemas, each in a subject of its own, beside Produces of one record; both on one connection."""
    registry, topic, name = registry_of(broker), broker.topic(), f"new-{time.time_ns()}"
    produce = {"kind": "produce", "connections": 1, "depth": 1, "seconds": seconds}
    figures = named("produce", broker.load.run("requests", broker.bootstrap, topic, **produce))
    for connections, title in ((1, "register"), (CONNECTIONS, "register_many")):
        new = {"path": f"/subjects/{title}-{name}-{{n}}/versions", "body": request_body(f"{title}-{name}")}
        asked = {"method": "POST", "count": OFFERED, **new}
        figures |= named(title, http(broker.load, registry, connections, seconds, **asked))
    broker.delete(topic)
    return figures


def avro_check() -> Figures:
    """A new version of a schema against ten, by our checker and by that of PyPI's avro."""
    command = [sys.executable, "-m", "bench.avro_check"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    if done.returncode:
        raise LoadFailed(f"avro: {done.stderr.strip().splitlines()[-1:]}")
    figures: Figures = json.loads(done.stdout)
    return figures


def many_schemas(broker: Broker, count: int) -> Figures:
    """A registry that starts with so many schemas of 2 KiB: until the last is answered, and its memory."""
    from confluent_kafka import Producer

    broker.format()
    broker.start()
    broker.create(["_schemas"], 1, {"cleanup.policy": "compact"})
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 50})
    for key, value in records(count):
        while True:
            try:
                producer.produce("_schemas", value, key)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()
    port = free_port()
    command = [sys.executable, "-m", "barnabas", "registry", "-b", broker.bootstrap, "--port", str(port)]
    begun = time.monotonic()
    process = subprocess.Popen([*command, "--alone"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _until_answered(f"http://127.0.0.1:{port}/schemas/ids/{count}", process)
        start_s = time.monotonic() - begun
        mib = memory_mib(process.pid)
    finally:
        process.kill()
        process.wait()
    broker.stop()
    return {"start_s": start_s, "start_s_max": START_SECONDS_MAX, "mib": mib, "mib_max": MIB_MAX}


def _until_answered(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Asks until there is somebody who answers; who has connected waits for as long as it takes."""
    while True:
        try:
            ask(url)
            return
        except (ConnectionError, urllib.error.URLError) as error:
            if isinstance(error, urllib.error.HTTPError) or process.poll() is not None:
                raise LoadFailed(f"the registry does not come up: {error}") from error
            time.sleep(0.01)


# ---- the proxy


def rest_produce(broker: Broker, seconds: float) -> Figures:
    """One record in each request, beside a constant reply of the proxy."""
    rest, topic = rest_of(broker), broker.topic()
    asked = {"method": "POST", "path": _records(topic), "body": _record(), "count": CONNECTIONS}
    http(broker.load, rest, 1, PATIENCE_SECONDS, **asked, requests=1)
    figures = named("constant", http(broker.load, rest, CONNECTIONS, seconds, path="/health"))
    figures |= named("produce", http(broker.load, rest, CONNECTIONS, seconds, **asked))
    broker.delete(topic)
    return figures


def rest_stream(broker: Broker, count: int) -> Figures:
    """Records over one connection while there are some, beside librdkafka with values of that size."""
    rest, topic = rest_of(broker), broker.topic()
    asked = {"path": _records(topic), "body": _record()}
    broker.load.run("http-stream", rest, "", records=count // 20, **asked)
    figures = broker.load.run("http-stream", rest, "", records=count, **asked)
    found = clients.run("produce", "confluent", broker.bootstrap, topic, 10 * count, RECORD_BYTES)
    broker.delete(topic)
    return {"rest_records_per_s": figures["records_per_s"], "confluent_records_per_s": found["records_per_s"]}


def _records(topic: str) -> str:
    return f"/v3/clusters/-/topics/{topic}/records"


def _record() -> str:
    # Quotes are part of the value.
    text = "ABCDEFGHIJ" * (RECORD_BYTES // 10)
    return json.dumps({"value": {"type": "JSON", "data": text[: RECORD_BYTES - 2]}})
