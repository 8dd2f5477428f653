"""`barnabas cluster`: what a cluster is made of."""

from typing import Any

import click

from barnabas.cli.connection import REQUEST_SECONDS_MAX, Connection, connection_options
from barnabas.cli.errors import CommandFailed, sentence
from barnabas.cli.output import print_json, print_table


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@connection_options
def cluster(connection: Connection, as_json: bool) -> None:
    """Show a cluster's id, its brokers and which of them is the controller.

    \b
      barnabas cluster
      barnabas cluster -b kafka.example.org:9092 --command-config client.properties --json
    """
    found = _describe(connection)
    if as_json:
        print_json(found)
        return
    click.echo(f"cluster     {found['cluster_id']}")
    click.echo(f"controller  {found['controller']}")
    click.echo(f"topics      {found['topics']} with {found['partitions']} partitions")
    click.echo()
    print_table(
        ("BROKER", "ADDRESS", "RACK"),
        [(broker["id"], broker["address"], broker["rack"] or "-") for broker in found["brokers"]],
    )


def _describe(connection: Connection) -> dict[str, Any]:
    from confluent_kafka import KafkaException

    admin = connection.admin()
    try:
        cluster = admin.describe_cluster(request_timeout=REQUEST_SECONDS_MAX).result()
        topics = admin.list_topics(timeout=REQUEST_SECONDS_MAX).topics
    except KafkaException as error:
        raise CommandFailed(
            f"The cluster at {connection.bootstrap} does not answer: {sentence(error)}"
        ) from error
    nodes = sorted(cluster.nodes, key=lambda node: node.id)
    return {
        "cluster_id": cluster.cluster_id,
        "controller": cluster.controller.id if cluster.controller is not None else None,
        "brokers": [
            {"id": node.id, "address": f"{node.host}:{node.port}", "rack": node.rack} for node in nodes
        ],
        "topics": len(topics),
        "partitions": sum(len(topic.partitions) for topic in topics.values()),
    }
