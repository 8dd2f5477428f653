"""docs/compatibility.md, made from the code: `python -m barnabas.server.compatibility`.

What is served comes from the two places that answer (`Broker::NATIVE` in Rust, `apis.MODULES`), the
versions from the generated message classes; only the reasons why something waits are written down here.
"""

from __future__ import annotations

from pathlib import Path

from barnabas import _core
from barnabas.protocol import ApiKey, message_class
from barnabas.protocol.generated.index import API_NAMES
from barnabas.server.apis import MODULES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "compatibility.md"

UNSTABLE = {ApiKey.INIT_PRODUCER_ID: 6}
"""The first version that Kafka 4.4.0 calls unstable: not served there either without a special setting."""

REFUSING = {
    "security_disabled": "waits for security: answered as a Kafka does without log-in, authorizer and tokens",
}
"""Handlers that answer with Kafka's own error, and why."""

ONE_NODE = "asked between nodes of a cluster: waits for several nodes"
REMARKS = {
    ApiKey.METADATA: "a missing topic that may be created is created before the answer, which has it",
    ApiKey.ALTER_CLIENT_QUOTAS: "stored and described, not enforced yet",
    ApiKey.ALTER_USER_SCRAM_CREDENTIALS: "stored and described; logging in waits for SASL",
    ApiKey.STREAMS_GROUP_HEARTBEAT: "as in 4.3: no warm-up tasks, no static members, no new topology",
    ApiKey.STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE: "answered as without a plug-in that stores them",
    ApiKey.UPDATE_FEATURES: "metadata.version 7 (3.3-IV3) to 30 (4.3-IV0)",
    ApiKey.ALTER_PARTITION_REASSIGNMENTS: "to what one node can do",
    ApiKey.ELECT_LEADERS: "to what one node can do",
}

HEAD = """# Compatibility

What barnabas answers of Apache Kafka 4.4.0's protocol. Made from the code by `make reference`; a test fails
when it is out of date.

- **served**: with the meaning that Kafka gives it. *native* ones are answered without Python.
- **refused**: answered with the error that Kafka itself has for the case.
- **absent**: not among the versions that ApiVersions lists; a request closes the connection, as in Kafka.

{counts}

| key | API | versions | | where, and what to know |
|--:|--|--|--|--|
"""

FOOT = """
## Beside the protocol

- One node is broker, controller and only voter. Its metadata log is KRaft's, with `metadata.version` 30
  (4.3-IV0), so that Apache Kafka 4.3.1 can read and take over the directory. Levels 31 to 33 wait until a
  release of Apache Kafka that this is tested against takes them; no record differs between 30 and 33.
- The controller's listener serves, of the APIs above, those that Kafka serves there, and also
  DescribeUserScramCredentials and DescribeDelegationToken, where Kafka's fails. It checks changes of broker
  configs as brokers do. Fetch there is of the metadata log, and waits for several nodes.
- `listeners` and `listener.security.protocol.map` can't be changed while the broker runs (INVALID_REQUEST):
  that waits for TLS and SASL, for which it is needed.
- Requests that Python answers become objects of at most 32 times their bytes on the wire and 4 MiB, from
  9 MiB on 4 times and 256 MiB. Less waits for their moving to Rust: Python's smallest object takes 28 bytes.
- Message formats 0 and 1 are refused, as in Kafka 4.
- Linux is what it is tested on; the portable stand-ins for macOS compile in no test yet.
- Listeners are PLAINTEXT; TLS, SASL and authorization wait.
- Which configs have an effect stands in [reference/configs.md](reference/configs.md).

## Where barnabas answers otherwise than Apache Kafka, on purpose

- A topic that its first Metadata request creates is in that request's answer. Kafka answers
  UNKNOWN_TOPIC_OR_PARTITION first.
- FindCoordinator for a group creates `__consumer_offsets` and answers when it is served. Kafka answers
  COORDINATOR_NOT_AVAILABLE first.
- A member that sends JoinGroup or SyncGroup again while its first one waits has the first answered with
  REBALANCE_IN_PROGRESS; Kafka never answers it. So has a member that is removed while its SyncGroup waits,
  with UNKNOWN_MEMBER_ID.
- CreatePartitions beyond the limit of records in one change answers POLICY_VIOLATION, an unknown config
  operation INVALID_REQUEST and an empty SCRAM password UNACCEPTABLE_CREDENTIAL, where Kafka answers
  UNKNOWN_SERVER_ERROR.
- A record from before 1970 in a batch that must be packed anew answers INVALID_TIMESTAMP, where Kafka answers
  UNKNOWN_SERVER_ERROR; where it needn't be packed anew, both take it.
- Topics with `barnabas.value.schema.validation` or its like refuse records whose schema is not registered, or
  that are no value of it, or append them to another topic ([beyond.md](beyond.md)); of Confluent's topic
  configs none is known, as in Apache Kafka.
- Unregistering the only broker while it runs is refused with INVALID_REQUEST; Kafka takes itself out of
  service.
- After an unclean stop a broker that is alone keeps its partitions as they were: nobody could have what it
  has lost.
"""


def versions(api_key: int) -> tuple[int, int]:
    """Lowest and highest stable version of Kafka 4.4.0."""
    request = message_class(api_key, response=False)
    unstable = UNSTABLE.get(ApiKey(api_key))
    return request.LOWEST_VERSION, unstable - 1 if unstable is not None else request.HIGHEST_VERSION


def verdict(api_key: int) -> tuple[str, str]:
    """(served, refused or absent; where it is answered or why it is not)."""
    key = ApiKey(api_key)
    remark = f"; {REMARKS[key]}" if key in REMARKS else ""
    if key in _core.native_apis():
        return "served", "native" + remark
    module = MODULES.get(key)
    if module is None:
        return "absent", ONE_NODE
    if module in REFUSING:
        return "refused", REFUSING[module]
    return "served", f"`handlers/{module}.py`{remark}"


def page() -> str:
    """The whole page."""
    rows, counts = [], {"served": 0, "refused": 0, "absent": 0}
    version_counts = dict(counts)
    for api_key, name in sorted(API_NAMES.items()):
        low, high = versions(api_key)
        kind, note = verdict(api_key)
        counts[kind] += 1
        version_counts[kind] += high - low + 1
        shown = f"{low}–{high}" if low != high else f"{low}"
        rows.append(f"| {api_key} | {name} | {shown} | {kind} | {note} |\n")
    summary = ", ".join(f"{counts[kind]} {kind} ({version_counts[kind]} versions)" for kind in counts)
    return HEAD.format(counts=f"Of {len(rows)} APIs: {summary}.") + "".join(rows) + FOOT


def main() -> None:
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
