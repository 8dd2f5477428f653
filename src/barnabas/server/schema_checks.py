"""What the schema registry says of the schemas that records name; the data plane asks, and keeps it.

Always true:
  each question is answered once, with None for what the registry did not say in time
  of those who ask for the same at the same time one asks the registry
"""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import quote, urlsplit, urlunsplit

from barnabas.errors import BarnabasError
from barnabas.serde.record_names import record_names
from barnabas.serde.registry import RegistryError, Schema, SchemaRegistry
from barnabas.server.handlers.context import PerNode

if TYPE_CHECKING:
    import ssl

    from barnabas import _core
    from barnabas.config.settings import BrokerSettings
    from barnabas.server.handlers.context import NodeContext

logger = logging.getLogger("barnabas.schemas")

THREADS = 4
"""That wait for the registry."""
TIMEOUT_SECONDS = 5.0
"""How long the registry may be silent."""
WAIT_SECONDS_MAX = 10.0
"""After which nobody waits for an answer any more."""
PAUSE_SECONDS = 10.0
"""Between two lines in the log about a registry that can't be asked."""
NO_SUCH_SCHEMA = range(40400, 40500)
"""Error codes of a registry that has no such thing; a plain 404 is somebody's who has no such path."""


Said = bool | str | bytes
"""Whether a schema may be used. Bytes: it may, and values are held against this program; text: it may, but
nothing can be held against it, and this is why."""


class Asked(NamedTuple):
    """A schema that keys or values of a topic have."""

    topic: str
    is_key: bool
    strategy: str
    schema: int | str
    """Its id, or the text of its GUID."""
    is_read: bool = False
    """Whether they are held against it."""


class SchemaChecks:
    """The questions of one node."""

    def __init__(self, node: NodeContext) -> None:
        self._node = node
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="schemas")
        self._under_way: dict[Asked, asyncio.Future[Said | None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._complained_at = float("-inf")

    def data_plane_asks(self, check: _core.SchemaCheck) -> None:
        """Records have schemas that are not known, or have not been asked for in a while."""
        rules = {
            True: (check.key_strategy, check.reads_keys),
            False: (check.value_strategy, check.reads_values),
        }
        asked = [
            Asked(check.topic, is_key, strategy, schema, is_read)
            for is_key, schema in check.schemas
            for strategy, is_read in [rules[is_key]]
        ]
        task = asyncio.get_running_loop().create_task(self._answer(check.id, asked))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, check_id: int, asked: list[Asked]) -> None:
        answers = await asyncio.gather(*map(self._ask, asked))
        self._node.native.schemas_checked(check_id, answers)

    def _ask(self, asked: Asked) -> asyncio.Future[Said | None]:
        under_way = self._under_way.get(asked)
        if under_way is None:
            loop = asyncio.get_running_loop()
            deadline = time.monotonic() + WAIT_SECONDS_MAX
            under_way = loop.run_in_executor(self._threads, partial(self._said, asked, deadline))
            self._under_way[asked] = under_way
            under_way.add_done_callback(lambda _: self._under_way.pop(asked))
        return under_way

    @cached_property
    def _registry(self) -> SchemaRegistry:
        return registry_of(self._node.settings, self._node.registry_tls())

    def _said(self, asked: Asked, deadline: float) -> Said | None:
        """On a thread: what the registry says, None if it can't be asked."""
        if time.monotonic() > deadline:
            return None
        try:
            return said_of(self._registry, asked)
        except Exception as error:  # A registry may answer anything; the question is answered all the same.
            known = isinstance(error, BarnabasError)
            self._complain(asked, str(error) if known else f"{type(error).__name__} {error}")
            return None

    def _complain(self, asked: Asked, why: str) -> None:
        now = time.monotonic()
        if now - self._complained_at > PAUSE_SECONDS:
            self._complained_at = now
            logger.warning("the schemas of topic %s can't be checked: %s", asked.topic, why)


def said_of(registry: SchemaRegistry, asked: Asked) -> Said:
    """What is said of a schema. Raises SerializationError."""
    id = version_id(registry, asked)
    if id is None:
        return False
    return _held_against(registry, registry.by_id(id)) if asked.is_read else True


def version_id(registry: SchemaRegistry, asked: Asked) -> int | None:
    """The id of a schema that is a version, not deleted, of the subject that the strategy says; None for one
    that is none. Raises SerializationError."""
    try:
        for id in _ids(registry, asked.schema):
            if not _wanted(asked, registry, id).isdisjoint(_subjects(registry, id)):
                return id
        return None
    except RegistryError as error:
        if error.error_code in NO_SUCH_SCHEMA:
            return None
        raise


def _held_against(registry: SchemaRegistry, schema: Schema) -> Said:
    # What reads schemas is imported by nodes that hold values against them.
    from barnabas.serde.programs import NoProgram, program_of

    try:
        return program_of(schema, registry) or True
    except NoProgram as error:
        return str(error)


def _ids(registry: SchemaRegistry, schema: int | str) -> list[int]:
    """In the default context, where topics have their subjects."""
    if isinstance(schema, int):
        return [schema]
    places = registry.ask("GET", f"/schemas/guids/{schema}/ids")
    return [int(place["id"]) for place in places if place["context"] == "."]


def _subjects(registry: SchemaRegistry, id: int) -> list[str]:
    return [str(version["subject"]) for version in registry.ask("GET", f"/schemas/ids/{id}/versions")]


def _wanted(asked: Asked, registry: SchemaRegistry, id: int) -> set[str]:
    match asked.strategy:
        case "RecordNameStrategy":
            return record_names(registry.by_id(id))
        case "TopicRecordNameStrategy":
            return {f"{asked.topic}-{name}" for name in record_names(registry.by_id(id))}
        case _:
            return {f"{asked.topic}-{'key' if asked.is_key else 'value'}"}


def registry_of(settings: BrokerSettings, tls: ssl.SSLContext | None) -> SchemaRegistry:
    """The registry that is configured. Raises RegistryError without one."""
    url = cast("str | None", settings["barnabas.schema.registry.url"])
    if not url:
        raise RegistryError(0, 0, "barnabas.schema.registry.url is not set")
    user = cast("str | None", settings["barnabas.schema.registry.user.info"])
    urls = [_with_user(each.strip(), user) for each in url.split(",")]
    return SchemaRegistry(urls, ssl_context=tls, timeout=TIMEOUT_SECONDS)


def _with_user(url: str, user: str | None) -> str:
    if not user:
        return url
    name, _, password = user.partition(":")
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(name, safe='')}:{quote(password, safe='')}@{host}"))


_CHECKS = PerNode(SchemaChecks)


def of(node: NodeContext) -> SchemaChecks:
    """The questions of a node."""
    return _CHECKS.of(node)
