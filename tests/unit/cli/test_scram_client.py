"""The client's half of SCRAM, against the examples of its RFCs."""

import pytest

from barnabas.cli.brokers.sasl import ScramClient
from barnabas.cli.errors import CommandFailed

# RFC 7677, section 3.
NONCE = "rOprNGfwEbeRWgbNEkqO"
SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
SERVER_FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def client() -> ScramClient:
    return ScramClient("sha256", "user", "pencil", NONCE)


def test_exchange_is_that_of_the_rfc() -> None:
    exchange = client()
    assert exchange.first() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    assert exchange.final(SERVER_FIRST) == (
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    exchange.check(SERVER_FINAL)


def test_names_are_quoted() -> None:
    assert ScramClient("sha256", "a=b,c", "", "n").first() == b"n,,n=a=3Db=2Cc,r=n"


@pytest.mark.parametrize("final", [b"", b"v=", b"v=AAAA", b"e=other-error", b"v=6rriTRBi23WpRR/wtup+mMhU"])
def test_server_that_does_not_know_the_password_is_refused(final: bytes) -> None:
    exchange = client()
    exchange.final(SERVER_FIRST)
    with pytest.raises(CommandFailed, match="could not prove"):
        exchange.check(final)


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"r=another,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"r=rOprNGfwEbeRWgbNEkqO1,s=W22Z,i=0",
        b"r=rOprNGfwEbeRWgbNEkqO1,s=W22Z,i=999999999",
        b"r=rOprNGfwEbeRWgbNEkqO1,s=W22Z,i=many",
        b"r=rOprNGfwEbeRWgbNEkqO1,s=***,i=4096",
        b"e=other-error",
        b"\xff",
    ],
)
def test_messages_that_make_no_sense_are_refused(first: bytes) -> None:
    with pytest.raises(CommandFailed, match="SCRAM message"):
        client().final(first)
