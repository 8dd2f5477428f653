"""Why a node can't start: a class for each cause, so that the command line has an exit code for it."""

from barnabas.errors import BarnabasError


class StartError(BarnabasError):
    """The node can't start. The message says what to do."""


class AddressInUse(StartError):
    """Another process listens on the address."""


class AddressUnusable(StartError):
    """The address can't be bound: no such interface, or not permitted."""


class DirectoryInUse(StartError):
    """Another process holds the data directory."""


class WrongCluster(StartError):
    """The data directory belongs to another cluster or node."""


class DirectoryUnusable(StartError):
    """The data directory can't be read or written."""


class MetadataUnreadable(StartError):
    """The metadata log holds something that this version can't take."""
