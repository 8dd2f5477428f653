"""Everything that can be read from a cluster without changing it."""

from __future__ import annotations

from typing import Any

from barnabas.protocol.generated import (
    describe_configs_request as describe_,
)
from barnabas.protocol.generated import (
    describe_log_dirs_request as log_dirs_,
)
from barnabas.protocol.generated import (
    fetch_request as fetch_,
)
from barnabas.protocol.generated import (
    list_offsets_request as list_offsets_,
)
from barnabas.protocol.generated.list_config_resources_request import ListConfigResourcesRequest
from tests.conformance.differential.cluster import Cluster
from tests.conformance.differential.normalise import normalise
from tests.conformance.differential.read_batches import read_batches
from tests.conformance.differential.symbols import PRODUCER

TOPIC = 2
KINDS = (4, 16, 32)
LATEST, EARLIEST, MAX_TIMESTAMP, EARLIEST_LOCAL = -1, -2, -3, -4
BYTES_MAX = 50 << 20


def state(cluster: Cluster) -> dict[str, Any]:
    """Topics, configs, offsets and all records of a cluster."""
    metadata = cluster.metadata()
    topics = {topic.name: len(topic.partitions) for topic in metadata.topics}
    names = sorted(topics)
    offsets = {
        f"{special}": _offsets(cluster, topics, special)
        for special in (LATEST, EARLIEST, MAX_TIMESTAMP, EARLIEST_LOCAL)
    }
    return {
        "metadata": normalise(metadata, cluster.symbols),
        "configs": _configs(cluster, [(TOPIC, name) for name in names]),
        "other configs": _other_configs(cluster),
        "offsets": offsets,
        "sizes": normalise(cluster.control.call(log_dirs_.DescribeLogDirsRequest(None), 4), cluster.symbols),
        "records": {
            f"{name}-{index}": _records(cluster, name, index)
            for name in names
            for index in range(topics[name])
        },
    }


def _configs(cluster: Cluster, resources: list[tuple[int, str]]) -> Any:
    asked = [describe_.DescribeConfigsResource(kind, name, None) for kind, name in resources]
    return normalise(cluster.control.call(describe_.DescribeConfigsRequest(asked, True), 4), cluster.symbols)


def _other_configs(cluster: Cluster) -> Any:
    """What is set for brokers, groups and client metrics."""
    resources = cluster.control.call(ListConfigResourcesRequest(KINDS), 1).config_resources
    named = sorted((item.resource_type, item.resource_name) for item in resources)
    found = _configs(cluster, [(4, ""), *named])
    for result in found["results"]:
        # A broker's other configs are of its own: directories, ports, what its release knows.
        result["configs"] = [
            config for config in result["configs"] if config["config_source"] in (1, 2, 3, 7, 8)
        ]
        for config in result["configs"]:
            config["synonyms"] = [
                synonym for synonym in config["synonyms"] if synonym["source"] in (1, 2, 3, 7, 8)
            ]
    return found


def _offsets(cluster: Cluster, topics: dict[str, int], special: int) -> Any:
    asked = [
        list_offsets_.ListOffsetsTopic(
            name, [list_offsets_.ListOffsetsPartition(index, -1, special) for index in range(count)]
        )
        for name, count in topics.items()
    ]
    found = normalise(
        cluster.control.call(list_offsets_.ListOffsetsRequest(-1, 0, asked), 8), cluster.symbols
    )
    if special == MAX_TIMESTAMP:  # may be the time of an append
        for topic in found["topics"]:
            for partition in topic["partitions"]:
                partition.pop("timestamp")
    return found


def _records(cluster: Cluster, name: str, index: int) -> Any:
    """All batches of a partition from its start."""
    offset = _offsets(cluster, {name: index + 1}, EARLIEST)["topics"][0]["partitions"][index]["offset"]
    batches: list[Any] = []
    while True:
        partition = fetch_.FetchPartition(index, fetch_offset=offset, partition_max_bytes=BYTES_MAX)
        request = fetch_.FetchRequest(
            max_bytes=BYTES_MAX, topics=[fetch_.FetchTopic(name, partitions=[partition])]
        )
        found = cluster.control.call(request, 12).responses[0].partitions[0]
        assert found.error_code == 0, (name, index, offset, found)
        read = read_batches(found.records, lambda producer: cluster.symbols.shown(PRODUCER, producer))
        if not read:
            return batches
        batches += read
        offset = batches[-1]["base_offset"] + batches[-1]["last_offset_delta"] + 1
