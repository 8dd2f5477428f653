"""Requests of all kinds over connections that are opened, dropped, left half way, or stay idle."""

import random
from collections import deque

from barnabas.protocol.generated.api_versions_request import ApiVersionsRequest
from barnabas.protocol.generated.consumer_group_heartbeat_request import ConsumerGroupHeartbeatRequest
from barnabas.protocol.generated.describe_cluster_request import DescribeClusterRequest
from barnabas.protocol.generated.list_groups_request import ListGroupsRequest
from barnabas.protocol.generated.metadata_request import MetadataRequest
from tests.soak.load import Load
from tests.support.wire import Connection

IDLE_MAX = 20


class Requests(Load):
    """Each step opens one connection."""

    pause = 0.25

    def __init__(self, bootstrap: str, chance: random.Random, topic: str) -> None:
        super().__init__(bootstrap)
        self._chance, self._topic = chance, topic
        self._idle: deque[Connection] = deque()

    def step(self) -> None:
        connection = Connection(self.bootstrap)
        self._chance.choice((self._ask, self._ask, self._leave_half_way, self._vanish))(connection)
        self._idle.append(connection)
        if len(self._idle) > IDLE_MAX:
            self._idle.popleft().socket.close()
        self.done += 1

    def _ask(self, connection: Connection) -> None:
        assert connection.request(ApiVersionsRequest("soak", "1"), 3).error_code == 0
        assert connection.request(MetadataRequest(topics=None), 12).brokers
        assert connection.request(ListGroupsRequest(), 4).error_code == 0
        assert connection.request(DescribeClusterRequest(), 1).error_code == 0

    def _leave_half_way(self, connection: Connection) -> None:
        connection.socket.sendall(b"\0\0\1\0" + bytes(self._chance.randrange(200)))
        connection.socket.close()

    def _vanish(self, connection: Connection) -> None:
        """A member that joins a group of its own and is never heard of again."""
        group = f"vanished-{self.done}"
        joined = ConsumerGroupHeartbeatRequest(
            group_id=group,
            member_id=f"member-{self.done}",
            member_epoch=0,
            rebalance_timeout_ms=10_000,
            subscribed_topic_names=[self._topic],
            topic_partitions=[],
        )
        assert connection.request(joined, 1).error_code == 0
        connection.socket.close()

    def finish(self) -> None:
        for connection in self._idle:
            connection.socket.close()

    def __str__(self) -> str:
        return "requests"
