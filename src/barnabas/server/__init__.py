"""The edge: the node, its event loop, and a handler for each API that Python answers."""
