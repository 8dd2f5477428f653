"""Consumer instances: how many there may be, and how long."""

from __future__ import annotations

import pytest

from barnabas.http.errors import HttpError
from barnabas.rest.cluster import Cluster, Counts
from barnabas.rest.v2.instances import IDLE_SECONDS_MAX, INSTANCES_MAX, Instance, Instances


def instance(name: str) -> Instance:
    return Instance("group", name, "binary", {}, commits_itself=True, request_timeout_ms=1000, bytes_min=0)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster({"bootstrap.servers": "127.0.0.1:1"}, None)


async def test_instances_that_nobody_asks_expire_without_ever_having_connected(cluster: Cluster) -> None:
    instances = Instances(cluster)
    for number in range(INSTANCES_MAX):
        instances.add(instance(str(number)))
    with pytest.raises(HttpError) as refused:
        instances.add(instance("one too many"))
    assert refused.value.status == 429
    assert "Retry-After" in refused.value.headers
    asked = instances.find("group", "7")
    later = asked.asked_at + IDLE_SECONDS_MAX
    expired = instances.expired(later)
    assert asked not in expired
    assert asked in instances.expired(later + 1)
    for one in instances.expired(later + 1):
        await instances.remove(one)
    instances.add(instance("7"))
    await instances.close()


async def test_an_instance_in_use_does_not_expire(cluster: Cluster) -> None:
    instances = Instances(cluster)
    one = instance("one")
    instances.add(one)
    async with one.lock:
        assert instances.expired(one.asked_at + 10 * IDLE_SECONDS_MAX) == []
    assert instances.expired(one.asked_at + 10 * IDLE_SECONDS_MAX) == [one]
    await instances.close()


async def test_names_are_taken_once_and_free_again(cluster: Cluster) -> None:
    instances = Instances(cluster)
    one = instance("one")
    instances.add(one)
    with pytest.raises(HttpError) as refused:
        instances.add(instance("one"))
    assert (refused.value.status, refused.value.code) == (409, 40902)
    await instances.remove(one)
    with pytest.raises(HttpError) as unknown:
        instances.find("group", "one")
    assert (unknown.value.status, unknown.value.code) == (404, 40403)
    instances.add(instance("one"))
    await instances.close()


async def test_the_principals_of_a_cluster_share_the_room_for_instances() -> None:
    counts = Counts()
    some, others = (Instances(Cluster({"bootstrap.servers": "127.0.0.1:1"}, None, counts)) for _ in range(2))
    for number in range(INSTANCES_MAX):
        some.add(instance(str(number)))
    with pytest.raises(HttpError) as refused:
        others.add(instance("one too many"))
    assert refused.value.status == 429
    await some.close()
    assert (counts.instances, counts.connected) == (0, 0)
    others.add(instance("one"))
    await others.close()


async def test_a_connection_is_counted_until_its_instance_goes(cluster: Cluster) -> None:
    instances = Instances(cluster)
    one = instance("one")
    one.configs = {"group.id": "group"}
    instances.add(one)
    assert instances.connect(one) is instances.connect(one)
    assert (cluster.counts.instances, cluster.counts.connected) == (1, 1)
    await instances.remove(one)
    await instances.remove(one)
    assert (cluster.counts.instances, cluster.counts.connected) == (0, 0)
    await instances.close()
