"""Groups: the machine of one partition of `__consumer_offsets`.

`machine` holds the groups of every kind by their ids, and gives each call, record and timer to the part that
knows it: `classic`, `consumer`, … are parts, and so are the committed `offsets`. `kind` says how a part plugs
in.
"""
