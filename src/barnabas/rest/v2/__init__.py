"""The operations of API v2."""
