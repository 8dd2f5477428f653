"""`barnabas topics`: list, create, describe, alter and delete topics."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from barnabas.cli.config_changes import change_options, report, settings_of
from barnabas.cli.connection import Connection, answering, connection_options
from barnabas.cli.errors import CommandFailed
from barnabas.cli.output import counted, print_json, print_table

if TYPE_CHECKING:
    from barnabas.clients.admin.client import Admin
    from barnabas.clients.admin.topics import TopicDescription

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
    with connection.admin() as admin, answering(connection):
        listed = admin.list_topics(internal=True)
    found = [topic for name, topic in sorted(listed.items()) if internal or not name.startswith("__")]
    if as_json:
        for topic in found:
            print_json(
                {
                    "name": topic.name,
                    "partitions": topic.partitions,
                    "replication_factor": topic.replication_factor,
                }
            )
    elif long:
        print_table(
            ("TOPIC", "PARTITIONS", "REPLICAS"),
            [(topic.name, topic.partitions, topic.replication_factor) for topic in found],
        )
    else:
        for topic in found:
            click.echo(topic.name)


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
    from barnabas.clients.admin.topics import BROKER_DEFAULT, NewTopic
    from barnabas.errors import TopicAlreadyExists

    config = settings_of(settings)
    wanted = [
        NewTopic(name, partitions or BROKER_DEFAULT, replication_factor or BROKER_DEFAULT, config)
        for name in names
    ]
    with connection.admin() as admin, answering(connection):
        created = admin.with_options(raise_errors=False).create_topics(wanted)
    report(created, "created", as_json=as_json, ignored=(TopicAlreadyExists,) if if_not_exists else ())


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
    from barnabas.errors import UnknownTopicOrPartition

    with connection.admin() as admin, answering(connection):
        deleted = admin.with_options(raise_errors=False).delete_topics(names)
    report(deleted, "deleted", as_json=as_json, ignored=(UnknownTopicOrPartition,) if if_exists else ())


@topics.command()
@click.argument("names", metavar="TOPIC...", nargs=-1, required=True)
@json_option
@connection_options
def describe(connection: Connection, names: Sequence[str], as_json: bool) -> None:
    """Show topics' partitions, and the configs that differ from the default."""
    from barnabas.errors import UnknownTopicOrPartition

    with connection.admin() as admin, answering(connection):
        described = admin.with_options(raise_errors=False).describe_topics(names)
        for name, error in described.errors.items():
            if isinstance(error, UnknownTopicOrPartition):
                raise CommandFailed(f"There is no topic {name}.") from error
        described.check()
        configs = _configs(admin, names)
    for position, name in enumerate(names):
        topic, changed = described[name], configs[name]
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
                (one.partition, _leader(one.leader), _ids(one.replicas), _ids(one.isr))
                for one in topic.partitions
            ],
        )


@topics.command()
@click.argument("name", metavar="TOPIC")
@click.option("-p", "--partitions", type=click.IntRange(1), metavar="N", help="Grow to N partitions.")
@change_options
@json_option
@connection_options
def alter(
    connection: Connection,
    name: str,
    partitions: int | None,
    changes: dict[str, str | None],
    as_json: bool,
) -> None:
    """Change a topic's configs, or give it more partitions.

    \b
      barnabas topics alter orders --set retention.ms=3600000
      barnabas topics alter orders --reset retention.ms
      barnabas topics alter orders --partitions 12
    """
    from barnabas.clients.admin.configs import ConfigResource

    if not changes and partitions is None:
        raise click.UsageError("Say what to change: --set, --reset or --partitions.")
    with connection.admin() as admin, answering(connection):
        admin = admin.with_options(raise_errors=False)
        if changes:
            resource = ConfigResource.topic(name)
            report(admin.alter_configs({resource: changes}), "altered", as_json=as_json, name=name)
        if partitions is not None:
            grown = admin.create_partitions({name: partitions})
            report(grown, f"has {counted(partitions, 'partition')} now", as_json=as_json)


def _configs(admin: "Admin", names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Configs of each topic that are set for it."""
    from barnabas.clients.admin.configs import ConfigResource
    from barnabas.config.describe import ConfigSource

    found = {}
    for resource, configs in admin.describe_configs(map(ConfigResource.topic, names)).items():
        own = (
            (name, one) for name, one in configs.items() if one.source is ConfigSource.DYNAMIC_TOPIC_CONFIG
        )
        found[resource.name] = {name: one.value or "" for name, one in own}
    return found


def _replicas(topic: "TopicDescription") -> int:
    return max((len(partition.replicas) for partition in topic.partitions), default=0)


def _leader(node_id: int | None) -> int:
    return -1 if node_id is None else node_id


def _ids(brokers: Sequence[int]) -> str:
    return ",".join(map(str, brokers))


def _as_document(topic: "TopicDescription", configs: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": topic.name,
        "configs": dict(sorted(configs.items())),
        "partitions": [
            {
                "partition": one.partition,
                "leader": _leader(one.leader),
                "replicas": list(one.replicas),
                "in_sync": list(one.isr),
            }
            for one in topic.partitions
        ],
    }
