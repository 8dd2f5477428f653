"""The controller's decisions: what to write to the metadata log, and what to answer.

Always true of everything in this package:
  a decision is a plain function of (state, request); it changes nothing
  what it returns takes effect when its records are committed, all together or not at all
  ids and chance come from the state; clocks, sockets and threads are the server's
"""
