"""Streams groups (KIP-1071): members say what their topology is, and the coordinator sees to internal topics
and gives out tasks."""
