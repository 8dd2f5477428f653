"""The syntax of Java's Properties files, which is that of Kafka's `server.properties`.

A file is ISO-8859-1 with `\\uXXXX` for the rest. `#` or `!` begins a comment line; `=`, `:` or white space
ends a key; a backslash at the end of a line joins it with the next; the last of several equal keys wins.
"""

from collections.abc import Iterator

from .errors import PropertiesError

_BLANK = " \t\f"
_SEPARATORS = "=:"
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_HEX = frozenset("0123456789abcdefABCDEF")


def read_properties(path: str) -> dict[str, str]:
    """The properties in a file, in its order. Raises PropertiesError with path and line."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise PropertiesError(f"{path}: can't be read: {error.strerror}") from error
    try:
        return parse_properties(content.decode("latin-1"))
    except PropertiesError as error:
        raise PropertiesError(f"{path}, {error}") from error


def parse_properties(text: str) -> dict[str, str]:
    """The properties in a text, in its order. Raises PropertiesError with the number of the line."""
    properties: dict[str, str] = {}
    for number, line in _logical_lines(text):
        key, value = _split(line)
        try:
            name = _unescape(key)
            properties.pop(name, None)
            properties[name] = _unescape(value)
        except ValueError as error:
            raise PropertiesError(f"line {number}: {error}") from error
    return properties


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that hold a property, joined where they are continued, with the number of their first line."""
    parts: list[str] = []
    first = 0
    continued = False
    for number, natural in enumerate(_natural_lines(text), start=1):
        line = natural.lstrip(_BLANK)
        begun = any(parts)
        if not begun and (line.startswith(("#", "!")) or (not line and not continued)):
            continued = False
            continue
        if not parts:
            first = number
        backslashes = len(line) - len(line.rstrip("\\"))
        continued = backslashes % 2 == 1
        parts.append(line[:-1] if continued else line)
        if not continued:
            if any(parts):
                yield first, "".join(parts)
            parts = []
    if any(parts) or continued:  # Java takes a lone backslash at the end for a property without a name.
        yield first, "".join(parts)


def _natural_lines(text: str) -> list[str]:
    # Not splitlines(): to Java neither a form feed nor U+0085 ends a line.
    return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")


def _split(line: str) -> tuple[str, str]:
    """Key and value of a logical line, still escaped."""
    escaped = False
    for index, char in enumerate(line):
        if not escaped and char in _SEPARATORS + _BLANK:
            rest = line[index:].lstrip(_BLANK)
            if rest[:1] in _SEPARATORS:
                rest = rest[1:].lstrip(_BLANK)
            return line[:index], rest
        escaped = char == "\\" and not escaped
    return line, ""


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    chars: list[str] = []
    index = 0
    while index < len(text):
        char = text[index]
        index += 1
        if char != "\\" or index == len(text):
            chars.append(char if char != "\\" else "")
            continue
        escape = text[index]
        index += 1
        if escape != "u":
            chars.append(_ESCAPES.get(escape, escape))
            continue
        digits = text[index : index + 4]
        if len(digits) < 4 or not _HEX.issuperset(digits):
            raise ValueError(f"\\u must be followed by four hexadecimal digits, not by '{digits}'")
        chars.append(chr(int(digits, 16)))
        index += 4
    # Java writes a character beyond U+FFFF as two escapes, which are one character here.
    return "".join(chars).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
