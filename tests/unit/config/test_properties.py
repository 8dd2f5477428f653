"""Properties files are read as java.util.Properties reads them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnabas.config import PropertiesError
from barnabas.config.properties import parse_properties, read_properties


@pytest.mark.parametrize(
    ("text", "properties"),
    [
        ("a=b", {"a": "b"}),
        ("a = b ", {"a": "b "}),
        ("a:b", {"a": "b"}),
        ("a b", {"a": "b"}),
        ("a", {"a": ""}),
        ("a=", {"a": ""}),
        ("=b", {"": "b"}),
        ("  a\t=\f b", {"a": "b"}),
        ("a==b", {"a": "=b"}),
        ("a = = b", {"a": "= b"}),
        ("a : = b", {"a": "= b"}),
        ("# comment\n! comment\n\n  # comment\na=b", {"a": "b"}),
        ("a=b # no comment", {"a": "b # no comment"}),
        ("# comment \\\na=b", {"a": "b"}),
        ("a=one\\\n   two", {"a": "onetwo"}),
        ("a=one\\\\\nb=two", {"a": "one\\", "b": "two"}),
        ("a=one\\\r\n two\rb=c", {"a": "onetwo", "b": "c"}),
        ("a=one\\\n\nb=c", {"a": "one", "b": "c"}),
        ("a=one\\\n# two", {"a": "one# two"}),
        ("\\\n# comment\na=b", {"a": "b"}),
        ("a=one\\", {"a": "one"}),
        ("a\\ b\\=c\\:d=e", {"a b=c:d": "e"}),
        ('a=\\t\\n\\r\\f\\\\\\x\\"', {"a": '\t\n\r\f\\x"'}),
        ("a=\\u00e9\\u20AC", {"a": "é€"}),
        ("a=\\ud83d\\ude00", {"a": "😀"}),
        ("a=1\nb=2\na=3", {"b": "2", "a": "3"}),
        ("a=x\x85y\x0bz", {"a": "x\x85y\x0bz"}),
        ("", {}),
    ],
)
def test_text_is_read_as_java_reads_it(text: str, properties: dict[str, str]) -> None:
    assert parse_properties(text) == properties


def test_file_is_latin_1(tmp_path: Path) -> None:
    path = tmp_path / "server.properties"
    path.write_bytes(b"broker.rack=caf\xe9\n")
    assert read_properties(str(path)) == {"broker.rack": "café"}


def test_error_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "server.properties"
    path.write_text("a=b\n# comment\nc=\\u12x4\n")
    with pytest.raises(PropertiesError, match=r"server\.properties, line 3: .*'12x4'"):
        read_properties(str(path))


def test_missing_file_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(PropertiesError, match=r"nothing\.properties: can't be read: No such file"):
        read_properties(str(tmp_path / "nothing.properties"))


def escaped(text: str, *, key: bool) -> str:
    """A text as java.util.Properties stores it."""
    special = {"\t": "\\t", "\n": "\\n", "\r": "\\r", "\f": "\\f", "\\": "\\\\"}
    chars = []
    for index, char in enumerate(text):
        if char in special:
            chars.append(special[char])
        elif char in "=:#!" or (char == " " and (key or index == 0)):
            chars.append("\\" + char)
        elif " " <= char <= "~":
            chars.append(char)
        else:
            units = char.encode("utf-16-be", "surrogatepass")
            chars += [f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2)]
    return "".join(chars)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.dictionaries(texts, texts, max_size=5), st.sampled_from(["=", " = ", ":", " "]))
def test_stored_properties_are_read_back(properties: dict[str, str], separator: str) -> None:
    lines = []
    for name, value in properties.items():
        between = "=" if not name and separator == " " else separator
        lines.append(f"{escaped(name, key=True)}{between}{escaped(value, key=False)}\n")
    stored = "".join(lines)
    assert parse_properties(stored) == properties


@given(st.text("ab=: \t\f\\#!u0\n\r", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        properties = parse_properties(text)
    except PropertiesError:
        return
    assert all(isinstance(value, str) for value in properties.values())
