"""What instances tell one another, and whom they choose."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnabas.schema_registry.primary.identity import (
    DUPLICATE_URLS,
    Assignment,
    Identity,
    UnreadableIdentity,
    assign,
    assignment_of,
    identity_of,
)

identities = st.builds(
    Identity,
    st.text(min_size=1, max_size=20),
    st.integers(1, 65535),
    st.sampled_from(["http", "https"]),
    st.booleans(),
    st.booleans(),
)


def test_identities_have_the_bytes_of_other_registries() -> None:
    assert Identity("host", 8081).encode() == (
        b'{"version":1,"host":"host","port":8081,"master_eligibility":true,"scheme":"http","leader":false}'
    )
    # Karapace's says less of the leader and more of itself.
    theirs = b'{"version":2,"karapace_version":"5","host":"k","port":81,"master_eligibility":false}'
    assert identity_of(theirs) == Identity("k", 81, eligible=False)


def test_assignments_have_the_bytes_of_other_registries() -> None:
    ours = Assignment(0, "member-1", Identity("host", 8081, primary=True))
    assert json.loads(ours.encode()) == {
        "version": 1,
        "error": 0,
        "master": "member-1",
        "master_identity": {
            "version": 1,
            "host": "host",
            "port": 8081,
            "master_eligibility": True,
            "scheme": "http",
            "leader": True,
        },
    }
    nobody = b'{"version":1,"error":0,"master":null,"master_identity":{}}'
    assert assignment_of(nobody) == Assignment()
    assert assignment_of(b'{"version":1}') == Assignment()


@given(identities, st.text())
def test_what_is_told_is_read(identity: Identity, member_id: str) -> None:
    assert identity_of(identity.encode()) == identity
    assignment = Assignment(1, member_id, identity)
    assert assignment_of(assignment.encode()) == assignment


@given(
    st.binary()
    | st.recursive(st.none() | st.text(), lambda each: st.lists(each)).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_what_is_no_identity_is_refused(data: bytes) -> None:
    for read in (identity_of, assignment_of):
        with pytest.raises(UnreadableIdentity):
            read(data)


def test_the_primary_stays_and_else_the_smallest_url_is_chosen() -> None:
    b, c = Identity("b", 1), Identity("c", 1)
    assert assign({"1": c, "2": b}).member_id == "2"
    assert assign({"1": Identity("c", 1, primary=True), "2": b}).member_id == "1"
    both = {"1": Identity("c", 1, primary=True), "2": Identity("b", 1, primary=True)}
    assert assign(both).member_id == "2"
    assert assign({"1": c, "2": Identity("b", 1, eligible=False, primary=True)}).member_id == "1"
    assert assign({"1": Identity("c", 1, eligible=False)}) == Assignment()
    assert assign({"1": b, "2": b}).error == DUPLICATE_URLS


@given(st.dictionaries(st.text(max_size=3), identities, max_size=6))
def test_whoever_is_chosen_is_a_member_that_may_be(members: dict[str, Identity]) -> None:
    chosen = assign(members)
    if chosen.member_id is None:
        assert not any(identity.eligible for identity in members.values())
    else:
        assert chosen.primary is not None
        assert members[chosen.member_id].eligible
        assert members[chosen.member_id].url == chosen.primary.url
