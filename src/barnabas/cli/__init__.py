"""The command line. Commands are imported when they are called, so that a start is quick."""


def main() -> None:
    """Runs `barnabas` with the process's arguments and exits."""
    from barnabas.cli.root import run

    run()
