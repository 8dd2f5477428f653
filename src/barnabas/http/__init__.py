"""HTTP for the services of the platform: routes, requests, responses, and the loop that answers.

What a connection is, its limits, and replies that were published are Rust's (`barnabas._core.HttpServer`).
"""
