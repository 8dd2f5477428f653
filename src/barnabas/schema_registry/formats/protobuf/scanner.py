"""Cuts the text of a .proto file into tokens; whitespace and comments are left out."""

import re
from dataclasses import dataclass

from barnabas.schema_registry.formats.model import InvalidSchema

_TOKEN = re.compile(
    r"""(?P<blank>(?:[ \t\r\n\f\v]+|//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/)+)
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<number>0[xX][0-9A-Fa-f]+|(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[fF]?)
    |(?P<string>"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*')
    |(?P<sign>[{}\[\]()<>=;,.:/+-])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(
    r"\\(?:[xX]([0-9A-Fa-f]{1,2})|([0-7]{1,3})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.S
)
_SIMPLE = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is word, number, string, sign or end; `at` is where it starts in the text."""

    kind: str
    text: str
    at: int


def tokens(text: str) -> list[Token]:
    """All tokens, closed by one of kind `end`."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        hit = _TOKEN.match(text, at)
        if hit is None:
            raise InvalidSchema(f"{position(text, at)}: unexpected {text[at]!r}")
        kind = str(hit.lastgroup)
        if kind != "blank":
            found.append(Token(kind, hit[0], at))
        at = hit.end()
    found.append(Token("end", "end of the text", at))
    return found


def position(text: str, at: int) -> str:
    """Line and column, both counted from one."""
    return f"line {text.count(chr(10), 0, at) + 1}, column {at - text.rfind(chr(10), 0, at)}"


def unquoted(literal: str) -> str:
    """What a string literal stands for. Escaped bytes become the characters of that number."""
    return _ESCAPE.sub(_unescaped, literal[1:-1]) if "\\" in literal else literal[1:-1]


def _unescaped(hit: re.Match[str]) -> str:
    code = hit[1] or hit[3] or hit[4]
    if code:
        return chr(min(int(code, 16), 0x10FFFF))
    return chr(int(hit[2], 8) & 0xFF) if hit[2] else _SIMPLE.get(hit[5], hit[5])
