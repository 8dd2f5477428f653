"""Requests of the command line to the brokers of a cluster, for what librdkafka has no call for."""

from barnabas.cli.brokers.broker import Broker
from barnabas.cli.brokers.cluster import COORDINATOR_ERRORS, Brokers, retried
from barnabas.cli.brokers.offsets import EARLIEST, LATEST, list_offsets

__all__ = ["COORDINATOR_ERRORS", "EARLIEST", "LATEST", "Broker", "Brokers", "list_offsets", "retried"]
