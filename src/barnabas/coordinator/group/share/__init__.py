"""Share groups (KIP-932): members that take records of the same partitions, one record each at a time.

`part` decides calls; the state of a group is in `group`, changed by `replay` alone. Where a group stands in
each partition is not kept here but by the share coordinator (`barnabas.coordinator.share`).
"""
