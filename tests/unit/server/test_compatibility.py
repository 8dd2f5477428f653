"""docs/compatibility.md says what the code does."""

from barnabas.server import compatibility


def test_the_page_is_current() -> None:
    assert compatibility.PAGE.read_text() == compatibility.page(), "run `make reference`"


def test_every_api_of_the_release_is_on_it() -> None:
    rows = [line for line in compatibility.page().split("\n") if line.startswith("| ") and line[2].isdigit()]
    assert len(rows) == 91
