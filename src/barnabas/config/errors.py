"""What can be wrong with a configuration, each error a whole sentence for the person who wrote it."""

from barnabas.errors import ConfigError

__all__ = ["ConfigError", "InvalidValue", "MissingConfig", "PropertiesError", "UnknownConfig"]


class UnknownConfig(ConfigError):
    """A name that is no config of Kafka or of barnabas."""

    def __init__(self, name: str, note: str = "") -> None:
        self.name = name
        super().__init__(f"There is no config named {name}.{' ' if note else ''}{note}")


class InvalidValue(ConfigError):
    """A value that its config doesn't take."""

    def __init__(self, name: str, value: object, reason: str) -> None:
        self.name = name
        self.value = value
        self.reason = reason
        shown = "null" if value is None else value
        super().__init__(f"Invalid value {shown} for configuration {name}: {reason}")


class MissingConfig(ConfigError):
    """A config without a default that nobody has set."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f'Missing required configuration "{name}": it has no default value.')


class PropertiesError(ConfigError):
    """A properties file that can't be read or doesn't follow the syntax of Java's Properties."""
