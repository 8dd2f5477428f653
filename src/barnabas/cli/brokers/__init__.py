"""Requests of the command line to single brokers of a cluster."""

from barnabas.cli.brokers.cluster import COORDINATOR_ERRORS, Brokers, retried
from barnabas.cli.brokers.offsets import EARLIEST, LATEST, list_offsets

__all__ = ["COORDINATOR_ERRORS", "EARLIEST", "LATEST", "Brokers", "list_offsets", "retried"]
