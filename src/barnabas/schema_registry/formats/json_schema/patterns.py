"""Whether a pattern of `patternProperties` matches a name, in bounded time.

Patterns that may explode, or that Python does not read, are not tried: the answer is None, and a comparison
then takes the worse case.
"""

import re
import warnings
from functools import lru_cache
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any

PATTERN_CHARACTERS_MAX = 1_000
NAME_CHARACTERS_MAX = 500
# Two repetitions after one another take the square of the name's length at most.
_REPETITIONS_MAX = 2
_REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT)


def matches(pattern: str, name: str) -> bool | None:
    """Whether the pattern is found in the name; None if that is not tried."""
    if len(name) > NAME_CHARACTERS_MAX:
        return None
    compiled = _compiled(pattern)
    return None if compiled is None else compiled.search(name) is not None


@lru_cache(maxsize=1_000)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    if len(pattern) > PATTERN_CHARACTERS_MAX:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            parsed = _parser.parse(pattern)
            if _repetitions(parsed, False) > _REPETITIONS_MAX:
                return None
            return re.compile(pattern)
    except (re.error, OverflowError, RecursionError, Warning):
        return None


def _repetitions(parsed: Any, repeated: bool) -> int:
    """How many repetitions follow one another; more than is allowed if one stands inside another."""
    count = 0
    for kind, value in parsed:
        if kind in _REPEATS:
            if repeated or len(value[2]) != 1:
                return _REPETITIONS_MAX + 1
            count += 1 + _repetitions(value[2], True)
        elif kind is _constants.SUBPATTERN:
            count += _repetitions(value[3], repeated)
        elif kind is _constants.BRANCH:
            if repeated:
                return _REPETITIONS_MAX + 1
            count += sum(_repetitions(each, repeated) for each in value[1])
        elif kind not in (
            _constants.LITERAL,
            _constants.NOT_LITERAL,
            _constants.ANY,
            _constants.IN,
            _constants.AT,
        ):
            return _REPETITIONS_MAX + 1
    return count
