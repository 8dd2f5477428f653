"""`barnabas topics`: list, create, describe, alter and delete topics."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from barnabas.cli.connection import REQUEST_SECONDS_MAX, Connection, connection_options
from barnabas.cli.errors import CommandFailed, sentence
from barnabas.cli.output import counted, print_json, print_table

if TYPE_CHECKING:
    from concurrent.futures import Future

    from confluent_kafka.admin import AdminClient, TopicMetadata

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")


@click.group()
def topics() -> None:
    """List, create, describe, alter and delete topics.

    \b
      barnabas topics create orders --partitions 6 --set retention.ms=86400000
      barnabas topics describe orders
      barnabas topics alter orders --set compression.type=zstd --reset retention.ms
    """


@topics.command("list")
@click.option("-l", "--long", is_flag=True, help="With partitions and replicas.")
@click.option("-a", "--all", "internal", is_flag=True, help="Internal topics too.")
@json_option
@connection_options
def list_topics(connection: Connection, long: bool, internal: bool, as_json: bool) -> None:
    """Print the names of all topics."""
    metadata = _metadata(connection.admin(), connection)
    found = [topic for name, topic in sorted(metadata.items()) if internal or not name.startswith("__")]
    if as_json:
        for topic in found:
            print_json(
                {
                    "name": topic.topic,
                    "partitions": len(topic.partitions),
                    "replication_factor": _replicas(topic),
                }
            )
    elif long:
        print_table(
            ("TOPIC", "PARTITIONS", "REPLICAS"),
            [(topic.topic, len(topic.partitions), _replicas(topic)) for topic in found],
        )
    else:
        for topic in found:
            click.echo(topic.topic)


@topics.command()
@click.argument("names", metavar="TOPIC...", nargs=-1, required=True)
@click.option(
    "-p", "--partitions", type=click.IntRange(1), metavar="N", help="[default: the broker's num.partitions]"
)
@click.option(
    "-r",
    "--replication-factor",
    type=click.IntRange(1),
    metavar="N",
    help="[default: the broker's default.replication.factor]",
)
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A topic config. May be repeated."
)
@click.option("--if-not-exists", is_flag=True, help="Be content when the topic is there already.")
@json_option
@connection_options
def create(
    connection: Connection,
    names: Sequence[str],
    partitions: int | None,
    replication_factor: int | None,
    settings: Sequence[str],
    if_not_exists: bool,
    as_json: bool,
) -> None:
    """Create topics.

    \b
      barnabas topics create orders
      barnabas topics create events -p 12 --set cleanup.policy=compact
    """
    from confluent_kafka.admin import NewTopic

    config = _settings(settings)
    admin = connection.admin()
    futures = admin.create_topics(
        [
            NewTopic(name, partitions or -1, replication_factor=replication_factor or -1, config=config)
            for name in names
        ],
        request_timeout=REQUEST_SECONDS_MAX,
    )
    ignored = {"TOPIC_ALREADY_EXISTS"} if if_not_exists else set()
    _report(futures, "created", as_json=as_json, ignored=ignored)


@topics.command()
@click.argument("names", metavar="TOPIC...", nargs=-1, required=True)
@click.option("--if-exists", is_flag=True, help="Be content when there is no such topic.")
@click.option("-y", "--yes", is_flag=True, help="Don't ask.")
@json_option
@connection_options
def delete(connection: Connection, names: Sequence[str], if_exists: bool, yes: bool, as_json: bool) -> None:
    """Delete topics and all their records.

    Asks before it does so when a person is at the terminal.
    """
    if not yes and sys.stdin.isatty():
        what = f"topic {names[0]}" if len(names) == 1 else f"{len(names)} topics ({', '.join(names)})"
        click.confirm(f"Delete {what} with all records?", abort=True, err=True)
    admin = connection.admin()  # Held until the outcome is there: a client that is gone answers nothing.
    futures = admin.delete_topics(list(names), request_timeout=REQUEST_SECONDS_MAX)
    ignored = {"UNKNOWN_TOPIC_OR_PART"} if if_exists else set()
    _report(futures, "deleted", as_json=as_json, ignored=ignored)


@topics.command()
@click.argument("names", metavar="TOPIC...", nargs=-1, required=True)
@json_option
@connection_options
def describe(connection: Connection, names: Sequence[str], as_json: bool) -> None:
    """Show topics' partitions, and the configs that differ from the default."""
    admin = connection.admin()
    metadata = _metadata(admin, connection)
    if missing := [name for name in names if name not in metadata]:
        raise CommandFailed(f"There is no topic {missing[0]}.")
    configs = _configs(admin, names)
    for position, name in enumerate(names):
        topic, changed = metadata[name], configs[name]
        if as_json:
            print_json(_as_document(topic, changed))
            continue
        if position:
            click.echo()
        click.echo(
            f"{click.style(name, bold=True)}: {counted(len(topic.partitions), 'partition')}, "
            f"{counted(_replicas(topic), 'replica')}"
        )
        for key, value in sorted(changed.items()):
            click.echo(f"  {key}={value}")
        print_table(
            ("PARTITION", "LEADER", "REPLICAS", "IN SYNC"),
            [
                (index, partition.leader, _ids(partition.replicas), _ids(partition.isrs))
                for index, partition in sorted(topic.partitions.items())
            ],
        )


@topics.command()
@click.argument("name", metavar="TOPIC")
@click.option("-p", "--partitions", type=click.IntRange(1), metavar="N", help="Grow to N partitions.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set a config. May be repeated.")
@click.option(
    "--reset", "resets", multiple=True, metavar="KEY", help="Give a config its default back. May be repeated."
)
@json_option
@connection_options
def alter(
    connection: Connection,
    name: str,
    partitions: int | None,
    settings: Sequence[str],
    resets: Sequence[str],
    as_json: bool,
) -> None:
    """Change a topic's configs, or give it more partitions.

    \b
      barnabas topics alter orders --set retention.ms=3600000
      barnabas topics alter orders --reset retention.ms
      barnabas topics alter orders --partitions 12
    """
    from confluent_kafka.admin import (
        AlterConfigOpType,
        ConfigEntry,
        ConfigResource,
        NewPartitions,
        ResourceType,
    )

    changes = _settings(settings)
    if not changes and not resets and partitions is None:
        raise click.UsageError("Say what to change: --set, --reset or --partitions.")
    admin = connection.admin()
    if changes or resets:
        entries = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
            for key, value in changes.items()
        ]
        entries += [ConfigEntry(key, None, incremental_operation=AlterConfigOpType.DELETE) for key in resets]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        altered = admin.incremental_alter_configs([resource], request_timeout=REQUEST_SECONDS_MAX)
        _report({name: next(iter(altered.values()))}, "altered", as_json=as_json)
    if partitions is not None:
        grown = admin.create_partitions(
            [NewPartitions(name, partitions)], request_timeout=REQUEST_SECONDS_MAX
        )
        _report(grown, f"has {counted(partitions, 'partition')} now", as_json=as_json)


def _settings(texts: Sequence[str]) -> dict[str, str]:
    settings = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise click.BadParameter(f"'{text}' must be written as key=value", param_hint="--set")
        settings[key.strip()] = value
    return settings


def _metadata(admin: "AdminClient", connection: Connection) -> "Mapping[str, TopicMetadata]":
    from confluent_kafka import KafkaException

    try:
        topics: Mapping[str, TopicMetadata] = admin.list_topics(timeout=REQUEST_SECONDS_MAX).topics
    except KafkaException as error:
        raise CommandFailed(
            f"The cluster at {connection.bootstrap} does not answer: {sentence(error)}"
        ) from error
    return topics


def _configs(admin: "AdminClient", names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Configs of each topic that are set for it."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import ConfigResource, ConfigSource, ResourceType

    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    found = {}
    for resource, future in admin.describe_configs(resources, request_timeout=REQUEST_SECONDS_MAX).items():
        try:
            entries = future.result()
        except KafkaException as error:
            raise CommandFailed(f"The configs of {resource.name} can't be read: {sentence(error)}") from error
        own = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
        found[resource.name] = {entry.name: entry.value for entry in entries.values() if entry.source == own}
    return found


def _report(
    futures: "Mapping[str, Future[Any]]", done: str, *, as_json: bool, ignored: set[str] | None = None
) -> None:
    """Waits for the outcome of each topic; raises CommandFailed at the end when one failed."""
    from confluent_kafka import KafkaException

    failures = []
    for name, future in futures.items():
        problem = None
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].name() not in (ignored or ()):
                problem = sentence(error)
                failures.append(f"{name}: {problem}")
        if as_json:
            print_json({"name": name, "ok": problem is None, "error": problem})
        elif problem is None:
            click.echo(f"{name} {done}")
    if failures:
        raise CommandFailed("\n".join(failures))


def _replicas(topic: "TopicMetadata") -> int:
    return max((len(partition.replicas) for partition in topic.partitions.values()), default=0)


def _ids(brokers: Sequence[int]) -> str:
    return ",".join(map(str, brokers))


def _as_document(topic: "TopicMetadata", configs: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": topic.topic,
        "configs": dict(sorted(configs.items())),
        "partitions": [
            {
                "partition": index,
                "leader": partition.leader,
                "replicas": list(partition.replicas),
                "in_sync": list(partition.isrs),
            }
            for index, partition in sorted(topic.partitions.items())
        ],
    }
