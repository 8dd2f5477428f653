"""Access control: who may do what with which resource."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from barnabas.clients.admin.acl_operation import AclOperation
from barnabas.clients.operation import Operations, operation
from barnabas.clients.plan import ANY, CONTROLLER, Plan, ask, at, each, error_of
from barnabas.clients.results import Results
from barnabas.protocol.generated.create_acls_request import AclCreation, CreateAclsRequest
from barnabas.protocol.generated.create_acls_response import CreateAclsResponse
from barnabas.protocol.generated.delete_acls_request import DeleteAclsFilter, DeleteAclsRequest
from barnabas.protocol.generated.delete_acls_response import DeleteAclsResponse
from barnabas.protocol.generated.describe_acls_request import DescribeAclsRequest
from barnabas.protocol.generated.describe_acls_response import DescribeAclsResponse


class AclResourceType(IntEnum):
    """Kinds of resources, with their codes on the wire."""

    UNKNOWN = 0
    ANY = 1
    TOPIC = 2
    GROUP = 3
    CLUSTER = 4
    TRANSACTIONAL_ID = 5
    DELEGATION_TOKEN = 6
    USER = 7


class PatternType(IntEnum):
    """How a resource's name is meant, with its code on the wire."""

    UNKNOWN = 0
    ANY = 1
    MATCH = 2
    """In filters: whatever concerns a resource of this name."""
    LITERAL = 3
    PREFIXED = 4


class AclPermission(IntEnum):
    """Yes or no, with its code on the wire."""

    UNKNOWN = 0
    ANY = 1
    DENY = 2
    ALLOW = 3


CLUSTER_NAME = "kafka-cluster"
"""The name of the one resource of type CLUSTER."""


@dataclass(frozen=True, slots=True)
class AclBinding:
    """Somebody may, or may not, do something with a resource."""

    resource_type: AclResourceType
    resource_name: str
    principal: str
    operation: AclOperation
    permission: AclPermission = AclPermission.ALLOW
    host: str = "*"
    pattern_type: PatternType = PatternType.LITERAL

    def __str__(self) -> str:
        verb = "may" if self.permission is AclPermission.ALLOW else "may not"
        prefix = "*" if self.pattern_type is PatternType.PREFIXED else ""
        what = f"{self.resource_type.name.lower()} {self.resource_name}{prefix}"
        host = "" if self.host == "*" else f" from {self.host}"
        return f"{self.principal} {verb} {self.operation.name.lower()} {what}{host}"


@dataclass(frozen=True, slots=True)
class AclFilter:
    """Which bindings are meant; None and ANY mean all."""

    resource_type: AclResourceType = AclResourceType.ANY
    resource_name: str | None = None
    principal: str | None = None
    operation: AclOperation = AclOperation.ANY
    permission: AclPermission = AclPermission.ANY
    host: str | None = None
    pattern_type: PatternType = PatternType.ANY


class AclBindings(tuple[AclBinding, ...]):
    """Bindings. Printed it has a line for each."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(map(str, self)) or "(none)"


class Acls(Operations):
    """Operations on access control."""

    @operation
    def describe_acls(self, matching: AclFilter = AclFilter()) -> Plan[AclBindings]:
        """The bindings that a filter matches."""
        answer = yield from ask(DescribeAclsRequest(*_filter(matching)), DescribeAclsResponse, ANY)
        return AclBindings(
            AclBinding(
                AclResourceType(resource.resource_type),
                resource.resource_name,
                one.principal,
                AclOperation(one.operation),
                AclPermission(one.permission_type),
                one.host,
                PatternType(resource.pattern_type),
            )
            for resource in answer.resources
            for one in resource.acls
        )

    @operation
    def create_acls(self, bindings: AclBinding | Iterable[AclBinding]) -> Plan[Results[AclBinding, None]]:
        """Adds bindings. That one is there already is no error."""

        def make(some: list[AclBinding]) -> CreateAclsRequest:
            return CreateAclsRequest(
                AclCreation(
                    int(one.resource_type),
                    one.resource_name,
                    int(one.pattern_type),
                    one.principal,
                    one.host,
                    int(one.operation),
                    int(one.permission),
                )
                for one in some
            )

        def read(answer: CreateAclsResponse, asked: list[AclBinding]) -> Iterator[tuple[AclBinding, Any]]:
            # Results come in the order of what was asked for.
            for binding, one in zip(asked, answer.results, strict=False):
                yield binding, error_of(one.error_code, one.error_message)

        wanted = [bindings] if isinstance(bindings, AclBinding) else bindings
        return (yield from each(wanted, at(CONTROLLER), make, read))

    @operation
    def delete_acls(self, filters: AclFilter | Iterable[AclFilter]) -> Plan[Results[AclFilter, AclBindings]]:
        """Removes the bindings that filters match, and tells which those were."""

        def make(some: list[AclFilter]) -> DeleteAclsRequest:
            return DeleteAclsRequest(DeleteAclsFilter(*_filter(one)) for one in some)

        def read(answer: DeleteAclsResponse, asked: list[AclFilter]) -> Iterator[tuple[AclFilter, Any]]:
            for wanted, one in zip(asked, answer.filter_results, strict=False):
                errors = (error_of(acl.error_code, acl.error_message) for acl in one.matching_acls)
                error = error_of(one.error_code, one.error_message) or next(filter(None, errors), None)
                yield (
                    wanted,
                    error
                    or AclBindings(
                        AclBinding(
                            AclResourceType(acl.resource_type),
                            acl.resource_name,
                            acl.principal,
                            AclOperation(acl.operation),
                            AclPermission(acl.permission_type),
                            acl.host,
                            PatternType(acl.pattern_type),
                        )
                        for acl in one.matching_acls
                    ),
                )

        wanted = [filters] if isinstance(filters, AclFilter) else filters
        return (yield from each(wanted, at(CONTROLLER), make, read))


def _filter(one: AclFilter) -> tuple[int, str | None, int, str | None, str | None, int, int]:
    """In the order of the fields of requests."""
    return (
        int(one.resource_type),
        one.resource_name,
        int(one.pattern_type),
        one.principal,
        one.host,
        int(one.operation),
        int(one.permission),
    )
