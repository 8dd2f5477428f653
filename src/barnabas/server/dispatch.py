"""From a request that Rust hands over to the handler that answers it.

`MODULES` is the one place that says which APIs Python answers; a handler's module is imported with the first
request for it, since start-up time counts.
"""

from __future__ import annotations

import asyncio
import logging
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING, Final, Literal

from barnabas.errors import KafkaError
from barnabas.protocol import ApiKey, ErrorCode
from barnabas.server.handlers.context import (
    DirectHandler,
    Handler,
    NodeContext,
    Respond,
    registered,
    registered_direct,
)

if TYPE_CHECKING:
    from barnabas._core import ColdRequest
    from barnabas.protocol.message import Message

logger = logging.getLogger(__name__)


class Outcome(Enum):
    """What became of a request that has no response here."""

    ELSEWHERE = "somebody else answers it"


ELSEWHERE: Final = Outcome.ELSEWHERE
"""What `answer` gives when somebody else answers the request."""

MODULES: dict[int, str] = {
    ApiKey.METADATA: "metadata",
    ApiKey.CREATE_TOPICS: "create_topics",
    ApiKey.DELETE_TOPICS: "delete_topics",
    ApiKey.CREATE_PARTITIONS: "create_partitions",
    ApiKey.DESCRIBE_CONFIGS: "describe_configs",
    ApiKey.ALTER_CONFIGS: "alter_configs",
    ApiKey.INCREMENTAL_ALTER_CONFIGS: "alter_configs",
    ApiKey.LIST_CONFIG_RESOURCES: "list_config_resources",
    ApiKey.ALTER_REPLICA_LOG_DIRS: "alter_replica_log_dirs",
    ApiKey.DESCRIBE_LOG_DIRS: "describe_log_dirs",
    ApiKey.ELECT_LEADERS: "elect_leaders",
    ApiKey.ALTER_PARTITION_REASSIGNMENTS: "reassignments",
    ApiKey.LIST_PARTITION_REASSIGNMENTS: "reassignments",
    ApiKey.DESCRIBE_CLUSTER: "describe_cluster",
    ApiKey.DESCRIBE_QUORUM: "describe_quorum",
    ApiKey.UPDATE_FEATURES: "update_features",
    ApiKey.UNREGISTER_BROKER: "unregister_broker",
    ApiKey.INIT_PRODUCER_ID: "init_producer_id",
    ApiKey.DESCRIBE_CLIENT_QUOTAS: "quotas",
    ApiKey.ALTER_CLIENT_QUOTAS: "quotas",
    ApiKey.DESCRIBE_USER_SCRAM_CREDENTIALS: "scram",
    ApiKey.ALTER_USER_SCRAM_CREDENTIALS: "scram",
    ApiKey.GET_TELEMETRY_SUBSCRIPTIONS: "telemetry",
    ApiKey.PUSH_TELEMETRY: "telemetry",
    ApiKey.LIST_GROUPS: "group_admin",
    ApiKey.DELETE_GROUPS: "group_admin",
    ApiKey.DESCRIBE_GROUPS: "group_admin",
    ApiKey.OFFSET_DELETE: "offset_delete",
    ApiKey.TXN_OFFSET_COMMIT: "txn_offset_commit",
    ApiKey.OFFSET_FETCH: "offset_fetch",
    ApiKey.OFFSET_COMMIT: "offset_commit",
    ApiKey.LEAVE_GROUP: "classic_groups",
    ApiKey.HEARTBEAT: "classic_groups",
    ApiKey.SYNC_GROUP: "classic_groups",
    ApiKey.JOIN_GROUP: "classic_groups",
    ApiKey.FIND_COORDINATOR: "find_coordinator",
    ApiKey.CONSUMER_GROUP_HEARTBEAT: "consumer_groups",
    ApiKey.CONSUMER_GROUP_DESCRIBE: "consumer_groups",
    ApiKey.SHARE_GROUP_HEARTBEAT: "share_groups",
    ApiKey.SHARE_GROUP_DESCRIBE: "share_groups",
    ApiKey.STREAMS_GROUP_HEARTBEAT: "streams_groups",
    ApiKey.STREAMS_GROUP_DESCRIBE: "streams_groups",
    ApiKey.STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE: "streams_groups",
    ApiKey.SHARE_FETCH: "share_fetch",
    ApiKey.SHARE_ACKNOWLEDGE: "share_fetch",
    ApiKey.DESCRIBE_SHARE_GROUP_OFFSETS: "share_group_offsets",
    ApiKey.ALTER_SHARE_GROUP_OFFSETS: "share_group_offsets",
    ApiKey.DELETE_SHARE_GROUP_OFFSETS: "share_group_offsets",
    ApiKey.INITIALIZE_SHARE_GROUP_STATE: "share_state",
    ApiKey.READ_SHARE_GROUP_STATE: "share_state",
    ApiKey.WRITE_SHARE_GROUP_STATE: "share_state",
    ApiKey.DELETE_SHARE_GROUP_STATE: "share_state",
    ApiKey.READ_SHARE_GROUP_STATE_SUMMARY: "share_state",
    ApiKey.ADD_PARTITIONS_TO_TXN: "transaction_partitions",
    ApiKey.ADD_OFFSETS_TO_TXN: "transaction_partitions",
    ApiKey.END_TXN: "end_txn",
    ApiKey.DESCRIBE_TRANSACTIONS: "show_transactions",
    ApiKey.LIST_TRANSACTIONS: "show_transactions",
    **dict.fromkeys(
        (
            ApiKey.SASL_HANDSHAKE,
            ApiKey.SASL_AUTHENTICATE,
            ApiKey.DESCRIBE_ACLS,
            ApiKey.CREATE_ACLS,
            ApiKey.DELETE_ACLS,
            ApiKey.CREATE_DELEGATION_TOKEN,
            ApiKey.RENEW_DELEGATION_TOKEN,
            ApiKey.EXPIRE_DELEGATION_TOKEN,
            ApiKey.DESCRIBE_DELEGATION_TOKEN,
        ),
        "security_disabled",
    ),
}
"""Module under `barnabas.server.handlers` for each API key."""


def handler_of(api_key: int) -> Handler:
    """The handler of an API; KeyError when Python doesn't answer it."""
    handler = registered(api_key)
    if handler is not None:
        return handler
    direct = direct_handler_of(api_key)
    if direct is not None:
        return _awaiting(direct)
    handler = registered(api_key)
    if handler is None:
        raise KeyError(api_key)
    return handler


def direct_handler_of(api_key: int) -> DirectHandler | None:
    """The plain function that answers an API; None where `handler_of` is to be asked."""
    handler = registered_direct(api_key)
    if handler is None and registered(api_key) is None:
        import_module(f"barnabas.server.handlers.{MODULES[api_key]}")
        handler = registered_direct(api_key)
    return handler


def _awaiting(direct: DirectHandler) -> Handler:
    """A direct handler in the shape of the others."""

    async def handler(node: NodeContext, request: ColdRequest) -> Message | None:
        future: asyncio.Future[Message | None] = asyncio.get_running_loop().create_future()
        direct(node, request, future.set_result)
        return await future

    return handler


def begin(node: NodeContext, request: ColdRequest, respond: Respond) -> bool:
    """Answers a request through `respond`, now or later, if its handler is direct; False when it is not."""
    try:
        handler = direct_handler_of(request.api_key)
        if handler is None:
            return False
        handler(node, request, respond)
    except Exception as error:
        respond(_failed(request, error))
    return True


async def answer(node: NodeContext, request: ColdRequest) -> Message | Literal[Outcome.ELSEWHERE] | None:
    """The response to one request; ELSEWHERE when somebody else gives it.

    A request that fails as a whole is answered with the error, and closes its connection (None) where the
    response has no place for one, as in Kafka.
    """
    try:
        response = await handler_of(request.api_key)(node, request)
    except Exception as error:
        return _failed(request, error)
    return ELSEWHERE if response is None else response


def _failed(request: ColdRequest, error: Exception) -> Message | None:
    """The supervisor of handlers: whatever is wrong with one request must not end the node."""
    from barnabas.server.handlers.failure import whole_error

    if isinstance(error, KafkaError):
        return whole_error(request, error)
    logger.error("request %s of api %s failed", request.id, request.api_key, exc_info=error)
    return whole_error(request, KafkaError.for_code(ErrorCode.UNKNOWN_SERVER_ERROR))
