"""Sequences of random steps on two clusters, compared step by step."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from barnabas.protocol import ApiKey, message_class
from barnabas.protocol.generated.api_versions_request import ApiVersionsRequest
from tests.conformance.differential import allowed, parting
from tests.conformance.differential.cluster import POLL_SECONDS, Cluster, Unsettled
from tests.conformance.differential.compare import Difference, differences
from tests.conformance.differential.generate import REQUESTS, next_step
from tests.conformance.differential.normalise import normalise
from tests.conformance.differential.state import state
from tests.conformance.differential.world import Step, World

SEQUENCE_LENGTH = 250
STATE_EVERY = 125
"""Requests between two comparisons of the whole state; also at the end of each sequence."""
AGREE_SECONDS_MAX = 3
READ_AGAIN_TIMES = 4

CHANGES_METADATA = frozenset((
    ApiKey.METADATA, ApiKey.CREATE_TOPICS, ApiKey.DELETE_TOPICS, ApiKey.CREATE_PARTITIONS,
    ApiKey.ELECT_LEADERS, ApiKey.ALTER_PARTITION_REASSIGNMENTS, ApiKey.ALTER_CONFIGS,
    ApiKey.INCREMENTAL_ALTER_CONFIGS, ApiKey.UPDATE_FEATURES, ApiKey.UNREGISTER_BROKER,
))  # fmt: skip
CONFIG_CHANGES = frozenset((ApiKey.ALTER_CONFIGS, ApiKey.INCREMENTAL_ALTER_CONFIGS))
READS = frozenset((
    ApiKey.LIST_OFFSETS, ApiKey.OFFSET_FOR_LEADER_EPOCH, ApiKey.DESCRIBE_PRODUCERS,
    ApiKey.DESCRIBE_TOPIC_PARTITIONS, ApiKey.LIST_PARTITION_REASSIGNMENTS, ApiKey.DESCRIBE_CONFIGS,
    ApiKey.LIST_CONFIG_RESOURCES, ApiKey.DESCRIBE_CLUSTER, ApiKey.DESCRIBE_LOG_DIRS, ApiKey.DESCRIBE_QUORUM,
))  # fmt: skip
"""Asked again before a difference counts: the real Kafka acts on a change some time after it is answered."""


@dataclass
class Finding:
    """What differed, and after which steps."""

    seed: str
    steps: list[Step]
    """The last one is the one that differed; all when the state did."""
    found: list[Difference]
    what: str
    answers: tuple[Any, Any] = (None, None)

    def __str__(self) -> str:
        lines = [f"seed {self.seed}, request {len(self.steps)}: {self.what}"]
        lines += [f"    {difference}" for difference in self.found[:12]]
        return "\n".join(lines)


@dataclass
class Pair:
    """The real Kafka and barnabas, side by side."""

    kafka: Cluster
    barnabas: Cluster
    asked: Counter[str] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)
    """How often the real Kafka gave each error code."""
    excused: Counter[str] = field(default_factory=Counter)
    """How often each allowed difference was seen."""
    parted: bool = False
    """The last step was one after which the two may differ in everything."""

    def versions(self) -> dict[int, tuple[int, int]]:
        """The versions that both speak."""
        known = []
        for cluster in (self.kafka, self.barnabas):
            keys = cluster.control.call(ApiVersionsRequest("a", "1"), 3).api_keys
            known.append({item.api_key: (item.min_version, item.max_version) for item in keys})
        ranges = {}
        for key in REQUESTS:
            if key in known[0] and key in known[1]:
                # The real Kafka lists old versions of Produce that it refuses.
                lowest = message_class(key, response=False).LOWEST_VERSION
                ranges[int(key)] = (max(lowest, *(k[key][0] for k in known)), min(k[key][1] for k in known))
            else:  # telemetry is listed only where a receiver of metrics is plugged in, and answered anyway
                ranges[int(key)] = (0, 0)
        return ranges

    def empty(self) -> None:
        salt = os.urandom(8)
        self.kafka.empty(salt)
        self.barnabas.empty(salt)

    def step(self, step: Step, seed: str, steps: list[Step], world: World | None) -> Finding | None:
        """Sends one step to both; what differed, if anything."""
        (kafka, raw), (ours, _) = self.kafka.ask(step), self.barnabas.ask(step)
        found = self.unexplained(step, kafka, ours)
        again = READ_AGAIN_TIMES if step.api_key in READS else 0
        while found and again:
            time.sleep(0.05)
            again -= 1
            (kafka, raw), (ours, _) = self.kafka.ask(step), self.barnabas.ask(step)
            found = self.unexplained(step, kafka, ours)
        self.asked[step.api_key.name] += 1
        count_codes(kafka, self.codes)
        if found and (why := parting.parting(step, kafka)):
            self.excused[why] += 1
            self.parted = True
            return None
        if found:
            return Finding(seed, list(steps), found, str(step), (kafka, ours))
        if why := parting.parts_unseen(step, kafka):
            self.excused[why] += 1
            self.parted = True
            return None
        if kafka in ("connection closed", "silence"):
            self.kafka.connection.close()
            self.barnabas.connection.close()
        if world is not None and raw is not None and not step.damage:
            world.observe(step, raw)
        if step.api_key in CHANGES_METADATA:
            return self.settle(step, seed, steps, world)
        return None

    def unexplained(self, step: Step, kafka: Any, ours: Any) -> list[Difference]:
        found = []
        for difference in differences(kafka, ours):
            if why := allowed.reason(step, difference):
                self.excused[why] += 1
            else:
                found.append(difference)
        return found

    def settle(self, step: Step, seed: str, steps: list[Step], world: World | None) -> Finding | None:
        """Waits until both have taken a change in, and compares what they tell of their topics."""
        deadline = time.monotonic() + AGREE_SECONDS_MAX
        while True:
            try:
                topics = self.kafka.settle()
                self.barnabas.settle()
            except Unsettled as error:
                return Finding(seed, list(steps), [], f"{error} after {step}")
            kafka = normalise(self.kafka.metadata(), self.kafka.symbols)
            ours = normalise(self.barnabas.metadata(), self.barnabas.symbols)
            found = differences(kafka, ours)
            if not found:
                break
            if time.monotonic() > deadline:
                return Finding(seed, list(steps), found, f"metadata after {step}", (kafka, ours))
            time.sleep(POLL_SECONDS)
        if step.api_key in CONFIG_CHANGES:
            time.sleep(0.02)  # the broker reads configs last, and nothing tells when it has
        if world is not None:
            world.topics = topics
        return None

    def compare_state(self, seed: str, steps: list[Step]) -> Finding | None:
        kafka, ours = state(self.kafka), state(self.barnabas)
        found = [d for d in differences(kafka, ours) if allowed.state_reason(d) is None]
        return Finding(seed, list(steps), found, "state") if found else None

    def sequence(self, seed: str, length: int) -> tuple[int, list[Finding]]:
        """One sequence from two empty clusters; the number of requests and what differed.

        It ends early when the clusters may have gone apart: a difference in a mere question doesn't end it.
        """
        self.empty()
        world = World(random.Random(seed), self.versions(), int(time.time() * 1000))
        steps: list[Step] = []
        findings: list[Finding] = []
        self.parted = False
        while len(steps) < length:
            steps.append(next_step(world))
            finding = self.step(steps[-1], seed, steps, world)
            if (
                finding is None
                and not self.parted
                and (len(steps) % STATE_EVERY == 0 or len(steps) == length)
            ):
                finding = self.compare_state(seed, steps)
            if self.parted:
                break
            if finding is not None:
                findings.append(finding)
                if steps[-1].api_key not in READS or finding.what == "state":
                    break
        return len(steps), findings

    def replay(self, steps: Sequence[Step], *, and_state: bool) -> Finding | None:
        """Steps that were made before, on two empty clusters."""
        self.empty()
        done: list[Step] = []
        for step in steps:
            done.append(step)
            if finding := self.step(step, "replay", done, None):
                return finding
        return self.compare_state("replay", done) if and_state else None


def count_codes(value: Any, codes: Counter[int]) -> None:
    """Counts the error codes in a normalised response."""
    if isinstance(value, dict):
        if "error_code" in value:
            codes[value["error_code"]] += 1
        for item in value.values():
            count_codes(item, codes)
    elif isinstance(value, list):
        for item in value:
            count_codes(item, codes)


def shrunk(pair: Pair, finding: Finding, replays_max: int = 60) -> Finding:
    """A shorter sequence that ends in the same difference, as far as `replays_max` replays find one."""
    and_state = finding.what == "state"
    place = finding.found[0].place
    best, steps, size = finding, finding.steps, max(1, len(finding.steps) // 2)
    while replays_max and size:
        start = len(steps) - (0 if and_state else 1) - size
        shorter = False
        while start > -size and replays_max:
            candidate = steps[: max(0, start)] + steps[max(0, start) + size + min(0, start) :]
            start -= size
            replays_max -= 1
            again = pair.replay(candidate, and_state=and_state)
            if again is not None and again.found[0].place == place and len(again.steps) < len(steps):
                best, steps, shorter = again, again.steps, True
        size = size // 2 if not shorter or size > 1 else size
    best.seed = finding.seed
    return best
