"""Who may read and who may write: what the cluster's ACLs say of the topics in which everything is kept.

Whoever may READ the topic `_schemas` may ask, and whoever may WRITE it may change; for keys of fields it is
`_dek_registry_keys`. Credentials are tried by logging in at the cluster with them.

Always true:
  nobody is let in by an answer of the cluster that is older than `RIGHTS_SECONDS_MAX`
  who asks again and again costs the cluster one log-in in that time
  what is remembered, and who waits for the cluster, is bounded
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from barnabas import errors as kafka_errors
from barnabas.clients.admin.acl_operation import AclOperation
from barnabas.clients.admin.client import Admin
from barnabas.errors import BarnabasError
from barnabas.http.credentials import Credentials, unauthenticated
from barnabas.http.errors import HttpError
from barnabas.http.logins import Logins, authorization, fingerprint
from barnabas.http.request import Request
from barnabas.http.response import Response
from barnabas.http.serving import Handler
from barnabas.schema_registry.keys.entries import TOPIC as KEYS_TOPIC
from barnabas.schema_registry.storage import TOPIC

FORBIDDEN = 40301
RIGHTS_SECONDS_MAX = 30.0
"""How long what the cluster has said holds."""
REFUSED_SECONDS = 1.0
"""How long a refusal holds: whoever has just been given a permission need not wait."""
KNOWN_MAX = 10_000
"""Credentials that are remembered."""
LOGINS_MAX = 8
"""Log-ins that are tried at once."""
WAITING_MAX = 500
"""Log-ins that wait to be tried, or are."""
LOGIN_MS_MAX = 15_000

OPEN = frozenset({"GET /health", "GET /metrics", "GET /openapi.json", "GET /openapi"})
"""Operations that tell nothing of schemas, and are for all."""
READING = frozenset(
    {
        "POST /",
        "POST /subjects/{subject}",
        "POST /compatibility/subjects/{subject}/versions",
        "POST /compatibility/subjects/{subject}/versions/{version}",
    }
)
"""Operations that change nothing though they are no GET."""
KEYS = "/dek-registry/"
"""Where paths of keys begin."""

Rights = Mapping[str, frozenset[AclOperation]]
"""What somebody may do with each topic."""


@dataclass(slots=True)
class _Known:
    rights: Rights
    told_at: float


class Access:
    """Stands before the handlers of a registry. All calls belong into one event loop."""

    def __init__(self, configs: Mapping[str, Any], logins: Logins) -> None:
        """`configs`: of clients of the cluster, without credentials or with those that are replaced."""
        self._configs = {**configs, "default.api.timeout.ms": LOGIN_MS_MAX}
        self._logins = logins
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._asked: dict[bytes, asyncio.Future[Rights]] = {}
        self._pool = ThreadPoolExecutor(LOGINS_MAX, "registry-logins")

    def around(self, handler: Handler) -> Handler:
        """`handler`, for those who may."""

        def handle(request: Request) -> Any:
            if request.operation in OPEN:
                return handler(request)
            given = self._logins.of(request)
            # Another instance is asked with them too.
            request.authorization = authorization(given)
            key = fingerprint(given)
            known = self._known.get(key)
            age = RIGHTS_SECONDS_MAX if known is None else time.monotonic() - known.told_at
            refusal = None if known is None else refused(known.rights, request.operation)
            if age >= (RIGHTS_SECONDS_MAX if refusal is None else REFUSED_SECONDS):
                return self._after_asking(request, handler, key, given)
            if refusal is not None:
                raise refusal
            self._known.move_to_end(key)
            return handler(request)

        handle.__doc__ = handler.__doc__
        return handle

    async def _after_asking(self, request: Request, handler: Handler, key: bytes, given: Credentials) -> Any:
        asked = self._asked.get(key)
        if asked is None:
            if len(self._asked) >= WAITING_MAX:
                raise HttpError(429, "Too many log-ins at once", headers={"Retry-After": "1"})
            loop = asyncio.get_running_loop()
            asked = self._asked[key] = loop.run_in_executor(self._pool, self._rights, given)
            asked.add_done_callback(lambda done: self._on_told(key, done))
        try:
            # Others may wait for it too.
            rights = await asyncio.shield(asked)
        except (
            kafka_errors.SaslAuthenticationFailed,
            kafka_errors.UnsupportedSaslMechanism,
            kafka_errors.IllegalSaslState,
        ) as error:
            raise unauthenticated(self._logins.scheme, str(error)) from error
        except BarnabasError as error:
            raise HttpError(503, f"The cluster can't be asked who this is: {error}", 50003) from error
        if (refusal := refused(rights, request.operation)) is not None:
            raise refusal
        answer: Any = handler(request)
        return answer if isinstance(answer, Response) else await answer

    def _on_told(self, key: bytes, told: asyncio.Future[Rights]) -> None:
        del self._asked[key]
        if told.cancelled() or told.exception() is not None:
            self._known.pop(key, None)
            return
        self._known[key] = _Known(told.result(), time.monotonic())
        self._known.move_to_end(key)
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)

    def _rights(self, given: Credentials) -> Rights:
        """Asks the cluster. In a thread of the pool."""
        rights = dict[str, frozenset[AclOperation]]()
        with Admin(self._logins.configs(self._configs, given)) as admin:
            for topic in (TOPIC, KEYS_TOPIC):
                try:
                    found = admin.describe_topics(topic, include_authorized_operations=True)[topic]
                except (kafka_errors.TopicAuthorizationFailed, kafka_errors.UnknownTopicOrPartition):
                    continue
                rights[topic] = found.authorized_operations or frozenset()
        return rights

    def close(self) -> None:
        """Asks nobody any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def refused(rights: Rights, operation: str) -> HttpError | None:
    """Why rights don't allow an operation; None where they do."""
    method, _, pattern = operation.partition(" ")
    topic = KEYS_TOPIC if pattern.startswith(KEYS) else TOPIC
    needed = AclOperation.READ if method == "GET" or operation in READING else AclOperation.WRITE
    if needed in rights.get(topic, ()):
        return None
    return HttpError(403, f"This needs the permission to {needed.name} the topic {topic}", FORBIDDEN)
