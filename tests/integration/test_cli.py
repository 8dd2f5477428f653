"""The command line against a live cluster, as pipes and people use it."""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(bootstrap: str) -> Run:
    """Runs a command against the cluster; its output, and an exit code that must be the one expected."""

    def call(*arguments: str, stdin: str = "", code: int = 0) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "barnabas", *arguments, "--bootstrap", bootstrap]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == code, done.stderr
        return done

    return call


def test_first_message_of_a_fresh_topic_flows(run: Run, topic: str) -> None:
    run("produce", topic, stdin="hello\nworld\n")
    assert run("consume", topic).stdout == "hello\nworld\n"


def test_keys_headers_and_offsets_are_shown(run: Run, topic: str) -> None:
    run("topics", "create", topic, "-p", "1")
    run("produce", topic, "-K", ":", "-H", "from=test", stdin="a:1\nb:2\n")
    assert run("consume", topic, "--keys").stdout == "a\t1\nb\t2\n"
    assert (
        run("consume", topic, "--format", "%p:%o %h %k=%v").stdout == "0:0 from=test a=1\n0:1 from=test b=2\n"
    )
    assert "00000000  31" in run("consume", topic, "--format", "hex").stdout


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_topic_is_copied_by_a_pipe_of_json(run: Run, topic: str, codec: str) -> None:
    run("topics", "create", topic, f"{topic}-copy", "-p", "2")
    lines = [
        {"key": str(i), "value": {"n": i}, "headers": {"h": "é"}, "partition": i % 2, "timestamp": 1000 + i}
        for i in range(50)
    ]
    run("produce", topic, "--json", "-z", codec, stdin="".join(json.dumps(line) + "\n" for line in lines))
    dump = run("consume", topic, "--json").stdout
    report = run("produce", f"{topic}-copy", "--json", "--report", stdin=dump).stdout
    assert len(report.splitlines()) == 50
    copied = [json.loads(line) for line in run("consume", f"{topic}-copy", "--json").stdout.splitlines()]
    original = [json.loads(line) for line in dump.splitlines()]
    for record in (*copied, *original):
        del record["topic"]
    by_place = {(record["partition"], record["offset"]): record for record in original}
    assert {(record["partition"], record["offset"]): record for record in copied} == by_place
    assert json.loads(by_place[1, 0]["value"]) == {"n": 1}


def test_delete_marker_is_a_null_value(run: Run, topic: str) -> None:
    run("produce", topic, "--json", stdin='{"key": "k", "value": null}\n')
    record = json.loads(run("consume", topic, "--json").stdout)
    assert (record["key"], record["value"]) == ("k", None)


def test_reading_begins_where_it_is_told(run: Run, topic: str) -> None:
    # The timestamps are of another year: retention by time would delete them between two of these commands.
    run("topics", "create", topic, "-p", "1", "--set", "retention.ms=-1")
    lines = [json.dumps({"value": str(i), "timestamp": 1_700_000_000_000 + i * 1000}) for i in range(10)]
    run("produce", topic, "--json", stdin="\n".join(lines) + "\n")
    for start, first in (("7", 7), ("-2", 8), ("@1700000005000", 5), ("2023-11-14T22:13:24Z", 4), ("99", 10)):
        assert run("consume", topic, "--from", start).stdout.split() == [str(i) for i in range(first, 10)]
    assert run("consume", topic, "--from", "3", "-n", "2").stdout.split() == ["3", "4"]
    assert run("consume", topic, "--from", "-1h").stdout == ""
    assert run("consume", topic, "--from", "end", "--exit-at-end").stdout == ""
    assert run("consume", topic, "--follow", "-n", "10").stdout.split() == [str(i) for i in range(10)]


def test_a_group_goes_on_where_it_has_stopped(run: Run, topic: str) -> None:
    run("produce", topic, stdin="1\n2\n3\n")
    assert run("consume", topic, "--group", topic, "-n", "2").stdout == "1\n2\n"
    assert run("consume", topic, "--group", topic).stdout == "3\n"
    run("produce", topic, stdin="4\n")
    assert run("consume", topic, "--group", topic, "-X", "group.protocol=consumer").stdout == "4\n"
    assert run("consume", topic, "--group", topic, "--exit-at-end").stdout == ""
    assert run("consume", topic, "--group", f"{topic}-late", "--from", "end", "--exit-at-end").stdout == ""
    assert "--from takes beginning or end" in run("consume", topic, "-g", "g", "--from", "3", code=2).stderr
    assert "leave out --partition" in run("consume", topic, "-g", "g", "-p", "0", code=2).stderr


def test_partition_is_chosen(run: Run, topic: str) -> None:
    run("topics", "create", topic, "-p", "3")
    run("produce", topic, "-p", "2", stdin="two\n")
    assert run("consume", topic, "-p", "2").stdout == "two\n"
    assert run("consume", topic, "-p", "0", "-p", "1").stdout == ""
    assert "has no partition 3: they go from 0 to 2" in run("consume", topic, "-p", "3", code=1).stderr


def test_what_can_not_be_written_is_told(run: Run, topic: str) -> None:
    run("topics", "create", topic, "--set", "max.message.bytes=1000")
    done = run("produce", topic, stdin="short\n" + "long" * 1000 + "\n", code=1)
    assert f"error: A record was not written to {topic}: " in done.stderr
    assert "Topic has-no-such/name can't be written" in run("produce", "has-no-such/name", code=1).stderr


def test_a_share_group_prints_what_it_accepts(run: Run, topic: str) -> None:
    run("produce", topic, "-K", ":", stdin="a:1\nb:2\nc:3\n")
    group = ("--group", topic)
    run("share", "reset", topic, "--topic", topic, "--to-earliest", "--yes")
    assert run("share", "consume", topic, *group, "-n", "2", "--keys").stdout == "a\t1\nb\t2\n"
    assert run("share", "consume", topic, *group, "-n", "1").stdout == "3\n"
    assert run("share", "consume", topic, *group, "--idle", "0.2").stdout == ""


def test_bad_line_is_told_with_its_number(run: Run, topic: str) -> None:
    done = run("produce", topic, "--json", stdin='{"value": "a"}\nhello\n', code=1)
    assert "error: line 2: this is no JSON" in done.stderr


def test_topic_lives_from_create_to_delete(run: Run, topic: str) -> None:
    assert (
        run("topics", "create", topic, "-p", "2", "--set", "retention.ms=5000").stdout == f"{topic} created\n"
    )
    assert f"{topic}: Topic '{topic}' already exists" in run("topics", "create", topic, code=1).stderr
    run("topics", "create", topic, "--if-not-exists")
    assert topic in run("topics", "list").stdout.split()
    found = json.loads(run("topics", "describe", topic, "--json").stdout)
    assert found["configs"]["retention.ms"] == "5000"
    assert [partition["partition"] for partition in found["partitions"]] == [0, 1]
    run("topics", "alter", topic, "--partitions", "4", "--set", "segment.ms=60000", "--reset", "retention.ms")
    found = json.loads(run("topics", "describe", topic, "--json").stdout)
    assert len(found["partitions"]) == 4
    assert found["configs"]["segment.ms"] == "60000"
    assert "retention.ms" not in found["configs"]
    shown = run("topics", "describe", topic).stdout
    assert f"{topic}: 4 partitions, 1 replica" in shown
    assert "  segment.ms=60000\n" in shown
    assert run("topics", "delete", topic).stdout == f"{topic} deleted\n"
    run("topics", "delete", topic, "--if-exists")
    assert json.loads(run("topics", "delete", topic, "--json", code=1).stdout)["ok"] is False
    assert f"There is no topic {topic}." in run("topics", "describe", topic, code=1).stderr


def test_wrong_config_is_refused_with_the_reason(run: Run, topic: str) -> None:
    run("topics", "create", topic)
    refused = run("topics", "alter", topic, "--set", "retention.ms=soon", code=1).stderr
    assert "Invalid value soon for configuration retention.ms" in refused
    assert (
        "Unknown topic config name: nope" in run("topics", "alter", topic, "--set", "nope=1", code=1).stderr
    )


def test_list_is_for_pipes_and_long_for_people(run: Run, topic: str) -> None:
    run("topics", "create", topic, "-p", "2")
    assert run("topics", "list", "--long").stdout.splitlines()[0].split() == [
        "TOPIC",
        "PARTITIONS",
        "REPLICAS",
    ]
    documents = [json.loads(line) for line in run("topics", "list", "--json").stdout.splitlines()]
    assert {"name": topic, "partitions": 2, "replication_factor": 1} in documents


def test_cluster_is_described(run: Run, bootstrap: str) -> None:
    found = json.loads(run("cluster", "--json").stdout)
    assert len(found["cluster_id"]) == 22
    assert found["controller"] == found["brokers"][0]["id"]
    assert found["brokers"][0]["address"] == bootstrap
    shown = run("cluster").stdout
    assert shown.startswith(f"cluster     {found['cluster_id']}\n")


def test_features_and_apis_are_shown(run: Run) -> None:
    found = json.loads(run("cluster", "--features", "--apis", "--json").stdout)
    levels = {feature["name"]: feature["level"] for feature in found["features"]}
    assert levels["metadata.version"] > 0
    assert {"key": 18, "name": "ApiVersions", "lowest": 0}.items() <= next(
        api for api in found["apis"] if api["key"] == 18
    ).items()
    shown = run("cluster", "--features").stdout
    assert "FEATURE" in shown
    assert "ApiVersions" not in shown


def test_reader_that_has_enough_ends_the_pipe_quietly(run: Run, bootstrap: str, topic: str) -> None:
    run("produce", topic, stdin="".join(f"{i}\n" for i in range(20_000)))
    command = [sys.executable, "-m", "barnabas", "consume", topic, "--bootstrap", bootstrap]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as consuming:
        assert consuming.stdout is not None
        assert consuming.stderr is not None
        consuming.stdout.readline()
        consuming.stdout.close()
        assert consuming.stderr.read() == b""
        assert consuming.wait(60) == 0
