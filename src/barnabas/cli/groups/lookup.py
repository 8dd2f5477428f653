"""Which groups there are, and of what kind: the cluster's list is the one place that tells for all kinds."""

from __future__ import annotations

from collections.abc import Sequence

from barnabas.cli.brokers import Brokers, retried
from barnabas.cli.brokers.cluster import GROUP, check
from barnabas.cli.errors import CommandFailed
from barnabas.cli.groups.model import CLASSIC, ListedGroup
from barnabas.protocol.generated.list_groups_request import ListGroupsRequest
from barnabas.protocol.generated.list_groups_response import ListGroupsResponse


def list_groups(brokers: Brokers) -> list[ListedGroup]:
    """All groups that the caller may see, by name."""
    found = [group for node_id in brokers.ids for group in _groups_of(brokers, node_id)]
    return sorted(found, key=lambda group: group.name)


def find_groups(brokers: Brokers, names: Sequence[str], kind: str | None = None) -> list[ListedGroup]:
    """The named groups in the order of their names. CommandFailed when there is none of a name, or when one
    is not of the `kind`."""
    found = known_groups(brokers, names, kind)
    for name in names:
        if name not in found:
            noun = f"{kind} group" if kind else "group"
            raise CommandFailed(
                f"There is no {noun} {name}. `barnabas groups list` shows those that there are."
            )
    return [found[name] for name in dict.fromkeys(names)]


def known_groups(brokers: Brokers, names: Sequence[str], kind: str | None = None) -> dict[str, ListedGroup]:
    """Those of the named groups that there are. CommandFailed when one is not of the `kind`."""
    coordinators = retried(lambda: brokers.coordinators(GROUP, names))
    found = {
        group.name: group
        for node_id, mine in coordinators.items()
        for group in _groups_of(brokers, node_id)
        if group.name in mine
    }
    for group in found.values():
        if kind and group.kind != kind:
            raise CommandFailed(f"{group.name} is a {group.kind} group. Use `barnabas groups` for it.")
    return found


def _groups_of(brokers: Brokers, node_id: int) -> list[ListedGroup]:
    def ask() -> ListGroupsResponse:
        answer = brokers.ask(ListGroupsRequest(), ListGroupsResponse, node_id=node_id, lowest=4)
        check(answer.error_code)
        return answer

    return [
        # Before version 5 (Apache Kafka 3.8) kinds are not told.
        ListedGroup(
            group.group_id,
            group.group_type.lower() or CLASSIC,
            group.group_state,
            group.protocol_type,
            node_id,
        )
        for group in retried(ask).groups
    ]
