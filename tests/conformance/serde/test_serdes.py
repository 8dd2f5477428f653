"""Serdes against Kafka's own classes: the same values give the same bytes, and the same bytes are refused."""

import math
import os
import random
import struct
import subprocess
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from barnabas import serde
from tests.support import jars

SEED = int(os.environ.get("SEED", "7")) if os.environ.get("SEED") != "random" else None
COUNT = int(os.environ.get("CASES", "100"))
"""Values of each kind."""

SERDES: dict[str, Any] = {
    "boolean": serde.Boolean(),
    "short": serde.Short(),
    "integer": serde.Integer(),
    "long": serde.Long(),
    "float": serde.Float(),
    "double": serde.Double(),
    "uuid": serde.UUID(),
    "string": serde.String(),
    "bytearray": serde.ByteArray(),
    "bytes": serde.Bytes(),
    "bytebuffer": serde.ByteBuffer(),
    "void": serde.Void(),
}
ALPHABET = "aZ0 \tß€漢😀\x00"


def judged(lines: Sequence[str]) -> list[str]:
    libs = jars.fetch("kafka-clients-4.4.0", ("org.apache.kafka:kafka-clients:4.4.0",))
    program = Path(__file__).with_name("SerdeJudge.java")
    done = subprocess.run(
        ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{libs}/*", str(program)],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def integer(bits: int) -> Callable[[random.Random], int]:
    edges = (0, 1, -1, 2 ** (bits - 1) - 1, -(2 ** (bits - 1)))
    return lambda chance: chance.choice([*edges, chance.randrange(-(2 ** (bits - 1)), 2 ** (bits - 1))])


def double(chance: random.Random) -> float:
    found: float = struct.unpack(">d", chance.randbytes(8))[0]
    return chance.choice([0.0, -0.0, math.inf, -math.inf, 1.5, found if found == found else 0.1])


def single(chance: random.Random) -> float:
    found: float = struct.unpack(">f", chance.randbytes(4))[0]
    return chance.choice([0.0, -0.0, math.inf, 1.5, found if found == found else 0.25])


DRAWN: dict[str, Callable[[random.Random], Any]] = {
    "boolean": lambda chance: chance.random() < 0.5,
    "short": integer(16),
    "integer": integer(32),
    "long": integer(64),
    "float": single,
    "double": double,
    "uuid": lambda chance: uuid.UUID(int=chance.getrandbits(128)),
    "string": lambda chance: "".join(chance.choices(ALPHABET, k=chance.randrange(8))),
    "bytearray": lambda chance: chance.randbytes(chance.randrange(8)),
    "bytes": lambda chance: chance.randbytes(chance.randrange(8)),
    "bytebuffer": lambda chance: chance.randbytes(chance.randrange(8)),
}


def written(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return str(value).lower()
        case str():
            return value.encode().hex()
        case bytes():
            return value.hex()
        case float() if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        case list():
            return "[" + "".join(f"{written(element)};" for element in value)
        case _:
            return str(value)


def of_kind(kind: str) -> Any:
    return serde.List(SERDES[kind[5:]]) if kind.startswith("list:") else SERDES[kind]


def same(one: Any, two: Any) -> bool:
    return bool(one == two)


def test_the_same_values_give_the_same_bytes() -> None:
    chance = random.Random(SEED)
    cases: list[tuple[str, Any]] = [(kind, None) for kind in SERDES]
    for kind, draw in DRAWN.items():
        cases += [(kind, draw(chance)) for _ in range(COUNT)]
        cases += [
            (
                f"list:{kind}",
                [None if chance.random() < 0.2 else draw(chance) for _ in range(chance.randrange(5))],
            )
            for _ in range(COUNT)
        ]
    answers = judged([f"{kind}\t{written(value)}" for kind, value in cases])
    for (kind, value), answer in zip(cases, answers, strict=True):
        ours = of_kind(kind)
        data = ours.serialize("topic", value)
        assert ("-" if data is None else data.hex()) == answer, (kind, value)
        assert same(ours.deserialize("topic", data), value), (kind, value)


def test_the_same_bytes_are_refused() -> None:
    chance = random.Random(SEED)
    cases = [
        (kind, chance.randbytes(size))
        for kind in ("boolean", "short", "integer", "long", "float", "double", "void")
        for size in (0, 1, 2, 3, 4, 5, 8, 9)
    ]
    cases += [("boolean", bytes([value])) for value in (0, 1, 2, 255)]
    cases += [("uuid", text) for text in (b"", b"no id", str(uuid.UUID(int=7)).encode())]
    answers = judged([f"read:{kind}\t{data.hex()}" for kind, data in cases])
    for (kind, data), answer in zip(cases, answers, strict=True):
        try:
            SERDES[kind].deserialize("topic", data)
            ours = "ok"
        except serde.SerializationError:
            ours = "refused"
        assert ours == answer, (kind, data)
