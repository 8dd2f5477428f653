"""What brokers want to know of this client (KIP-714)."""

from __future__ import annotations

from barnabas._core import Uuid
from barnabas.clients.operation import Operations, operation
from barnabas.clients.plan import Plan, ask
from barnabas.protocol.generated.get_telemetry_subscriptions_request import GetTelemetrySubscriptionsRequest
from barnabas.protocol.generated.get_telemetry_subscriptions_response import (
    GetTelemetrySubscriptionsResponse,
)


class Telemetry(Operations):
    """The client as brokers know it."""

    @operation
    def client_instance_id(self) -> Plan[Uuid]:
        """A new id under which a broker would know this client's metrics. This client pushes none."""
        answer = yield from ask(GetTelemetrySubscriptionsRequest(), GetTelemetrySubscriptionsResponse)
        return answer.client_instance_id
