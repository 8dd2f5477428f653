"""`barnabas groups configs`: what a group is told by its configs."""

from __future__ import annotations

import click

from barnabas.cli.config_changes import change_options, report
from barnabas.cli.connection import Connection, answering, connection_options
from barnabas.cli.groups.options import json_option
from barnabas.cli.output import print_json, print_table


@click.command()
@click.argument("name", metavar="GROUP")
@change_options
@click.option("-a", "--all", "everything", is_flag=True, help="Those too that have their default.")
@json_option
@connection_options
def configs(
    connection: Connection, name: str, changes: dict[str, str | None], everything: bool, as_json: bool
) -> None:
    """Show a group's configs, or change them.

    \b
      barnabas groups configs workers
      barnabas groups configs workers --set share.ordering=key --set share.retry.backoff.ms=500
      barnabas groups configs workers --reset share.ordering

    They may be set before there is such a group.
    """
    from barnabas.clients.admin.configs import ConfigResource
    from barnabas.config.describe import ConfigSource

    resource = ConfigResource.group(name)
    with connection.admin() as admin, answering(connection):
        if changes:
            altered = admin.with_options(raise_errors=False).alter_configs({resource: changes})
            report(altered, "altered", as_json=as_json, name=name)
            return
        entries = sorted(admin.describe_configs(resource)[resource].items())
    shown = [
        (key, entry)
        for key, entry in entries
        if everything or entry.source is ConfigSource.DYNAMIC_GROUP_CONFIG
    ]
    if as_json:
        print_json({key: entry.value for key, entry in shown})
    else:
        print_table(("CONFIG", "VALUE"), [(key, entry.value or "-") for key, entry in shown])
