"""Coordinators: pure state machines, one for each partition of an internal topic that this node leads.

`machine` says what a state machine is given and what it gives back; `shard` runs one of them over its
partition's records, timers and waiting responses. `group`, `transaction` and `share` are machines. Nothing in
here reads a clock, opens a socket, starts a thread or draws a random number: `barnabas.server` does.
"""
