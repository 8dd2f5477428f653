"""A client of a Schema Registry, with what serdes need of it; what it has seen it keeps.

Works with every registry that has Confluent's REST API. Ids and GUIDs never change what they mean, so each is
asked for once; the latest version of a subject is asked for again after `latest_ttl` seconds.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import SplitResult, quote, unquote, urlsplit

from barnabas.serde.base import SerializationError
from barnabas.serde.contract import Contract

CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
# Answers larger than this are no answers of a registry.
RESPONSE_BYTES_MAX = 16_000_000

T = TypeVar("T")


class RegistryError(SerializationError):
    """The registry refused, or could not be asked (`status` 0)."""

    def __init__(self, status: int, error_code: int, message: str) -> None:
        code = error_code or status
        super().__init__(f"schema registry: {message} ({code})" if code else f"schema registry: {message}")
        self.status = status
        self.error_code = error_code
        self.reason = message


class Reference(NamedTuple):
    """Another schema that a schema refers to, by the name that it has there."""

    name: str
    subject: str
    version: int


class Schema(NamedTuple):
    """A schema as it is registered."""

    type: str
    text: str
    references: tuple[Reference, ...] = ()
    contract: Contract | None = None
    """Its metadata and rules."""


class Registered(NamedTuple):
    """A schema with its id. `guid` is None where the registry is too old to tell."""

    id: int
    guid: uuid.UUID | None
    schema: Schema


class SchemaRegistry:
    """Connections to one registry, or to several of which any may be asked. Safe to use from several threads.

    A user and password may stand in the URL; `token` is sent as bearer token instead.
    """

    def __init__(
        self,
        urls: str | Sequence[str],
        *,
        token: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        timeout: float = 30.0,
        cache_size: int = 1_000,
        latest_ttl: float = 300.0,
    ) -> None:
        """`timeout` and `latest_ttl` in seconds."""
        given = urls.split(",") if isinstance(urls, str) else list(urls)
        self._urls = [urlsplit(url.strip()) for url in given]
        for url in self._urls:
            if url.scheme not in ("http", "https") or not url.hostname or not _has_port(url):
                raise ValueError(f"{_plainly(url)} is no http or https address of a schema registry")
        self._token = token
        self._ssl = ssl_context
        self._timeout = timeout
        self._latest_ttl = latest_ttl
        # Connections that nobody uses now, by address: as many as threads have asked at once.
        self._idle: dict[int, list[http.client.HTTPConnection]] = {at: [] for at in range(len(self._urls))}
        self._lock = threading.Lock()
        self._schemas: _Cache[Schema] = _Cache(cache_size)
        self._registered: _Cache[Registered] = _Cache(cache_size)
        self._versions: _Cache[Any] = _Cache(cache_size)

    def by_id(self, id: int) -> Schema:
        """The schema of an id."""
        return self._schemas.get(id, lambda: _schema(self._call("GET", f"/schemas/ids/{id}")))

    def by_guid(self, guid: uuid.UUID) -> Schema:
        """The schema of a GUID."""
        return self._schemas.get(guid, lambda: _schema(self._call("GET", f"/schemas/guids/{guid}")))

    def register(self, subject: str, schema: Schema, normalize: bool = False) -> Registered:
        """Registers a schema if the subject hasn't it yet."""
        path = f"/subjects/{quote(subject, safe='')}/versions"
        return self._post(path, subject, schema, normalize)

    def look_up(self, subject: str, schema: Schema, normalize: bool = False) -> Registered:
        """A schema that the subject has."""
        return self._post(f"/subjects/{quote(subject, safe='')}", subject, schema, normalize)

    def latest(self, subject: str) -> Registered:
        """The latest version of a subject; may be known from before for `latest_ttl` seconds."""
        path = f"/subjects/{quote(subject, safe='')}/versions/latest"
        moment = int(time.monotonic() / self._latest_ttl) if self._latest_ttl > 0 else time.monotonic_ns()
        return self._registered.get((path, moment), lambda: _registered(self._call("GET", path)))

    def version_of(self, subject: str, schema: Schema) -> int:
        """Which version of the subject a schema is."""
        body = _body(schema)
        key = subject, schema
        path = f"/subjects/{quote(subject, safe='')}"
        return int(self._versions.get(key, lambda: self._call("POST", path, body)["version"]))

    def version(self, subject: str, version: int) -> Schema:
        """The schema of a version."""
        path = f"/subjects/{quote(subject, safe='')}/versions/{version}?deleted=true"
        return self._schemas.get(path, lambda: _schema(self._call("GET", path)))

    def closure(self, schema: Schema) -> list[tuple[Reference, Schema]]:
        """All that a schema refers to, the indirect ones too; each after those that it refers to itself."""
        found: dict[str, tuple[Reference, Schema]] = {}
        under_way: set[str] = set()

        def add(reference: Reference) -> None:
            if reference.name in found or reference.name in under_way:
                return
            under_way.add(reference.name)
            other = self.version(reference.subject, reference.version)
            for each in other.references:
                add(each)
            found[reference.name] = reference, other

        for each in schema.references:
            add(each)
        return list(found.values())

    def close(self) -> None:
        """Closes the connections; the next question opens one again."""
        with self._lock:
            for idle in self._idle.values():
                while idle:
                    idle.pop().close()

    def __del__(self) -> None:
        if hasattr(self, "_lock"):
            self.close()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Any request; nothing of its answer is kept. Raises RegistryError."""
        return self._call(method, path, body)

    def _post(self, path: str, subject: str, schema: Schema, normalize: bool) -> Registered:
        query = "?normalize=true" if normalize else ""

        def ask() -> Registered:
            answer = self._call("POST", path + query, _body(schema))
            guid = answer.get("guid")
            found = schema._replace(contract=Contract.of(answer))
            return Registered(answer["id"], uuid.UUID(guid) if guid else None, found)

        return self._registered.get((path, subject, schema, normalize), ask)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        failure: Exception | None = None
        for at, url in enumerate(self._urls):
            try:
                return self._ask(at, method, url.path.rstrip("/") + path, body)
            except (OSError, http.client.HTTPException) as error:
                failure = error
            except RegistryError as error:
                if error.status < 500:
                    raise
                failure = error
        if isinstance(failure, RegistryError):
            raise failure
        names = ", ".join(map(_plainly, self._urls))
        raise RegistryError(0, 0, f"{names} can't be reached: {failure}")

    def _ask(self, at: int, method: str, path: str, body: Any) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": CONTENT_TYPE, "Content-Type": CONTENT_TYPE, **self._authorization(at)}
        with self._lock:
            kept = self._idle[at].pop() if self._idle[at] else None
        if kept is not None:
            # It may have been closed at the other end meanwhile: then once more, on a new one.
            with suppress(OSError, http.client.HTTPException):
                return self._exchanged(at, kept, method, path, data, headers)
        return self._exchanged(at, self._connection(at), method, path, data, headers)

    def _exchanged(
        self,
        at: int,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        data: bytes | None,
        headers: dict[str, str],
    ) -> Any:
        try:
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            content = response.read(RESPONSE_BYTES_MAX + 1)
        except (OSError, http.client.HTTPException):
            connection.close()
            raise
        with self._lock:
            self._idle[at].append(connection)
        return _answer(response.status, content)

    def _connection(self, at: int) -> http.client.HTTPConnection:
        url = self._urls[at]
        host = str(url.hostname)
        if url.scheme == "https":
            return http.client.HTTPSConnection(host, url.port, timeout=self._timeout, context=self._ssl)
        return http.client.HTTPConnection(host, url.port, timeout=self._timeout)

    def _authorization(self, at: int) -> dict[str, str]:
        url = self._urls[at]
        if self._token is not None:
            return {"Authorization": f"Bearer {self._token}"}
        if url.username is None:
            return {}
        pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


class _Cache(Generic[T]):
    """Keeps the values that were asked for last; what raises is not kept."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._values: OrderedDict[Any, T] = OrderedDict()

    def get(self, key: Any, ask: Callable[[], T]) -> T:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = ask()
        with self._lock:
            self._values[key] = value
            while len(self._values) > self._size:
                self._values.popitem(last=False)
        return value


def _has_port(url: SplitResult) -> bool:
    """Whether the port is one, if there is any."""
    try:
        return url.port != 0
    except ValueError:
        return False


def _plainly(url: SplitResult) -> str:
    """An address without its password."""
    return url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()


def _answer(status: int, content: bytes) -> Any:
    if len(content) > RESPONSE_BYTES_MAX:
        raise RegistryError(status, 0, f"an answer of more than {RESPONSE_BYTES_MAX} bytes")
    try:
        answer = json.loads(content)
    except ValueError:
        raise RegistryError(status, 0, f"an answer that is no JSON: {content[:100]!r}") from None
    if status >= 300:
        found = answer if isinstance(answer, dict) else {}
        raise RegistryError(status, found.get("error_code", status), str(found.get("message", answer)))
    return answer


def _body(schema: Schema) -> dict[str, Any]:
    body: dict[str, Any] = {"schema": schema.text}
    if schema.type != "AVRO":
        body["schemaType"] = schema.type
    if schema.references:
        body["references"] = [each._asdict() for each in schema.references]
    return body if schema.contract is None else {**body, **schema.contract.told}


def _schema(answer: Any) -> Schema:
    references = answer.get("references") or ()
    found = tuple(Reference(each["name"], each["subject"], each["version"]) for each in references)
    return Schema(answer.get("schemaType") or "AVRO", answer["schema"], found, Contract.of(answer))


def _registered(answer: Any) -> Registered:
    guid = answer.get("guid")
    return Registered(answer["id"], uuid.UUID(guid) if guid else None, _schema(answer))
