"""What goes wrong between a command and a cluster, as a sentence for the person who called it."""

from barnabas.errors import BarnabasError


class CommandFailed(BarnabasError):
    """A command that could not do its work. The message says why, and what to try."""


def sentence(error: object) -> str:
    """What librdkafka says, for a person: `confluent_kafka.KafkaError` or the exception round it."""
    inner = getattr(error, "args", [error])[0] if isinstance(error, Exception) else error
    text = str(inner.str()) if hasattr(inner, "str") else str(inner)
    text = text.removeprefix("Local: ").removeprefix("Broker: ").strip()
    return text if text.endswith((".", "!")) else f"{text}."
