"""Goes through the tokens of a .proto file, with errors that say where."""

from barnabas.schema_registry.formats.model import InvalidSchema
from barnabas.schema_registry.formats.protobuf.scanner import Token, position, tokens, unquoted


class TokenReader:
    """Holds the next token; the ones after it can be looked at."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens(text)
        self.at = 0

    @property
    def next(self) -> Token:
        return self.tokens[self.at]

    @property
    def ahead(self) -> Token:
        """The token after the next."""
        return self.tokens[min(self.at + 1, len(self.tokens) - 1)]

    @property
    def second(self) -> Token:
        """The token after the one ahead."""
        return self.tokens[min(self.at + 2, len(self.tokens) - 1)]

    def error(self, message: str) -> InvalidSchema:
        """An error at the next token."""
        return InvalidSchema(f"{position(self.text, self.next.at)}: {message}")

    def error_before(self, message: str) -> InvalidSchema:
        """An error at the token that was read last."""
        return InvalidSchema(f"{position(self.text, self.tokens[max(self.at - 1, 0)].at)}: {message}")

    def is_next(self, first: str, second: str) -> bool:
        """Whether the next two tokens are these."""
        return self.next.text == first and self.ahead.text == second

    def skip(self, text: str) -> bool:
        """Reads the next token if it is this sign or word."""
        if self.next.text != text or self.next.kind == "string":
            return False
        self.at += 1
        return True

    def expect(self, sign: str) -> None:
        """Reads this sign, or raises."""
        if not self.skip(sign):
            raise self.error(f"expected {sign!r}, found {self.next.text[:40]!r}")

    def word(self, what: str) -> str:
        """Reads a word; `what` says for the error what it would have been."""
        if self.next.kind != "word":
            raise self.error(f"expected {what}, found {self.next.text[:40]!r}")
        self.at += 1
        return self.tokens[self.at - 1].text

    def full_name(self) -> str:
        """Words with dots between them."""
        parts = [self.word("a name")]
        while self.skip("."):
            parts.append(self.word("a name"))
        return ".".join(parts)

    def type_name(self) -> str:
        """A full name, with a dot before it if it is meant from the root."""
        return ("." if self.skip(".") else "") + self.full_name()

    def integer(self, least: int, most: int, what: str) -> int:
        """A whole number, decimal, hexadecimal or octal, within bounds."""
        negative = self.skip("-")
        text = self.next.text
        if self.next.kind != "number" or not text.isalnum() or len(text) > 20:
            raise self.error(f"expected {what}, found {text[:40]!r}")
        try:
            value = int(
                text, 16 if text[:2] in ("0x", "0X") else 8 if text[0] == "0" and len(text) > 1 else 10
            )
        except ValueError:
            raise self.error(f"expected {what}, found {text!r}") from None
        value = -value if negative else value
        if not least <= value <= most:
            raise self.error(f"{what} must be from {least} to {most}, not {value}")
        self.at += 1
        return value

    def string(self) -> str:
        """One or more string literals, joined."""
        if self.next.kind != "string":
            raise self.error(f"expected a string, found {self.next.text[:40]!r}")
        parts: list[str] = []
        while self.next.kind == "string":
            parts.append(unquoted(self.next.text))
            self.at += 1
        return "".join(parts)

    def setting(self, word: str) -> str:
        """The string of `word = "…";`."""
        self.word(word)
        self.expect("=")
        value = self.string()
        self.expect(";")
        return value
