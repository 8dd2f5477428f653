"""Lines of the log, for people and for machines."""

import json
import logging
import re
import sys

from barnabas.cli.log_format import JsonFormatter, TextFormatter


def record(message: str, *args: object, level: int = logging.INFO, failed: bool = False) -> logging.LogRecord:
    info = None
    if failed:
        try:
            raise ValueError("why")
        except ValueError:
            info = sys.exc_info()
    return logging.LogRecord("barnabas.server", level, "file.py", 1, message, args, info)


def test_text_has_time_level_logger_and_message() -> None:
    line = TextFormatter(colour=False).format(record("%s partitions", 3))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} INFO  barnabas\.server: 3 partitions", line)


def test_colour_marks_what_needs_attention() -> None:
    formatter = TextFormatter(colour=True)
    assert formatter.format(record("bad", level=logging.ERROR)).startswith("\x1b[31m")
    assert "\x1b" not in formatter.format(record("fine"))


def test_json_is_one_object_a_line() -> None:
    line = JsonFormatter().format(record("two\nlines é", failed=True))
    assert "\n" not in line
    event = json.loads(line)
    assert event["level"] == "info"
    assert event["logger"] == "barnabas.server"
    assert event["message"] == "two\nlines é"
    assert event["exception"].endswith("ValueError: why")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"])
