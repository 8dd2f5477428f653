"""The share coordinator (KIP-932), and the share partitions whose state it keeps.

`machine` holds one partition of `__share_group_state`. `partition` is the other side: how far a share group
has got in one partition of a topic, on the node that leads it.
"""
