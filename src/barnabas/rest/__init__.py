"""The REST Proxy: Kafka over HTTP, for any cluster.

`v3/` and `v2/` speak the two published APIs; what they have in common is here. It stands on
the clients alone.
"""
