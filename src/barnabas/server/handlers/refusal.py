"""The response to a request that is refused with one error, for any API and version: what the test kit gives.

Requests and responses are built alike: what a response says of a part, it says at the place that the part
has in the request. The exceptions to that are in tables here. An error is said once, at the outermost place
that the version has for it: clients take the error of a group otherwise than that of a partition.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

from barnabas import _core
from barnabas.protocol import ApiKey, ErrorCode, message_class
from barnabas.protocol.message import Struct

if TYPE_CHECKING:
    from barnabas._core import ColdRequest
    from barnabas.protocol.message import Message

ERROR_FIELDS = ("error_code", "partition_error_code")
NEW_NAMES = {
    "creations": ("results",),
    "coordinator_keys": ("coordinators",),
    "deletions": ("results",),
    "filters": ("filter_results",),
    "group_ids": ("groups",),
    "groups_names": ("results",),
    "index": ("partition_index", "partition"),
    "name": ("topic_name", "user"),
    "partition": ("partition_index", "index"),
    "partition_data": ("partition_responses",),
    "partition_index": ("partition", "index"),
    "partition_indexes": ("partitions",),
    "partitions": ("partition_responses", "results_by_partition", "partition_result", "results"),
    "resources": ("responses", "results"),
    "topic_data": ("responses",),
    "topic_names": ("responses",),
    "topic_partitions": ("replica_election_results",),
    "topics": ("responses", "topic_responses", "topic_results", "results"),
    "transactional_ids": ("transaction_states",),
    "transactions": ("results_by_transaction",),
    "upsertions": ("results",),
    "v3_and_below_topics": ("results_by_topic_v3_and_below",),
}
"""What fields of requests are called in responses, where they are called otherwise."""
UNKNOWN = {
    "base_offset": -1,
    "committed_offset": -1,
    "end_offset": -1,
    "high_watermark": -1,
    "last_stable_offset": -1,
    "offset": -1,
    "producer_epoch": -1,
    "producer_id": -1,
    "timestamp": -1,
}
"""What is said of things that nothing is known of."""
BY_PARTS = frozenset({ApiKey.FETCH, ApiKey.METADATA, ApiKey.SHARE_FETCH, ApiKey.SHARE_ACKNOWLEDGE})
"""APIs whose response as a whole has errors of another kind than its parts."""
WHOLE = frozenset(
    {
        ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
        ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR,
        ErrorCode.INVALID_FETCH_SESSION_EPOCH,
        ErrorCode.INVALID_SHARE_SESSION_EPOCH,
        ErrorCode.REBOOTSTRAP_REQUIRED,
        ErrorCode.SHARE_SESSION_LIMIT_REACHED,
        ErrorCode.SHARE_SESSION_NOT_FOUND,
    }
)
"""Those errors."""


def refused(request: ColdRequest, code: int) -> Message | None:
    """The response that says this error of what was asked for; None where there is no place to say it in, or
    nobody waits for it: the connection ends then."""
    body: Any = request.body
    if request.api_key == ApiKey.PRODUCE and body.acks == 0:
        return None
    parts_first = request.api_key in BY_PARTS and code not in WHOLE
    for whole in (not parts_first, parts_first):
        response: Any = message_class(request.api_key, response=True)()
        if request.api_key == ApiKey.FETCH:
            response.session_id = body.session_id
        said = _say(response, code) if whole else _refuse_parts(response, _regrouped(body), code)
        if said and _carries(response, request.api_version, code):
            found: Message = response
            return found
    return None


def _regrouped(body: Any) -> Any:
    """A request whose answer is in another order: by topic, where it asks by directory."""
    if body.API_KEY != ApiKey.ALTER_REPLICA_LOG_DIRS:
        return body
    from barnabas.protocol.generated.describe_log_dirs_request import DescribeLogDirsRequest

    return DescribeLogDirsRequest(topics=[topic for directory in body.dirs for topic in directory.topics])


def _carries(response: Message, version: int, code: int) -> bool:
    """Whether the response can be written in a version, and the error is in what is written."""
    try:
        data = _core.encode(response, version)
    except ValueError:
        return False
    return code in error_codes(_core.decode(type(response), version, data))


def error_codes(value: Any) -> set[int]:
    """The error codes in a message."""
    if isinstance(value, list):
        return set().union(*map(error_codes, value))
    found = set[int]()
    for name in getattr(type(value), "__slots__", ()):
        part = getattr(value, name)
        if name in ERROR_FIELDS:
            found.add(part)
        elif isinstance(part, list | Struct):
            found |= error_codes(part)
    return found


def _say(struct: Any, code: int) -> bool:
    """Writes the error into a struct, if that has a place for it."""
    for name in ERROR_FIELDS:
        if name in struct.__slots__:
            setattr(struct, name, code)
            return True
    return False


def _refuse_parts(answer: Any, asked: Any, code: int) -> bool:
    """Answers each part of a request at its place in the response; whether there was any."""
    elements = element_classes(type(answer))
    found = False
    for name in asked.__slots__:
        parts = getattr(asked, name)
        place = next((new for new in (name, *NEW_NAMES.get(name, ())) if new in elements), None)
        if place is None or not isinstance(parts, list):
            continue
        told = [_refuse_part(elements[place], part, code) for part in parts]
        told = [one for one in told if one is not None]
        if told:
            setattr(answer, place, [*(getattr(answer, place) or ()), *told])
            found = True
    return found


def _refuse_part(element: type[Struct], part: Any, code: int) -> Struct | None:
    """The answer to one part; None where it has no place for an error."""
    answer: Any = element()
    for name in UNKNOWN.keys() & set(answer.__slots__):
        setattr(answer, name, UNKNOWN[name])
    for name in element_classes(element):
        setattr(answer, name, [])
    if not isinstance(part, Struct):
        # A plain name or number: the answer calls itself by it.
        names = (name for name in answer.__slots__ if name not in (*ERROR_FIELDS, "error_message"))
        setattr(answer, next(names), part)
        return answer if _say(answer, code) else None
    for name in part.__slots__:
        _copy(answer, name, getattr(part, name))
    said = _say(answer, code) or _refuse_parts(answer, part, code)
    return answer if said else None


def _copy(answer: Any, name: str, value: Any) -> None:
    """Has an answer repeat a field of what was asked, if it has one of that name and type."""
    if value is None or isinstance(value, list):
        return
    for new in (name, *NEW_NAMES.get(name, ())):
        if new in answer.__slots__ and new not in UNKNOWN:
            default = getattr(answer, new)
            if default is None or type(default) is type(value):
                setattr(answer, new, value)
            return


def element_classes(struct: type[Struct]) -> dict[str, type[Struct]]:
    """The classes of the structs in a struct's arrays, by field."""
    return _element_classes(struct.__module__, struct.__name__)


@cache
def _element_classes(module: str, struct: str) -> dict[str, type[Struct]]:
    names = {**vars(sys.modules[module]), "Iterable": Iterable}
    found: dict[str, type[Struct]] = {}
    for name, hint in get_type_hints(names[struct].__init__, names).items():
        parts = list(_parts(hint))
        inner = [part for part in parts if isinstance(part, type) and issubclass(part, Struct)]
        if inner and any(get_origin(part) is Iterable for part in parts):
            found[name] = inner[0]
    return found


def _parts(hint: Any) -> Iterator[Any]:
    yield hint
    for inner in get_args(hint):
        yield from _parts(inner)
