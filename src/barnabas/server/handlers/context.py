"""What a handler may use of the node, and how a handler is found.

A handler is thin and looks like the others: authorize, decide (pure, in `barnabas.controller`), propose the
records, wait until they are committed, answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar
from weakref import WeakKeyDictionary, ref

if TYPE_CHECKING:
    import ssl

    from barnabas import _core
    from barnabas._core import ColdRequest, MetadataImage
    from barnabas.config.settings import BrokerSettings
    from barnabas.controller.decision import ControllerState, Decision, Record
    from barnabas.protocol import ApiKey
    from barnabas.protocol.message import Message
    from barnabas.server.coordinators import Coordinators

R = TypeVar("R")


class NodeContext(Protocol):
    """The node, as handlers see it."""

    @property
    def node_id(self) -> int: ...
    @property
    def cluster_id(self) -> str: ...
    @property
    def settings(self) -> BrokerSettings:
        """The static configuration."""

    @property
    def registry_tls(self) -> Callable[[], ssl.SSLContext | None]:
        """Gives what the schema registry is trusted by; None for the system's certificates."""

    @property
    def native(self) -> Any:
        """`barnabas._core.Node`: log directories, quorum state, listeners."""

    @property
    def coordinators(self) -> Coordinators:
        """The coordinators of this node."""

    @property
    def lent_groups(self) -> _core.LentGroups:
        """Groups that the data plane has on loan."""

    @property
    def lent_transactions(self) -> _core.LentTransactions:
        """Transactional ids that the data plane has on loan."""

    def now(self) -> int:
        """Milliseconds since the Unix epoch."""

    def image(self) -> MetadataImage:
        """The committed metadata."""

    def state(self) -> ControllerState:
        """The head of the metadata, for decisions: sees what was proposed and is not yet committed."""

    def propose(self, records: Sequence[Record]) -> Awaitable[None]:
        """Appends the records as one batch at once; the awaitable ends when they are committed and applied.

        The next decision sees them from the moment of the call, so decide and propose without awaiting
        between.
        """

    async def commit(self, decision: Decision[R]) -> R:
        """Proposes a decision's records, waits for the commit and gives its response."""

    def answer_natively(self, request: ColdRequest) -> None:
        """Has Rust answer the request after all (Metadata, once missing topics were created)."""


Handler = Callable[[Any, Any], Awaitable["Message | None"]]
"""A coroutine function of (node, request) that gives the response; None when somebody else answers."""

Respond = Callable[["Message | None"], None]
"""Is called once with the response; None closes the connection."""

DirectHandler = Callable[[Any, Any, Respond], None]
"""A plain function of (node, request, respond) for requests so frequent that a task for each would cost too
much; KafkaError that it raises is the answer to the whole request."""

_HANDLERS: dict[int, Handler] = {}
_DIRECT: dict[int, DirectHandler] = {}


def handles(*keys: ApiKey) -> Callable[[Handler], Handler]:
    """Registers the decorated coroutine function for APIs."""

    def register(handler: Handler) -> Handler:
        for key in keys:
            _HANDLERS[int(key)] = handler
        return handler

    return register


def handles_directly(*keys: ApiKey) -> Callable[[DirectHandler], DirectHandler]:
    """Registers the decorated plain function for APIs."""

    def register(handler: DirectHandler) -> DirectHandler:
        for key in keys:
            _DIRECT[int(key)] = handler
        return handler

    return register


def registered_direct(api_key: int) -> DirectHandler | None:
    """The direct handler of an API whose module has been imported."""
    return _DIRECT.get(api_key)


def registered(api_key: int) -> Handler | None:
    """The handler of an API whose module has been imported."""
    return _HANDLERS.get(api_key)


M = TypeVar("M", bound="Message")
S = TypeVar("S")


def body(request: ColdRequest, kind: type[M]) -> M:
    """The request's message, which is of the kind that its API key says."""
    message = request.body
    assert isinstance(message, kind), f"api {request.api_key} came with a {type(message).__name__}"
    return message


class PerNode(Generic[S]):
    """State that the handlers of one API keep for each node, made when first asked for."""

    def __init__(self, make: Callable[[NodeContext], S]) -> None:
        self._make = make
        self._states: WeakKeyDictionary[Any, S] = WeakKeyDictionary()
        self._latest: Callable[[], Any] = lambda: None
        """The node that was asked for last, while there is one: most processes have one only."""
        self._latest_state: S | None = None

    def of(self, node: NodeContext) -> S:
        """The state that belongs to `node`."""
        if self._latest_state is not None and self._latest() is node:
            return self._latest_state
        state = self._states.get(node)
        if state is None:
            state = self._states[node] = self._make(node)
        self._latest, self._latest_state = ref(node), state
        return state
