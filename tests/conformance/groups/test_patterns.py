"""Patterns of topic names mean what they mean to Apache Kafka's own engine, RE2/J."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import pytest

from barnabas._core import match_names
from tests.support.oracle import java

PROGRAM = Path(__file__).with_name("Patterns.java")
SEED = int(os.environ.get("SEED", "7"))
PATTERNS = 3000

PLAIN = ["a", "b", "z", "A", "0", "_", "-", ".", " ", "#", "é", "/", "&&", "~~", "--"]
ESCAPES = [
    "\\.", "\\d", "\\w", "\\s", "\\D", "\\W", "\\x41", "\\x{62}", "\\x{110000}", "\\101", "\\1",
    "\\08", "\\0",
    "\\a", "\\_", "\\<", "\\b", "\\B", "\\A", "\\z", "\\Z", "\\C", "\\e", "\\u0041", "\\Qa.b\\E",
    "\\Q*", "\\",
    "\\pL", "\\p{Lu}", "\\p{^Lu}", "\\PL", "\\p{Greek}", "\\p{Foo}", "\\p{}", "\\pé",
]  # fmt: skip
CLASSES = [
    "[a-c]", "[^a]", "[a&&b]", "[a[b]", "[]a]", "[^]a]", "[-a]", "[a-]", "[\\d-z]", "[a\\-z]", "[[:alpha:]]",
    "[[:^digit:]]", "[[:foo:]]", "[[:alpha]", "[é-ü]", "[z-a]", "[a-\\d]", "[\\w-]", "[\\x41-\\x43]",
    "[\\Qa\\E]", "[\\b]", "[a--b]", "[a~~b]", "[--/]", "[a-b-c]", "[",
]  # fmt: skip
GROUPS = [
    "(a)", "(a|b)", "(?:b)", "(?i)", "(?i:B)", "(?-i:b)", "(?s-i)", "(?x)", "(?P<n>a)", "(?<n>b)", "(?P<m>b)",
    "(?=a)", "(?<=a)", "(?<!a)", "(?!a)", "()", "(|a)", "(?)", "(?-)", "(?i-)", "(?i-i)", "(?ii)", "(?U)a",
    "(?m)^", "(?m)$", "(", ")", "|", "a|",
]  # fmt: skip
REPEATS = [
    "*",
    "+",
    "?",
    "*?",
    "??",
    "{2}",
    "{1,3}",
    "{0}",
    "{01}",
    "{1,}",
    "{1001}",
    "{3,2}",
    "{,2}",
    "{2",
    "{",
    "}",
]
OTHERS = ["^", "$", ".", ".*", ".+"]
ATOMS = PLAIN + ESCAPES + CLASSES + GROUPS + REPEATS + OTHERS

NAMES = [
    "a", "b", "ab", "aa", "aaa", "A", "B", "Ab", "a.b", "0", "_", "-", ".", "abc", "{", "a{,2}",
    "&", "[", "z",
    "orders-1", "a-b", "", "aab", "^", "E", "Q*", "~", "<",
]  # fmt: skip

UNLIKE = re.compile(r"\(\?[imsU-]*\)[*+?{]|\{[*+?{]")
"""RE2/J repeats what stands before flags in parentheses, and refuses to repeat a brace that is itself; here
the first is refused and the second is taken. Neither is worth more trouble."""


def patterns() -> list[str]:
    chance = random.Random(SEED)
    drawn = ("".join(chance.choices(ATOMS, k=chance.randint(2, 4))) for _ in range(PATTERNS))
    return [pattern for pattern in [*ATOMS, *drawn] if not UNLIKE.search(pattern)]


def matched(pattern: str) -> str:
    try:
        found = set(match_names(pattern, NAMES))
    except ValueError:
        return "E"
    return "".join("1" if name in found else "0" for name in NAMES)


@pytest.mark.oracle
def test_patterns_match_the_names_that_they_match_in_kafka() -> None:
    asked = patterns()
    lines = "".join("\t".join([pattern, *NAMES]) + "\n" for pattern in asked)
    program = java(str(PROGRAM), stdin=lines)
    assert program.returncode == 0, program.stderr
    kafka = program.stdout.split("\n")[:-1]
    differing = [
        (pattern, theirs, ours)
        for pattern, theirs in zip(asked, kafka, strict=True)
        if theirs != (ours := matched(pattern))
    ]
    assert not differing
