"""The operations of API v3."""
