"""The response to a request all of whose parts are refused with one error, for any API and version.

Requests and responses are built alike: what a response says of a part, it says at the place that the part
has in the request. The exceptions to that are in tables here.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from barnabas.protocol import ApiKey, ErrorCode, message_class

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas._core import ColdRequest
    from barnabas.protocol.message import Message, Struct

ERROR_FIELDS = ("error_code", "partition_error_code")
NEW_NAMES = {
    "partition": ("partition_index", "index"),
    "index": ("partition_index", "partition"),
    "partition_index": ("partition", "index"),
    "topics": ("responses", "topic_responses", "results"),
    "partitions": ("partition_responses", "results_by_partition", "partition_result", "results"),
    "topic_data": ("responses",),
    "partition_data": ("partition_responses",),
    "partition_indexes": ("partitions",),
    "coordinator_keys": ("coordinators",),
    "groups_names": ("results",),
    "group_ids": ("groups",),
    "topic_names": ("responses",),
    "resources": ("responses", "results"),
    "transactions": ("results_by_transaction",),
    "v3_and_below_topics": ("results_by_topic_v3_and_below",),
    "transactional_ids": ("transaction_states",),
    "topic_partitions": ("replica_election_results",),
}
"""What fields of requests are called in responses, where they are called otherwise."""
WHOLE = frozenset(
    {
        ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
        ErrorCode.INVALID_FETCH_SESSION_EPOCH,
        ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR,
    }
)
"""Errors of a Fetch that are never a partition's."""
UNKNOWN_FIELDS = {
    "base_offset": -1,
    "high_watermark": -1,
    "last_stable_offset": -1,
    "offset": -1,
    "timestamp": -1,
    "committed_offset": -1,
    "end_offset": -1,
    "producer_id": -1,
    "producer_epoch": -1,
}
"""What parts say that know nothing."""


def refused(request: ColdRequest, code: int) -> Message | None:
    """The response that says this error of everything that was asked for; None where there is no place to say
    it in, or nobody waits for it."""
    body: Any = request.body
    if request.api_key == ApiKey.PRODUCE and body.acks == 0:
        return None
    response: Any = message_class(request.api_key, response=True)()
    if request.api_key == ApiKey.FETCH:
        response.session_id = body.session_id
    if request.api_key == ApiKey.FETCH and code in WHOLE:
        response.error_code = code
        return _typed(response)
    parts = _refuse_parts(response, body, code)
    whole = _say(response, code, shared=request.api_key == ApiKey.FETCH and parts)
    return _typed(response) if parts or whole else None


def _typed(response: Any) -> Message:
    found: Message = response
    return found


def _say(struct: Any, code: int, *, shared: bool = False) -> bool:
    """Writes the error into a struct that has a place for it; `shared`: its parts say it already."""
    if shared:
        return True
    for name in UNKNOWN_FIELDS.keys() & set(struct.__slots__):
        setattr(struct, name, UNKNOWN_FIELDS[name])
    for name in ERROR_FIELDS:
        if name in struct.__slots__:
            setattr(struct, name, code)
            return True
    return False


def _refuse_parts(response: Any, request: Any, code: int) -> bool:
    """Answers each part of a request at its place in the response; whether there was any."""
    found = False
    elements = element_classes(type(response))
    for name in request.__slots__:
        asked = getattr(request, name)
        if not isinstance(asked, list) or not asked:
            continue
        place = next((new for new in (name, *NEW_NAMES.get(name, ())) if new in elements), None)
        if place is None:
            continue
        answers = [_refuse_part(elements[place], part, code) for part in asked]
        told = [answer for answer in answers if answer is not None]
        if told:
            setattr(response, place, told)
            found = True
    return found


def _refuse_part(element: type[Struct], part: Any, code: int) -> Struct | None:
    answer: Any = element()
    if not hasattr(type(part), "__slots__"):
        # A plain name or number: it is what the answer's first field is called by.
        setattr(answer, next(name for name in answer.__slots__ if name not in ERROR_FIELDS), part)
        said = _say(answer, code)
        return answer if said else None
    for name in part.__slots__:
        value = getattr(part, name)
        if isinstance(value, list):
            continue
        for new in (name, *NEW_NAMES.get(name, ())):
            if new in answer.__slots__ and new not in UNKNOWN_FIELDS and _alike(getattr(answer, new), value):
                setattr(answer, new, value)
                break
    parts = _refuse_parts(answer, part, code)
    said = _say(answer, code)
    return answer if parts or said else None


def _alike(default: Any, value: Any) -> bool:
    return default is None or value is None or type(default) is type(value)


@cache
def element_classes(struct: type[Struct]) -> dict[str, type[Struct]]:
    """The classes of the structs in a struct's arrays, by field."""
    import sys
    from collections.abc import Iterable

    from barnabas.protocol.message import Struct

    module = vars(sys.modules[struct.__module__])
    hints = get_type_hints(struct.__init__, {**module, "Iterable": Iterable})
    found = {}
    for name, hint in hints.items():
        for part in _parts(hint):
            if isinstance(part, type) and issubclass(part, Struct) and _is_array(hint):
                found[name] = part
    return found


def _parts(hint: Any) -> Iterable[Any]:
    yield hint
    for inner in get_args(hint):
        yield from _parts(inner)


def _is_array(hint: Any) -> bool:
    from collections.abc import Iterable
    from typing import get_origin

    return any(get_origin(part) is Iterable for part in _parts(hint))
