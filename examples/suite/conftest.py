"""Tells how long the suite took."""

import time

import pytest

BEGAN = time.monotonic()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    count = len(terminalreporter.stats.get("passed", []))
    seconds = time.monotonic() - BEGAN
    terminalreporter.write_line(f"{count} tests, each with a broker of its own, in {seconds:.1f} s")
