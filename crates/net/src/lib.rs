//! Sockets: listeners, reactors, connections, framing.
