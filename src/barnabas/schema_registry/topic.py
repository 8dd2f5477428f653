"""Makes `_schemas` where it is missing, and looks whether it can hold schemas where it is there."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from barnabas.clients.admin.client import Admin
from barnabas.clients.admin.configs import ConfigResource
from barnabas.clients.admin.topics import NewTopic
from barnabas.errors import TopicAlreadyExists, UnknownTopicOrPartition
from barnabas.schema_registry.storage import TOPIC, TopicUnusable

logger = logging.getLogger("barnabas.registry")

REPLICAS_WANTED = 3
"""Replicas of the topic, where there are as many brokers."""


def asking(configs: Mapping[str, Any]) -> Admin:
    """What `ensured` asks; closing it ends that at once. `configs`: of clients of the cluster."""
    return Admin({"client.id": "barnabas-registry", **configs})


def ensure(configs: Mapping[str, Any], topic: str = TOPIC) -> str:
    """As `ensured`, by a client of its own."""
    with asking(configs) as admin:
        return ensured(admin, topic)


def ensured(admin: Admin, topic: str = TOPIC) -> str:
    """Has the topic there: one partition, compacted. The id of the cluster. Raises BarnabasError."""
    cluster = admin.describe_cluster()
    try:
        _check(admin, topic)
    except UnknownTopicOrPartition:
        _create(admin, topic, min(REPLICAS_WANTED, len(cluster.nodes)))
    return cluster.cluster_id or ""


def _create(admin: Admin, topic: str, replicas: int) -> None:
    try:
        admin.create_topics(NewTopic(topic, 1, replicas, {"cleanup.policy": "compact"}))
        logger.info("topic %s was created", topic)
    except TopicAlreadyExists:
        _check(admin, topic)  # Another instance was quicker.


def _check(admin: Admin, topic: str) -> None:
    partitions = len(admin.describe_topics(topic)[topic].partitions)
    if partitions != 1:
        raise TopicUnusable(f"topic {topic} has {partitions} partitions, and must have one")
    resource = ConfigResource.topic(topic)
    policy = admin.describe_configs(resource)[resource]["cleanup.policy"].value
    if policy != "compact":
        raise TopicUnusable(
            f"topic {topic} has cleanup.policy={policy}, with which records get lost: it must be compact"
        )
