"""Apache Kafka's own command line tools, run one after another in one Java virtual machine."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests.support import oracle

PROGRAM = Path(__file__).with_name("Tools.java")

CONSOLE_CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer"
CONSOLE_PRODUCER = "org.apache.kafka.tools.ConsoleProducer"
API_VERSIONS = "org.apache.kafka.tools.BrokerApiVersionsCommand"
CLUSTER = "org.apache.kafka.tools.ClusterTool"
CONFIGS = "kafka.admin.ConfigCommand"
DELETE_RECORDS = "org.apache.kafka.tools.DeleteRecordsCommand"
DUMP_LOG = "org.apache.kafka.tools.DumpLogSegments"
FEATURES = "org.apache.kafka.tools.FeatureCommand"
GET_OFFSETS = "org.apache.kafka.tools.GetOffsetShell"
LEADER_ELECTION = "org.apache.kafka.tools.LeaderElectionCommand"
LOG_DIRS = "org.apache.kafka.tools.LogDirsCommand"
METADATA_QUORUM = "org.apache.kafka.tools.MetadataQuorumCommand"
METADATA_SHELL = "org.apache.kafka.shell.MetadataShell"
REASSIGN = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand"
STORAGE = "kafka.tools.StorageTool"
TOPICS = "org.apache.kafka.tools.TopicCommand"


@dataclass(frozen=True)
class Outcome:
    """What a tool has printed, to either stream, and the code it has exited with."""

    code: int
    output: str

    @property
    def lines(self) -> list[str]:
        return self.output.splitlines()


class Tools:
    """The virtual machine; a context that ends with it."""

    def __enter__(self) -> "Tools":
        self._process = subprocess.Popen(
            ["java", "-Xmx512M", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
             "-cp", f"{oracle.libs()}/*", str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def call(self, main: str, *arguments: object, stdin: str = "") -> Outcome:
        """Runs a tool to its end."""
        command = {"main": main, "arguments": [str(argument) for argument in arguments], "stdin": stdin}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Outcome(answer["code"], answer["output"])

    def run(self, main: str, *arguments: object, stdin: str = "") -> Outcome:
        """Runs a tool that must succeed."""
        outcome = self.call(main, *arguments, stdin=stdin)
        assert outcome.code == 0, outcome.output
        return outcome
