"""`barnabas transactions`: who has one open, and how to end one that nobody ends."""
