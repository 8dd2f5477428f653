"""From the schemas of the jars to our notation, and from the notation to code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codegen import error_counts
from codegen.__main__ import ROOT, differences, generate, write
from codegen.facts import load_apis, load_errors
from codegen.model import NONE, SchemaError, Versions, snake
from codegen.parse import format_message, load, parse
from codegen.python import message_file as python_file
from codegen.read_jars import convert, without_comments
from codegen.rust import condition

NOTATION = """\
SampleRequest request 7
versions 1-4
flexible 3+
listeners broker controller

Name string 1+ null=2+ default=null ignorable
Items []Item 1+
    Key string 1+ key
    Place Place 2-3 null=3 default=null
Tagged int32 3+ tag=0 default=-1
Other Place 4+
struct Place 2+
    Row int16 2+
"""


def test_generated_code_is_what_the_schemas_give() -> None:
    assert differences(generate(ROOT / "schemas"), ROOT) == []


def test_the_notation_comes_back() -> None:
    assert format_message(parse(NOTATION)) == NOTATION
    for message in load(ROOT / "schemas"):
        path = ROOT / "schemas" / message.kind / f"{message.name}.txt"
        assert format_message(message) == path.read_text()


def test_the_release_is_whole() -> None:
    messages = load(ROOT / "schemas")
    apis = load_apis(ROOT / "schemas", messages)
    assert len(apis) == 91
    assert sum(api.request.versions.highest - api.request.versions.lowest + 1 for api in apis) == 309
    assert sum(message.kind == "metadata" for message in messages) == 27
    assert len(load_errors(ROOT / "schemas")) == 138


def test_a_schema_of_the_jars_is_read() -> None:
    text = """
    // A comment with "quotes".
    { "apiKey": 7, "type": "request", "listeners": ["broker"], "name": "SampleRequest",
      /* another, over
         lines */
      "validVersions": "1-4", "flexibleVersions": "3+",
      "fields": [
        { "name": "Url", "type": "string", "versions": "0+", "about": "http://example // no comment" },
        { "name": "Gone", "type": "int8", "versions": "0" },
        { "name": "Limit", "type": "int32", "versions": "0+", "default": "0x7fffffff" },
        { "name": "Deep", "type": "Inner", "versions": "3+", "taggedVersions": "3+", "tag": 0,
          "nullableVersions": "3+", "default": null, "fields": [
          { "name": "Flag", "type": "bool", "versions": "3+", "default": "true" }] },
        { "name": "Only", "type": "int64", "taggedVersions": "4+", "tag": 1 } ] }
    """
    message = convert(json.loads(without_comments(text)))
    assert message is not None
    assert format_message(message) == (
        "SampleRequest request 7\nversions 1-4\nflexible 3+\nlisteners broker\n\n"
        "Url string 1+\nLimit int32 1+ default=2147483647\n"
        "Deep Inner 3+ null=3+ tag=0\n    Flag bool 3+ default=true\nOnly int64 4+ tag=1\n"
    )


def test_a_removed_message_has_no_schema() -> None:
    assert convert({"name": "StopReplicaRequest", "type": "request", "validVersions": "none"}) is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Name string 1+ colour=red", "unknown attribute"),
        ("Name string one", "not a range of versions"),
        ("Name string 1+ tag=0", "nothing is flexible"),
        ("Name string 3+ tag=1", "have gaps"),
    ],
)
def test_what_the_generators_do_not_understand_is_refused(line: str, reason: str) -> None:
    with pytest.raises(SchemaError, match=reason):
        parse(f"SampleRequest request 7\nversions 1-4\nflexible 3+\n\n{line}\n")


def test_ranges_of_versions() -> None:
    assert str(Versions.parse("2-9") & Versions.parse("5+")) == "5-9"
    assert (Versions.parse("2-3") & Versions.parse("5+")) == NONE
    assert 32767 in Versions.parse("5+")
    assert Versions.parse("3").covers(NONE)


@pytest.mark.parametrize(
    ("versions", "test"),
    [
        ("1+", None),
        ("3+", "version >= 3"),
        ("1-3", "version <= 3"),
        ("2", "version == 2"),
        ("2-3", "(2..=3).contains(&version)"),
        ("7+", "false"),
    ],
)
def test_a_range_becomes_the_shortest_test(versions: str, test: str | None) -> None:
    assert condition(Versions.parse(versions), Versions(1, 4)) == test


def test_names_are_snake_case() -> None:
    names = {"MaxWaitMs": "max_wait_ms", "KRaftVersionRecord": "kraft_version_record"}
    names |= {"Enable2Pc": "enable_2pc", "ISRNodes": "isr_nodes", "V3AndBelowTopics": "v3_and_below_topics"}
    assert {name: snake(name) for name in names} == names


def test_the_smallest_form_of_a_value_is_known() -> None:
    message = parse(NOTATION)
    # v1: key (2). v2: key (2) and place (2). v3: compact key, absent place, tags. v4: compact key, tags.
    assert [message.smallest_at("Item", version) for version in range(1, 5)] == [2, 4, 3, 2]


def test_python_classes_are_typed() -> None:
    code = python_file(parse(NOTATION))
    assert 'def __init__(self, key: str = "", place: Place | None = None) -> None:' in code
    assert "        other: Place | None = None,\n" in code
    assert "self.other = Place() if other is None else other" in code
    compile(code, "sample_request.py", "exec")


def test_error_codes_count_but_for_exceptions(tmp_path: Path) -> None:
    message = parse(
        "SampleResponse response 7\nversions 1-4\nflexible 3+\n\n"
        "ErrorCode int16 1+\nOtherErrorCode int16 1+\n"
        "Items []Item 2+\n    ErrorCode int16 2+\n    Name string 2+\n"
    )
    exceptions = tmp_path / "error_counts.txt"

    def counted(*lines: str) -> dict[str, list[str]]:
        exceptions.write_text("\n".join(("# RESPONSE FIELD RULE", *lines)))
        counts = error_counts.load(tmp_path, [message])
        return {
            struct.name: [f"{one.field.name} {one.rule}" for one in counts.of(message, struct)]
            for struct in message.all_structs()
        }

    assert counted() == {"Item": ["ErrorCode always"], "SampleResponse": ["ErrorCode always"]}
    found = counted("SampleResponse ErrorCode when-empty Items", "SampleResponse Item.ErrorCode never")
    assert found == {"Item": [], "SampleResponse": ["ErrorCode when-empty"]}
    assert counted("SampleResponse OtherErrorCode errors")["SampleResponse"] == [
        "ErrorCode always",
        "OtherErrorCode errors",
    ]
    for wrong in ("Item.Name never", "ErrorCode when-empty ErrorCode", "ErrorCode sometimes", "Gone never"):
        with pytest.raises(SchemaError, match="SampleResponse"):
            counted(f"SampleResponse {wrong}")


def test_what_nothing_generates_is_found_and_removed(tmp_path: Path) -> None:
    files = {"src/generated/a.py": "a", "src/generated/b.py": "b"}
    assert sorted(write(files, tmp_path)) == sorted(files)
    (tmp_path / "src/generated/old.py").write_text("old")
    (tmp_path / "src/generated/a.py").write_text("changed")
    assert differences(files, tmp_path) == ["src/generated/a.py", "src/generated/old.py"]
    write(files, tmp_path)
    assert differences(files, tmp_path) == []
    assert sorted(path.name for path in (tmp_path / "src/generated").iterdir()) == ["a.py", "b.py"]
