"""The next request of a random sequence."""

from __future__ import annotations

from collections.abc import Callable

from barnabas.protocol import ApiKey, Message
from tests.conformance.differential import (
    generate_cluster as cluster,
)
from tests.conformance.differential import (
    generate_configs as configs,
)
from tests.conformance.differential import (
    generate_records as records,
)
from tests.conformance.differential import (
    generate_topics as topics,
)
from tests.conformance.differential.world import Step, World

Make = Callable[[World, int], Message]

REQUESTS: dict[ApiKey, tuple[int, Make]] = {
    ApiKey.PRODUCE: (24, records.produce),
    ApiKey.FETCH: (20, records.fetch),
    ApiKey.LIST_OFFSETS: (8, records.list_offsets),
    ApiKey.DELETE_RECORDS: (4, records.delete_records),
    ApiKey.OFFSET_FOR_LEADER_EPOCH: (4, records.leader_epoch),
    ApiKey.INIT_PRODUCER_ID: (4, records.init_producer_id),
    ApiKey.DESCRIBE_PRODUCERS: (4, records.describe_producers),
    ApiKey.METADATA: (6, topics.metadata),
    ApiKey.CREATE_TOPICS: (7, topics.create_topics),
    ApiKey.DELETE_TOPICS: (2, topics.delete_topics),
    ApiKey.CREATE_PARTITIONS: (3, topics.create_partitions),
    ApiKey.DESCRIBE_TOPIC_PARTITIONS: (3, topics.describe_topic_partitions),
    ApiKey.ELECT_LEADERS: (2, topics.elect_leaders),
    ApiKey.ALTER_PARTITION_REASSIGNMENTS: (2, topics.reassign),
    ApiKey.LIST_PARTITION_REASSIGNMENTS: (1, topics.list_reassignments),
    ApiKey.DESCRIBE_CONFIGS: (4, configs.describe_configs),
    ApiKey.ALTER_CONFIGS: (3, configs.alter_configs),
    ApiKey.INCREMENTAL_ALTER_CONFIGS: (5, configs.incremental_alter_configs),
    ApiKey.LIST_CONFIG_RESOURCES: (1, configs.list_config_resources),
    ApiKey.API_VERSIONS: (2, cluster.api_versions),
    ApiKey.DESCRIBE_CLUSTER: (1, cluster.describe_cluster),
    ApiKey.DESCRIBE_LOG_DIRS: (2, cluster.describe_log_dirs),
    ApiKey.ALTER_REPLICA_LOG_DIRS: (1, cluster.alter_replica_log_dirs),
    ApiKey.DESCRIBE_QUORUM: (1, cluster.describe_quorum),
    ApiKey.UPDATE_FEATURES: (1, cluster.update_features),
    ApiKey.UNREGISTER_BROKER: (1, cluster.unregister_broker),
    ApiKey.SASL_HANDSHAKE: (1, cluster.sasl_handshake),
    ApiKey.GET_TELEMETRY_SUBSCRIPTIONS: (1, cluster.get_telemetry),
    ApiKey.PUSH_TELEMETRY: (1, cluster.push_telemetry),
}
"""Weight and maker of each API's requests.

The APIs of groups and transactions are absent: the real Kafka would answer them with a coordinator.
"""

DAMAGE_CHANCE = 0.015


def next_step(world: World) -> Step:
    keys = list(REQUESTS)
    (key,) = world.chance.choices(keys, [REQUESTS[key][0] for key in keys])
    if len(world.topics) < 3 and world.often(0.5):
        key = ApiKey.CREATE_TOPICS
    lowest, highest = world.versions[key]
    version = highest if world.often(0.3) else world.chance.randint(lowest, highest)
    step = Step(REQUESTS[key][1](world, version), version)
    if world.often(DAMAGE_CHANCE):
        step.damage = world.pick("cut", "trailing", "version")
    return step
