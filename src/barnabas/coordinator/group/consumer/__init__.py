"""Consumer groups (KIP-848): members heartbeat, the coordinator assigns, each member moves at its own pace.

`part` is where calls, records and timers come in. `group` and `member` hold what the records say,
`heartbeat`, `leaving` and `classic_members` decide, `target` asks an assignor who is to have what, and
`reconcile` leads a member from what it has to what it is to have.
"""
