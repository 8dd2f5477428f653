"""What goes wrong between a command and a cluster, as a sentence for the person who called it."""

from barnabas.errors import BarnabasError


class CommandFailed(BarnabasError):
    """A command that could not do its work. The message says why, and what to try."""


def sentence(error: object) -> str:
    """What a client says, for a person."""
    text = str(error).strip()
    return text if text.endswith((".", "!")) else f"{text}."
