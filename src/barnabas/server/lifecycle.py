"""What a node does between opening its directories and serving: it becomes the active controller, gives a new
cluster its first records, registers itself as controller and broker, and puts the broker into service.

Today controller and broker are one process, so what other brokers send over the wire (BrokerRegistration,
BrokerHeartbeat) is decided here by the same functions, directly.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, cast

from barnabas._core import Uuid
from barnabas.controller import brokers, controllers
from barnabas.controller.decision import ControllerState
from barnabas.controller.feature_levels import SUPPORTED
from barnabas.errors import KafkaError
from barnabas.protocol.generated import broker_registration_request
from barnabas.protocol.generated.broker_registration_request import BrokerRegistrationRequest
from barnabas.server.errors import StartError
from barnabas.server.native import reachable_host

if TYPE_CHECKING:
    from barnabas import _core
    from barnabas.config.listeners import Listener
    from barnabas.config.settings import BrokerSettings

SECURITY_PROTOCOLS = {"PLAINTEXT": 0, "SSL": 1, "SASL_PLAINTEXT": 2, "SASL_SSL": 3}
COMMIT_MS_MAX = 30_000


def controller_state(settings: BrokerSettings, native: _core.Node) -> ControllerState:
    """What a decision of the controller is made from, as of now."""
    return ControllerState(
        image=native.head(),
        node_id=settings.node_id,
        cluster_id=native.cluster_id,
        settings=settings,
        new_id=Uuid.random,
        chance=random.randrange,
    )


def activate(settings: BrokerSettings, native: _core.Node, addresses: Sequence[tuple[str, str, int]]) -> None:
    """Makes the node controller and broker of its cluster. `addresses`: bound listeners, with real ports."""
    incarnation = Uuid.random()
    controller_listeners = _told(settings.advertised_controller_listeners, addresses)
    native.propose([controllers.register_controller(settings.node_id, incarnation, controller_listeners)])
    epoch = _register_broker(settings, native, incarnation, addresses)
    # One wait for all three: each decision sees the head, and each commit costs a sync of the disk.
    last_offset = native.propose(brokers.unfence(controller_state(settings, native), settings.node_id))
    if not native.wait_committed(last_offset, COMMIT_MS_MAX):
        raise StartError(
            f"The metadata log took no records within {COMMIT_MS_MAX // 1000} s: is the disk stuck?"
        )
    native.set_broker_epoch(epoch)


def advertised(
    settings: BrokerSettings, addresses: Sequence[tuple[str, str, int]]
) -> list[tuple[str, str, int, int]]:
    """What clients are told: (name, host, port, security protocol), port 0 replaced by the one bound."""
    return _told(settings.advertised_listeners, addresses)


def _told(
    listeners: Iterable[Listener], addresses: Sequence[tuple[str, str, int]]
) -> list[tuple[str, str, int, int]]:
    bound = {name: (host, port) for name, host, port in addresses}
    told = []
    for listener in listeners:
        host, port = bound.get(listener.name, (listener.host, listener.port))
        protocol = SECURITY_PROTOCOLS[listener.security_protocol]
        told.append((listener.name, reachable_host(listener.host or host), listener.port or port, protocol))
    return told


def _register_broker(
    settings: BrokerSettings,
    native: _core.Node,
    incarnation: Uuid,
    addresses: Sequence[tuple[str, str, int]],
) -> int:
    """Registers the broker with the controller beside it; its epoch."""
    request = BrokerRegistrationRequest(
        broker_id=settings.node_id,
        cluster_id=native.cluster_id,
        incarnation_id=incarnation,
        listeners=[
            broker_registration_request.Listener(name=name, host=host, port=port, security_protocol=protocol)
            for name, host, port, protocol in advertised(settings, addresses)
        ],
        features=[
            broker_registration_request.Feature(
                name=name, min_supported_version=lowest, max_supported_version=highest
            )
            for name, (lowest, highest) in SUPPORTED.items()
        ],
        rack=cast("str | None", settings["broker.rack"]),
        log_dirs=native.directory_ids(),
        previous_broker_epoch=_previous_epoch(settings, native),
    )
    state = controller_state(settings, native)
    try:
        decision = brokers.register(state, request, state.image.offset + 1, session_valid=False)
    except KafkaError as error:
        raise StartError(f"The controller refuses this broker: {error}") from error
    native.propose(decision.records)
    return decision.response.broker_epoch


def _previous_epoch(settings: BrokerSettings, native: _core.Node) -> int:
    """Epoch under which this broker last ran, as far as it may say that nothing was lost since; else -1.

    After an unclean stop the controller takes a broker out of all ISRs, for others may have what it has lost
    (KIP-966). A broker that is alone has nobody to wait for: its logs, recovered, are all there is.
    """
    known = native.image().brokers()
    if [broker.id for broker in known] == [settings.node_id]:
        return known[0].epoch
    return int(native.previous_broker_epoch())
