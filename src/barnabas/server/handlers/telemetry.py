"""GetTelemetrySubscriptions and PushTelemetry (KIP-714): the edge of `client_telemetry`."""

from __future__ import annotations

from typing import cast

from barnabas import _core
from barnabas._core import ColdRequest, Uuid
from barnabas.config.resolve import client_metrics_value
from barnabas.controller.configs import CLIENT_METRICS
from barnabas.errors import KafkaError
from barnabas.protocol import ApiKey, ErrorCode
from barnabas.protocol.generated.get_telemetry_subscriptions_request import GetTelemetrySubscriptionsRequest
from barnabas.protocol.generated.get_telemetry_subscriptions_response import GetTelemetrySubscriptionsResponse
from barnabas.protocol.generated.push_telemetry_request import PushTelemetryRequest
from barnabas.protocol.generated.push_telemetry_response import PushTelemetryResponse
from barnabas.server.client_telemetry import ACCEPTED_CODECS, Client, ClientTelemetry, Subscription
from barnabas.server.handlers.context import NodeContext, PerNode, body, handles

MAX_BYTES = "telemetry.max.bytes"

_TELEMETRY = PerNode(lambda node: ClientTelemetry(bytes_max=node.settings.get_int(MAX_BYTES)))


@handles(ApiKey.GET_TELEMETRY_SUBSCRIPTIONS)
async def get_telemetry_subscriptions(
    node: NodeContext, request: ColdRequest
) -> GetTelemetrySubscriptionsResponse:
    """Which metrics the client shall push, and how often."""
    asked = body(request, GetTelemetrySubscriptionsRequest)
    telemetry = _TELEMETRY.of(node)
    client_id = asked.client_instance_id or Uuid.random()
    try:
        wanted = telemetry.subscribe(_client(request, client_id), _subscriptions(node), node.now())
    except KafkaError as error:
        return GetTelemetrySubscriptionsResponse(error_code=error.error_code)
    return GetTelemetrySubscriptionsResponse(
        client_instance_id=client_id,
        subscription_id=wanted.subscription_id,
        accepted_compression_types=ACCEPTED_CODECS,
        push_interval_ms=wanted.push_interval_ms,
        telemetry_max_bytes=telemetry.bytes_max,
        delta_temporality=True,
        requested_metrics=wanted.metrics,
    )


@handles(ApiKey.PUSH_TELEMETRY)
async def push_telemetry(node: NodeContext, request: ColdRequest) -> PushTelemetryResponse:
    """Takes a client's metrics. Nothing reads them yet, so they are checked and dropped."""
    asked = body(request, PushTelemetryRequest)
    telemetry = _TELEMETRY.of(node)
    client = _client(request, asked.client_instance_id)
    try:
        telemetry.push(
            client,
            _subscriptions(node),
            node.now(),
            subscription_id=asked.subscription_id,
            codec=asked.compression_type,
            size=len(asked.metrics),
            terminating=asked.terminating,
        )
        _unpack(asked, telemetry.bytes_max)
    except KafkaError as error:
        return PushTelemetryResponse(error_code=error.error_code)
    return PushTelemetryResponse()


def _unpack(asked: PushTelemetryRequest, bytes_max: int) -> bytes:
    if not asked.metrics or not asked.compression_type:
        return asked.metrics
    try:
        return _core.decompress(asked.compression_type, asked.metrics, bytes_max)
    except ValueError as error:
        raise KafkaError.for_code(
            ErrorCode.INVALID_RECORD, f"The metrics can't be unpacked: {error}"
        ) from error


def _client(request: ColdRequest, instance_id: Uuid) -> Client:
    host, _, port = request.client_address.rpartition(":")
    return Client(
        instance_id=instance_id,
        client_id=request.client_id or "",
        source_address=host.strip("[]"),  # as IPv6 has them beside a port
        source_port=port,
    )


def _subscriptions(node: NodeContext) -> list[Subscription]:
    image = node.image()
    found = []
    for kind, name in image.config_resources():
        if kind == CLIENT_METRICS:
            overrides = image.config(kind, name)
            found.append(
                Subscription(
                    metrics=cast("tuple[str, ...]", client_metrics_value(overrides, "metrics") or ()),
                    interval_ms=cast(int, client_metrics_value(overrides, "interval.ms")),
                    match=cast("tuple[str, ...]", client_metrics_value(overrides, "match") or ()),
                )
            )
    return found
