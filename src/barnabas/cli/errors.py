"""What goes wrong between a command and a cluster, as a sentence for the person who called it."""

from barnabas.errors import BarnabasError


class CommandFailed(BarnabasError):
    """A command that could not do its work. The message says why, and what to try."""


def address_advice(error: object) -> str:
    """Why an address can't be had, and what to do about it where somebody else has it."""
    who, in_use, _ = str(error).partition(" is in use")
    if not in_use:
        return who
    return f"{who}{in_use}. Stop what listens there, or choose another port with --port (0 takes a free one)."


def sentence(error: object) -> str:
    """What a client says, for a person."""
    text = str(error).strip()
    return text if text.endswith((".", "!")) else f"{text}."
