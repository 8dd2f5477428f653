"""The command line. Commands are imported when they are called, so that a start is quick."""

import sys


def main() -> None:
    """Runs `barnabas` with the process's arguments and exits."""
    try:
        from barnabas.cli.root import run
    except KeyboardInterrupt:
        sys.exit(130)
    run()
