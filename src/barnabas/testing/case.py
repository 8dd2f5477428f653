"""`KafkaTestCase`: the test kit for unittest."""

from __future__ import annotations

import unittest
from collections.abc import Mapping
from typing import ClassVar

from barnabas.testing.kafka import Kafka


class KafkaTestCase(unittest.TestCase):
    """Each test has a broker of its own in `self.kafka`."""

    kafka_settings: ClassVar[Mapping[str, str]] = {}
    """Broker configs by Kafka's names."""
    kafka: Kafka

    def setUp(self) -> None:
        """Starts the broker; it ends with the test."""
        super().setUp()
        self.kafka = Kafka(settings=self.kafka_settings).start()
        self.addCleanup(self.kafka.close)
