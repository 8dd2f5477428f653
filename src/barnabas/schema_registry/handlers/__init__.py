"""The operations of the REST API: what a request says, and what the registry decides."""
