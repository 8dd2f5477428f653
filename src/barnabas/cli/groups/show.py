"""Groups as people and programs read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from barnabas.cli.brokers import Brokers
from barnabas.cli.groups.model import SHARE, Group, ListedGroup, Member, Position, total_lag
from barnabas.cli.output import counted, print_json, print_table


def show_list(groups: Sequence[ListedGroup], *, long: bool, as_json: bool) -> None:
    """Names alone, a table, or JSON lines."""
    if as_json:
        for group in groups:
            print_json(
                {
                    "name": group.name,
                    "kind": group.kind,
                    "state": group.state,
                    "protocol_type": group.protocol_type,
                    "coordinator": group.coordinator,
                }
            )
    elif long:
        print_table(
            ("GROUP", "KIND", "STATE", "PROTOCOL", "COORDINATOR"),
            [(one.name, one.kind, one.state, one.protocol_type or "-", one.coordinator) for one in groups],
        )
    else:
        for group in groups:
            click.echo(group.name)


def show_group(brokers: Brokers, group: Group, positions: Sequence[Position]) -> None:
    """Everything about one group: a line, its partitions, its members."""
    members, lag = counted(len(group.members), "member"), or_dash(total_lag(positions))
    title = f"{group.kind} group, {group.state}, {members}, lag {lag}"
    click.echo(f"{click.style(group.name, bold=True)}: {title}")
    click.echo(f"  {', '.join(_details(brokers, group))}")
    if positions:
        owners = group.owners()
        print_table(
            ("TOPIC", "PARTITION", start_title(group.kind), "END", "LAG", "MEMBER"),
            [
                (*position_cells(position), ",".join(owners.get(position.place, ())) or "-")
                for position in positions
            ],
        )
    if group.members:
        click.echo()
        print_table(
            ("MEMBER", "CLIENT", "HOST", "INSTANCE", "EPOCH", "PARTITIONS"),
            [
                (
                    member.id,
                    member.client_id or "-",
                    member.host,
                    member.instance_id or "-",
                    or_dash(member.epoch),
                    _assignment(member),
                )
                for member in group.members
            ],
        )


def group_document(group: Group, positions: Sequence[Position]) -> dict[str, Any]:
    """Everything about one group, for programs."""
    return {
        "name": group.name,
        "kind": group.kind,
        "state": group.state,
        "coordinator": group.coordinator,
        "assignor": group.assignor or None,
        "epoch": group.epoch,
        "assignment_epoch": group.assignment_epoch,
        "lag": total_lag(positions),
        "offsets": [
            position.as_document() | ({"metadata": position.metadata} if position.metadata else {})
            for position in positions
        ],
        "members": [_member_document(member) for member in group.members],
    }


def position_cells(position: Position) -> tuple[object, ...]:
    """Topic, partition, offset, end and lag of a line."""
    return (
        position.topic,
        position.partition,
        or_dash(position.offset),
        or_dash(position.end),
        or_dash(position.lag),
    )


def start_title(kind: str) -> str:
    """What an offset of a group is called: a share group has a start offset, others have committed theirs."""
    return "START" if kind == SHARE else "COMMITTED"


def or_dash(value: object | None) -> object:
    """A cell for what may not be known."""
    return "-" if value is None else value


def partition_list(assignment: Mapping[str, Sequence[int]]) -> str:
    """`orders:0-2,5 payments:1`."""
    texts = [
        f"{topic}:{_ranges(partitions)}" for topic, partitions in sorted(assignment.items()) if partitions
    ]
    return " ".join(texts) or "-"


def _ranges(numbers: Sequence[int]) -> str:
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _details(brokers: Brokers, group: Group) -> list[str]:
    details = [f"coordinator {group.coordinator} ({brokers.address(group.coordinator)})"]
    if group.assignor:
        details.append(f"assignor {group.assignor}")
    if group.epoch is not None:
        details.append(f"epoch {group.epoch}")
        if group.assignment_epoch != group.epoch:
            details.append(f"assignment of epoch {group.assignment_epoch}")
    return details


def _assignment(member: Member) -> str:
    text = partition_list(member.assignment)
    if member.tasks:
        roles = [f"{role} tasks {partition_list(tasks)}" for role, tasks in member.tasks.items()]
        text = f"{text} ({'; '.join(roles)})"
    return text if member.target is None else f"{text} -> {partition_list(member.target)}"


def _member_document(member: Member) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": member.id,
        "client_id": member.client_id,
        "host": member.host,
        "instance_id": member.instance_id,
        "rack": member.rack,
        "epoch": member.epoch,
        "subscription": list(member.subscription),
        "assignment": _lists(member.assignment),
    }
    if member.target is not None:
        document["target"] = _lists(member.target)
    if member.tasks:
        document["tasks"] = {role: _lists(tasks) for role, tasks in member.tasks.items()}
    return document


def _lists(assignment: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    return {topic: list(partitions) for topic, partitions in sorted(assignment.items())}
