"""The same random requests to the real Apache Kafka and to barnabas, with the same answers.

`python -m tests.conformance.differential --seed 7 --requests 10000` looks longer than the test does.
"""
