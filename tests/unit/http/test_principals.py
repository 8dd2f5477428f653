"""Principals of certificates: what Apache Kafka's own rules make of the same names."""

from __future__ import annotations

import pytest

from barnabas.http.principals import PrincipalRules, PrincipalRulesInvalid

ALICE = "CN=alice,O=x"


@pytest.mark.parametrize(
    ("rules", "name", "principal"),
    [
        ("DEFAULT", ALICE, ALICE),
        ("RULE:^CN=(.*?),.*$/$1/", ALICE, "alice"),
        ("RULE:^CN=(.*?),.*$/$1/U,DEFAULT", ALICE, "ALICE"),
        ("RULE:^CN=(.*?)$/$1/", "OU=b,CN=Bob", None),
        (
            "RULE:^CN=(.*?),OU=U.*$/$1/, RULE:^.*CN=([a-zA-Z0-9.]*).*$/$1@$0/L, DEFAULT",
            "OU=b,CN=Bob.K,O=x",
            "bob.k@ou=b,cn=bob.k,o=x",
        ),
        ("RULE:CN=(.*)/a\\/b-$1/L", "CN=Eve", "a/b-eve"),
        ("RULE:CN=(a|(b)).*/[$2]/", "CN=abc", "[]"),
        # A pattern that fits nothing too fits once more, at the end.
        (r"RULE:.*/\$1/", "CN=Eve", "$1$1"),
        ("RULE:CN=(.*)/$2/", "CN=Eve", "$2"),
    ],
)
def test_the_first_rule_that_fits_decides(rules: str, name: str, principal: str | None) -> None:
    assert PrincipalRules(rules).principal(name) == principal


@pytest.mark.parametrize("rules", ["RULE:x", "RULE:CN=(/$1/", "nonsense", "DEFAULT DEFAULT"])
def test_rules_that_can_not_be_read_are_refused(rules: str) -> None:
    with pytest.raises(PrincipalRulesInvalid):
        PrincipalRules(rules)
