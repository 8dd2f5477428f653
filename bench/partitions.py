"""Very many partitions that nobody uses: how long a start takes with them, and what they cost meanwhile. The
figures stand beside fixed bounds, not beside Apache Kafka's."""

import time

from bench.brokers import Broker
from bench.load import Figures

PARTITIONS_OF_A_TOPIC = 1000
START_SECONDS_MAX = 5
MIB_MAX = 1536


def measure(broker: Broker, topics: int, idle_seconds: float) -> Figures:
    """Creates them, stops and starts, kills and starts."""
    broker.format()
    broker.start()
    begun = time.monotonic()
    for number in range(topics):
        broker.create([f"idle-{number}"], PARTITIONS_OF_A_TOPIC)
    figures = {"start_s_max": START_SECONDS_MAX, "mib_max": MIB_MAX, "create_s": time.monotonic() - begun}
    figures["stop_s"] = broker.stop()
    figures["start_s"] = broker.start(create=False)
    time.sleep(idle_seconds)
    figures["idle_cpu_percent"] = broker.idle_percent(idle_seconds)
    figures["idle_mib"] = broker.memory_mib()
    broker.kill()
    figures["start_after_kill_s"] = broker.start(create=False)
    broker.stop()
    return figures
