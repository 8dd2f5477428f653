"""Contexts: name spaces of subjects and of schema ids, written in front of a subject as `:.context:subject`.

Always true:
  a subject of the default context, whose name is `.`, is written without it
"""

from __future__ import annotations

DEFAULT = "."
"""Name of the default context."""
WILDCARD = ":*:"
"""In front of a subject prefix: in all contexts."""


def split(subject: str) -> tuple[str, str]:
    """The context of a subject, and its name there."""
    if not subject.startswith(":."):
        return DEFAULT, subject
    context, colon, name = subject[1:].partition(":")
    # Without a second colon all of it names a context.
    return (context, name) if colon else (subject[1:], "")


def join(context: str, name: str) -> str:
    """The subject `name` of a context."""
    return name if context == DEFAULT else f":{context}:{name}"


def normalize(subject: str) -> str:
    """A subject as it is kept: `:.:name` is `name`."""
    return join(*split(subject)) if subject.startswith(":.") else subject


def context_of(subject: str) -> str:
    """The context that a subject is in."""
    return split(subject)[0] if subject.startswith(":.") else DEFAULT


def is_context(subject: str) -> bool:
    """Whether it stands for a whole context, as `:.context:` does."""
    context, name = split(subject)
    return context != DEFAULT and not name


def beside(subject: str, other: str) -> str:
    """`other` as a schema of `subject` means it: in the same context, if it names none."""
    if other.startswith(":."):
        return normalize(other)
    return join(context_of(subject), other)
