"""What a decision of the registry is: records to write, and what is answered when they are written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

R = TypeVar("R")


@dataclass(slots=True)
class Decision(Generic[R]):
    """Nothing changes until the records are committed."""

    response: R
    records: list[Any] = field(default_factory=list)
    """Of the topic that the state is made of."""
