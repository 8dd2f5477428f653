"""What every load is, and who runs them."""

import base64
import random
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import KafkaError, Message

SECONDS_MAX = 60
"""How long anything may take, a record from its producer to its reader included."""

TEXT = base64.b64encode(random.Random(1).randbytes(3 << 18))
"""What records are cut from; no codec makes much less of it, so that segments of all topics fill alike."""


def settings(bootstrap: str, **more: object) -> dict[str, Any]:
    """A client's configuration; underscores stand for dots."""
    quiet = {"bootstrap.servers": bootstrap, "log_level": 0}
    return {**quiet, **{name.replace("_", "."): value for name, value in more.items()}}


def value(number: int) -> bytes:
    """What record `number` of a partition says: 100 to 2,000 bytes that no other number has."""
    begin = number * 7919 % len(TEXT)
    return b"%d:" % number + (TEXT[begin:] + TEXT)[: 100 + number * 7919 % 1900]


def good(message: Message) -> Message:
    """The message, unless it tells of an error."""
    error: KafkaError | None = message.error()
    assert error is None, error
    return message


class Load:
    """Something that goes on as long as the soak does.

    `step` is called over and over with `pause` seconds between, and `finish` once, when the others go on no
    more: there all that is still to come must come. Both raise when something is wrong.
    """

    pause = 0.1

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.done = 0
        """Records checked, or requests answered."""

    def step(self) -> None:
        raise NotImplementedError

    def finish(self) -> None:
        """Nothing to wait for unless said otherwise."""

    def wait(self, what: str, holds: Callable[[], bool], go_on: Callable[[], object]) -> None:
        """Goes on until it holds."""
        deadline = time.monotonic() + SECONDS_MAX
        while not holds():
            assert time.monotonic() < deadline, f"{type(self).__name__} waits in vain: {what}"
            go_on()


class Loads:
    """All loads, each in a thread of its own."""

    def __init__(self, loads: Sequence[Load]) -> None:
        self.loads = loads
        self.failures: list[str] = []
        self._end = threading.Event()
        self._stepped = threading.Barrier(len(loads))
        self._threads = [threading.Thread(target=self._run, args=(load,), daemon=True) for load in loads]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wait(self, seconds: float) -> None:
        """So long, or until a load has failed."""
        self._end.wait(seconds)

    def finish(self) -> None:
        """Ends them; returns when each has seen all that was still to come."""
        self._end.set()
        for thread in self._threads:
            thread.join(4 * SECONDS_MAX)
            if thread.is_alive():
                self.failures.append("a load does not end")

    def done(self) -> dict[str, int]:
        """What each has done so far."""
        return {str(load): load.done for load in self.loads}

    def _run(self, load: Load) -> None:
        try:
            while not self._end.wait(load.pause):
                load.step()
            # Readers end behind the writers, so that they see everything.
            self._stepped.wait(2 * SECONDS_MAX)
            load.finish()
        except threading.BrokenBarrierError:
            pass  # another one has failed
        except Exception:
            self.failures.append(f"{load}:\n{traceback.format_exc()}")
            self._stepped.abort()
            self._end.set()
