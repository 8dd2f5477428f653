"""Tables, JSON lines and messages."""

import pytest

from barnabas.cli.output import counted, print_error, print_json, print_table


def test_columns_are_as_wide_as_their_cells(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("TOPIC", "PARTITIONS"), [("a", 12), ("orders", 3)])
    assert capsys.readouterr().out.splitlines() == [
        "TOPIC   PARTITIONS",
        "a               12",
        "orders           3",
    ]


def test_dash_among_numbers_stands_at_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("RACK", "LAG"), [("-", 12), ("-", "-")])
    assert capsys.readouterr().out.splitlines() == ["RACK  LAG", "-      12", "-       -"]


def test_table_without_rows_has_its_header(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("TOPIC", "N"), [])
    assert capsys.readouterr().out == "TOPIC  N\n"


def test_json_keeps_letters_readable(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "é", "n": 1})
    assert capsys.readouterr().out == '{"name": "é", "n": 1}\n'


def test_errors_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    print_error("bad")
    assert capsys.readouterr() == ("", "error: bad\n")


def test_nouns_follow_their_number() -> None:
    assert [counted(n, "partition") for n in (0, 1, 2)] == ["0 partitions", "1 partition", "2 partitions"]
