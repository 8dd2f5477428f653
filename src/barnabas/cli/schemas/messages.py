"""What registries say of incompatible schemas in their verbose answers, for a person."""

import re
from collections.abc import Iterator

_PROBLEM = re.compile(
    r"""\{errorType:(['"])(?P<type>.*?)\1, description:(['"])(?P<what>.*?)\3(?:, additionalInfo:.*)?\}""",
    re.DOTALL,
)
_BESIDE = re.compile(r"\{(\w+): '?(.*?)'?\}", re.DOTALL)


def readable(message: str) -> Iterator[str]:
    """The lines that a message comes to."""
    if problem := _PROBLEM.fullmatch(message):
        yield f"{problem['type']}: {problem['what']}"
    elif (beside := _BESIDE.fullmatch(message)) is None:
        yield message
    elif beside[1] == "oldSchemaVersion":
        yield f"compared with version {beside[2]}"
    elif beside[1] != "oldSchema":  # Long, and all on one line: `barnabas schemas diff` shows it.
        yield f"{beside[1]}: {beside[2]}"
