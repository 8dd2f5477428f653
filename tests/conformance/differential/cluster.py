"""One of the two clusters: sends steps to it, reads its state, waits until it has settled, empties it."""

from __future__ import annotations

import time
from typing import Any

from barnabas import _core
from barnabas.protocol import ApiKey, ErrorCode
from barnabas.protocol.generated import (
    alter_configs_request as alter_,
)
from barnabas.protocol.generated import (
    list_offsets_request as list_offsets_,
)
from barnabas.protocol.generated.api_versions_request import ApiVersionsRequest
from barnabas.protocol.generated.delete_topics_request import DeleteTopicsRequest, DeleteTopicState
from barnabas.protocol.generated.describe_log_dirs_request import DescribeLogDirsRequest
from barnabas.protocol.generated.describe_quorum_request import (
    DescribeQuorumRequest,
    PartitionData,
    TopicData,
)
from barnabas.protocol.generated.list_config_resources_request import ListConfigResourcesRequest
from barnabas.protocol.generated.metadata_request import MetadataRequest
from tests.conformance.differential.normalise import normalise
from tests.conformance.differential.symbols import DIRECTORY, Symbols
from tests.conformance.differential.wire import Closed, Connection, Silent, read_response
from tests.conformance.differential.world import Step

SETTLE_SECONDS_MAX = 10
POLL_SECONDS = 0.003
NOBODY_HAS_VERSION = 200


class Unsettled(Exception):
    """A node does not act on its metadata."""


class Cluster:
    """One node at `address`."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.connection = Connection(address)
        self.control = Connection(address)
        """For questions of the test itself: never closed by a bad request."""
        log_dirs = self.control.call(DescribeLogDirsRequest(None), 4)
        self.directory = str(log_dirs.results[0].log_dir)
        self.symbols = self.fresh_symbols()

    def fresh_symbols(self, salt: bytes = b"") -> Symbols:
        symbols = Symbols(salt)
        symbols.learn(DIRECTORY, "", self.directory)
        return symbols

    def close(self) -> None:
        self.connection.close()
        self.control.close()

    # ---- one step -------------------------------------------------------------------------------------

    def ask(self, step: Step) -> tuple[Any, Any]:
        """What the cluster answers, normalised and as it came; the latter is None when nothing came."""
        while True:
            found, response = self.ask_once(step)
            # The real Kafka fetches its block of producer ids when the first is asked for.
            if getattr(response, "error_code", 0) != ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
                return found, response
            time.sleep(POLL_SECONDS)

    def ask_once(self, step: Step) -> tuple[Any, Any]:
        message = self.symbols.resolve(step.message)
        body = _core.encode(message, step.version)
        version, flexible = step.version, step.version >= message.LOWEST_FLEXIBLE_VERSION
        match step.damage:
            case "cut":
                body = body[:-1]
            case "trailing":
                body += b"\1\2\3"
            case "version":
                version, flexible = NOBODY_HAS_VERSION, step.api_key == ApiKey.API_VERSIONS
        try:
            self.connection.send(step.api_key, version, body, flexible=flexible)
            if step.api_key == ApiKey.PRODUCE and getattr(message, "acks", -1) == 0 and not step.damage:
                # Nothing is answered: what is told is whether the connection lives.
                self.connection.ask(ApiKey.API_VERSIONS, 0, b"", flexible=False)
                return "no response", None
            response = read_response(step.api_key, version, self.connection.receive())
        except Closed:
            return "connection closed", None
        except Silent:
            return "silence", None
        except ValueError as error:
            return f"not a response of this version: {error}", None
        self.symbols.learn_from(response)
        return normalise(response, self.symbols), response

    # ---- settling -------------------------------------------------------------------------------------

    def settle(self) -> dict[str, int]:
        """Waits until the node acts on all metadata that is committed; the partitions of each topic."""
        deadline = time.monotonic() + SETTLE_SECONDS_MAX
        quorum = self.control.call(
            DescribeQuorumRequest([TopicData("__cluster_metadata", [PartitionData(0)])]), 0
        )
        committed = quorum.topics[0].partitions[0].high_watermark
        while (
            self.control.call(ApiVersionsRequest("settle", "1"), 3).finalized_features_epoch < committed - 1
        ):
            if time.monotonic() > deadline:
                raise Unsettled(f"{self.name} does not apply metadata up to {committed}")
            time.sleep(POLL_SECONDS)
        while True:
            topics = self.topics()
            if all(code == 0 for code in self.partition_codes(topics)):
                return topics
            if time.monotonic() > deadline:
                raise Unsettled(f"{self.name} does not lead all partitions of {topics}")
            time.sleep(POLL_SECONDS)

    def metadata(self) -> Any:
        """All topics, as the broker tells clients."""
        request = MetadataRequest(None, False)
        response = self.control.call(request, 12)
        self.symbols.learn_from(response)
        return response

    def topics(self) -> dict[str, int]:
        return {topic.name: len(topic.partitions) for topic in self.metadata().topics}

    def partition_codes(self, topics: dict[str, int]) -> list[int]:
        """The error code of each partition, asked for its end."""
        asked = [
            list_offsets_.ListOffsetsTopic(
                name, [list_offsets_.ListOffsetsPartition(index, -1, -1) for index in range(count)]
            )
            for name, count in topics.items()
        ]
        response = self.control.call(list_offsets_.ListOffsetsRequest(-1, 0, asked), 7)
        return [partition.error_code for topic in response.topics for partition in topic.partitions]

    # ---- emptying -------------------------------------------------------------------------------------

    def empty(self, salt: bytes) -> None:
        """Deletes all topics and dynamic configs; forgets what things are called."""
        names = [topic.name for topic in self.metadata().topics]
        states = [DeleteTopicState(name) for name in names]
        self.control.call(DeleteTopicsRequest(states, timeout_ms=10_000), 6)
        kinds = (4, 16, 32)
        resources = [
            alter_.AlterConfigsResource(resource.resource_type, resource.resource_name)
            for resource in self.control.call(ListConfigResourcesRequest(kinds), 1).config_resources
        ]
        # This one can't be taken away while replicas may be elected by it (KIP-966).
        kept = [alter_.AlterableConfig("min.insync.replicas", "1")]
        resources.append(alter_.AlterConfigsResource(4, "", kept))
        for result in self.control.call(alter_.AlterConfigsRequest(resources), 2).responses:
            assert result.error_code == 0, result
        self.settle()
        self.connection.close()
        self.symbols = self.fresh_symbols(salt)
