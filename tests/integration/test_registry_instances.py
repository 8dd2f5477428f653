"""Several instances of the Schema Registry for one cluster: on barnabas, and on Apache Kafka."""

from __future__ import annotations

import http.client
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.oracle import apache_kafka, free_port
from tests.support.registry import RegistryProcess
from tests.support.server import BarnabasUp, cluster_under_test

INSTANCES = 3
REGISTRATIONS = 1_000
WORKERS = 8
SECONDS_MAX = 120
"""How long anything may take that has to come about."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with cluster_under_test("--memory", "--without", "registry") as bootstrap:
        yield bootstrap


@contextmanager
def running(bootstrap: str, directory: Path) -> Iterator[list[RegistryProcess]]:
    processes = [RegistryProcess(bootstrap, directory / f"log{index}") for index in range(INSTANCES)]
    try:
        for process in processes:
            process.start()
        yield processes
        # Each gives its place up at once; the next test need not wait until its session has ended.
        for process in processes:
            assert process.process is None or process.stop() == 0
    finally:
        for process in processes:
            process.kill()


@pytest.fixture
def instances(cluster: str, tmp_path: Path) -> Iterator[list[RegistryProcess]]:
    with running(cluster, tmp_path) as processes:
        yield processes


def primary_of(instances: list[RegistryProcess]) -> RegistryProcess:
    """The instance that all of these agree is the primary."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        told = {instance.ask("GET", "/health").body.get("primary") for instance in instances}
        found = [instance for instance in instances if {instance.url} == told]
        if found:
            return found[0]
    raise AssertionError("no primary has been elected")


def registered(instances: list[RegistryProcess], subject: str, text: str) -> int:
    """Registers with any of the instances, as often as it takes; the id."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        for instance in instances:
            try:
                reply = instance.ask("POST", f"/subjects/{subject}/versions", {"schema": text})
            except (OSError, http.client.HTTPException):
                continue  # It has been killed.
            if reply.status == 200:
                id_: int = reply.body["id"]
                return id_
            assert reply.status >= 500, reply
    raise AssertionError(f"{subject} could not be registered")


def test_any_instance_takes_writes_and_knows_them_at_once(instances: list[RegistryProcess]) -> None:
    subject = uuid.uuid4().hex
    primary = primary_of(instances)
    follower = next(instance for instance in instances if instance is not primary)
    path = f"/subjects/{subject}"
    assert follower.ask("PUT", f"/config/{subject}", {"compatibility": "NONE"}).status == 200
    assert follower.ask("GET", f"/config/{subject}").body == {"compatibilityLevel": "NONE"}
    text = f'{{"type":"fixed","name":"F{subject}","size":1}}'
    reply = follower.ask("POST", f"{path}/versions", {"schema": text})
    assert (reply.status, reply.body["version"]) == (200, 1)
    assert follower.ask("GET", f"{path}/versions/latest").body["schema"] == text
    refused = follower.ask("POST", f"{path}/versions", {"schema": "nonsense"})
    assert (refused.status, refused.body["error_code"]) == (422, 42201)
    assert follower.ask("DELETE", f"{path}/versions/1").body == 1
    assert follower.ask("DELETE", f"{path}?permanent=true").body == [1]
    refused = follower.ask("DELETE", path)
    assert (refused.status, refused.body["error_code"]) == (404, 40401)


def test_another_takes_over_at_once_when_the_primary_is_stopped(instances: list[RegistryProcess]) -> None:
    primary = primary_of(instances)
    assert primary.stop() == 0
    left = [instance for instance in instances if instance is not primary]
    subject = uuid.uuid4().hex
    assert registered(left, subject, f'{{"type":"fixed","name":"F{subject}","size":1}}') > 0
    assert primary_of(left) in left


def test_no_id_is_lost_or_given_twice_when_the_primary_is_killed(instances: list[RegistryProcess]) -> None:
    kill_the_primary(instances)


@pytest.mark.oracle
def test_nor_on_apache_kafka(tmp_path: Path) -> None:
    with apache_kafka() as kafka, running(kafka.bootstrap, tmp_path) as instances:
        kill_the_primary(instances)


def kill_the_primary(instances: list[RegistryProcess]) -> None:
    """During registrations with all instances; then asks the others for all of them."""
    run = uuid.uuid4().hex
    texts = {
        f"{run}-{number}": f'{{"type":"fixed","name":"F{run}_{number}","size":1}}'
        for number in range(REGISTRATIONS)
    }
    subjects, answered = iter(texts), dict[str, int]()
    primary, lock, killing = primary_of(instances), threading.Lock(), threading.Lock()

    def work(first: int) -> None:
        order = instances[first:] + instances[:first]
        while True:
            with lock:
                subject = next(subjects, None)
            if subject is None:
                return
            answered[subject] = registered(order, subject, texts[subject])
            # The others are in the midst of theirs.
            if len(answered) > REGISTRATIONS // 3 and killing.acquire(blocking=False):
                primary.kill()

    workers = [threading.Thread(target=work, args=(number % INSTANCES,)) for number in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert killing.locked()
    left = [instance for instance in instances if instance is not primary]
    assert primary_of(left) in left
    assert len(answered) == len(set(answered.values())) == REGISTRATIONS
    for instance in left:
        # What was registered with the other has been read a moment later.
        deadline = time.monotonic() + SECONDS_MAX
        while len(instance.ask("GET", f"/subjects?subjectPrefix={run}").body) < REGISTRATIONS:
            assert time.monotonic() < deadline
        listed = instance.ask("GET", f"/schemas?subjectPrefix={run}").body
        assert {each["subject"]: (each["id"], each["version"], each["schema"]) for each in listed} == {
            subject: (answered[subject], 1, text) for subject, text in texts.items()
        }


def test_the_registry_beside_a_broker_takes_part_when_it_is_told_to(tmp_path: Path) -> None:
    registry_port = free_port()
    arguments = (
        "--memory",
        "--without",
        "rest",
        "--registry-election",
        "--registry-port",
        f"{registry_port}",
    )
    up = BarnabasUp(tmp_path / "data", arguments)
    beside = RegistryProcess(up.bootstrap, tmp_path / "beside")  # As it is reached; `up` runs it.
    beside.url = f"http://127.0.0.1:{registry_port}"
    other = RegistryProcess(up.bootstrap, tmp_path / "other", "--not-eligible")
    try:
        up.start()
        other.start()
        assert primary_of([beside, other]) is beside
        subject = uuid.uuid4().hex
        text = f'{{"type":"fixed","name":"F{subject}","size":1}}'
        assert registered([other], subject, text) == registered([beside], subject, text)
        assert other.stop() == 0
        assert up.stop() == 0
    finally:
        other.kill()
        up.kill()
