"""Configs of client metrics subscriptions.

The columns are described in `definition`.
"""

TABLE = """
interval.ms | int | 300000 | - | effective
    How often matching clients push their metrics.
match | list | '' | list | effective
    Which clients push: name=regular expression pairs over client id, software, address and port.
metrics | list | '' | list | effective
    Prefixes of the metrics to push; * for all, empty for none.
"""
