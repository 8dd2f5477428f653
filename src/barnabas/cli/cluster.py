"""`barnabas cluster`: what a cluster is made of."""

from typing import Any

import click

from barnabas.cli.connection import Connection, answering, connection_options
from barnabas.cli.output import print_json, print_table


@click.command()
@click.option("--features", is_flag=True, help="Features with their levels too.")
@click.option("--apis", is_flag=True, help="APIs with their versions too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@connection_options
def cluster(connection: Connection, features: bool, apis: bool, as_json: bool) -> None:
    """Show a cluster's id, its brokers and which of them is the controller.

    \b
      barnabas cluster
      barnabas cluster --features --apis
      barnabas cluster -b kafka.example.org:9092 --command-config client.properties --json
    """
    found = _describe(connection)
    if features or apis:
        found |= _versions(connection, features=features, apis=apis)
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
    if features:
        click.echo()
        print_table(
            ("FEATURE", "LEVEL", "LOWEST", "HIGHEST"),
            [(one["name"], one["level"], one["lowest"], one["highest"]) for one in found["features"]],
        )
    if apis:
        click.echo()
        print_table(
            ("KEY", "API", "LOWEST", "HIGHEST"),
            [(one["key"], one["name"], one["lowest"], one["highest"]) for one in found["apis"]],
        )


def _describe(connection: Connection) -> dict[str, Any]:
    with connection.admin() as admin, answering(connection):
        cluster = admin.describe_cluster()
        topics = admin.list_topics(internal=True)
    return {
        "cluster_id": cluster.cluster_id,
        "controller": cluster.controller,
        "brokers": [
            {"id": node.id, "address": f"{node.host}:{node.port}", "rack": node.rack}
            for node in cluster.nodes
        ],
        "topics": len(topics),
        "partitions": sum(topic.partitions for topic in topics.values()),
    }


def _versions(connection: Connection, *, features: bool, apis: bool) -> dict[str, Any]:
    """What the broker serves: levels of features (0: turned off) and versions of APIs."""
    from barnabas.cli.brokers import Brokers
    from barnabas.protocol.generated.index import API_NAMES

    with Brokers(connection) as brokers:
        answer = brokers.api_versions
    found: dict[str, Any] = {}
    if features:
        levels = {feature.name: feature.max_version_level for feature in answer.finalized_features}
        found["features"] = [
            {
                "name": feature.name,
                "level": levels.get(feature.name, 0),
                "lowest": feature.min_version,
                "highest": feature.max_version,
            }
            for feature in sorted(answer.supported_features, key=lambda feature: feature.name)
        ]
    if apis:
        found["apis"] = [
            {
                "key": api.api_key,
                "name": API_NAMES.get(api.api_key, "?"),
                "lowest": api.min_version,
                "highest": api.max_version,
            }
            for api in sorted(answer.api_keys, key=lambda api: api.api_key)
        ]
    return found
