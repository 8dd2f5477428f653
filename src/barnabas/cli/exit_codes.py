"""What the process's exit code says. The table in `barnabas up --help` and in the docs is made from it."""

OK = 0
FAILED = 1
USAGE = 2
BAD_VALUE = 3
ADDRESS_IN_USE = 4
DIRECTORY_IN_USE = 5
WRONG_CLUSTER = 6
DIRECTORY_UNUSABLE = 7

MEANINGS = {
    OK: "stopped as asked",
    FAILED: "anything else",
    USAGE: "wrong arguments, or a config that doesn't exist",
    BAD_VALUE: "a config with a value that it can't have",
    ADDRESS_IN_USE: "the address is in use or can't be bound",
    DIRECTORY_IN_USE: "another process uses the directory",
    WRONG_CLUSTER: "the directory belongs to another cluster or node",
    DIRECTORY_UNUSABLE: "the directory can't be read or written",
}
