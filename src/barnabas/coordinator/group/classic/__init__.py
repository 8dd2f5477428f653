"""Classic groups: members find the assignment among themselves, the coordinator sees to it that all agree.

`group` is the state; `rebalance` moves it from one generation to the next; `join`, `sync` and `membership`
decide the requests; `part` plugs them into the machine.
"""
