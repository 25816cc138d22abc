"""The heart of a replay, without I/O: what the next thing is that happens."""
