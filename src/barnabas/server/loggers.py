"""Levels of this process's loggers, as resources of type BROKER_LOGGER.

`root` is the logger `barnabas`; only it and what is below it can be seen and set, since the process may be
somebody else's who embeds a broker.
"""

from __future__ import annotations

import logging

ROOT = "root"
PACKAGE = "barnabas"

LEVELS = {
    "TRACE": 5,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
}
"""Kafka's names of levels."""


def levels() -> dict[str, str]:
    """Level in force of each logger."""
    names = [name for name in logging.Logger.manager.loggerDict if name.startswith(f"{PACKAGE}.")]
    found = {ROOT: _level_name(PACKAGE)}
    found.update({name: _level_name(name) for name in sorted(names)})
    return found


def set_level(name: str, level: str | None) -> None:
    """Sets a logger's level; None gives it that of the logger above it."""
    logger = logging.getLogger(PACKAGE if name == ROOT else name)
    logger.setLevel(logging.NOTSET if level is None else LEVELS[level])


def _level_name(name: str) -> str:
    level = logging.getLogger(name).getEffectiveLevel()
    at_most = [kafka_name for kafka_name, number in LEVELS.items() if number <= level]
    return at_most[-1] if at_most else "TRACE"
