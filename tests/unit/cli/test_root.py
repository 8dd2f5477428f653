"""The root command: what it offers, how it ends, and what it does not import."""

import subprocess
import sys

import pytest

from barnabas.cli import exit_codes
from barnabas.cli.root import outcome


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(["--help"]) == exit_codes.OK
    out = capsys.readouterr().out
    for command in (
        "up",
        "produce",
        "consume",
        "topics",
        "groups",
        "share",
        "transactions",
        "registry",
        "rest",
        "schemas",
        "cluster",
        "completion",
    ):
        assert f"\n  {command} " in out


@pytest.mark.parametrize(
    "command",
    [
        ["up"],
        ["produce"],
        ["consume"],
        ["topics"],
        ["topics", "list"],
        ["topics", "create"],
        ["topics", "describe"],
        ["topics", "alter"],
        ["topics", "delete"],
        ["groups"],
        ["groups", "list"],
        ["groups", "describe"],
        ["groups", "lag"],
        ["groups", "reset"],
        ["groups", "configs"],
        ["groups", "delete"],
        ["share"],
        ["share", "list"],
        ["share", "describe"],
        ["share", "offsets"],
        ["share", "reset"],
        ["share", "configs"],
        ["share", "delete"],
        ["share", "consume"],
        ["transactions"],
        ["transactions", "list"],
        ["transactions", "describe"],
        ["transactions", "producers"],
        ["transactions", "find-hanging"],
        ["transactions", "abort"],
        ["cluster"],
        ["completion"],
    ],
)
def test_every_command_has_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome([*command, "-h"]) == exit_codes.OK
    assert "Usage: barnabas" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["nope"], ["up", "--nope"], ["produce"], ["topics", "alter", "t"]])
def test_wrong_arguments_end_with_the_code_of_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome(arguments) == exit_codes.USAGE
    assert capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_for_the_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(["completion", shell]) == exit_codes.OK
    out = capsys.readouterr().out
    assert f"_BARNABAS_COMPLETE={shell}_complete" in out


def test_broker_starts_without_importing_a_client() -> None:
    program = (
        "import sys\n"
        "from barnabas.cli.root import outcome\n"
        "outcome(['up', '--set', 'nope=1'])\n"
        "print([name for name in ('confluent_kafka', 'barnabas.cli.topics', 're2', 'asyncio') "
        "if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("redirected", "code", "said"),
    [
        (
            ">/dev/full",
            exit_codes.FAILED,
            "error: The output can't be written: [Errno 28] No space left on device\n",
        ),
        (">&-", exit_codes.OK, ""),
        ("<&-", exit_codes.OK, ""),
    ],
)
def test_output_that_can_not_be_written_is_told(redirected: str, code: int, said: str) -> None:
    command = f"{sys.executable} -m barnabas completion bash {redirected}"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (code, said)
