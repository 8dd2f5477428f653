"""The command line. Commands are imported when they are called, so that a start is quick."""

import os
import sys


def main() -> None:
    """Runs `barnabas` with the process's arguments and exits."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # Who has started us has closed it.
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115
    try:
        from barnabas.cli.root import run
    except KeyboardInterrupt:
        sys.exit(130)
    run()
