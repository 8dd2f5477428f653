"""One module for each cold API, imported with the first request for it."""
