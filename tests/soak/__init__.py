"""A node under mixed load for a long time: every record is checked, and nothing may grow.

`make soak MINUTES=30` starts a node, runs all loads at a moderate rate, looks at the process each second,
prints a line a minute and a verdict at the end; the exit code is 1 when something was lost or has grown.
`test_soak.py` is the short form. Loads are threads of one process, each with clients of its own; a load that
sees something wrong ends the soak.
"""
