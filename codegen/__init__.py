"""From the message schemas of an Apache Kafka release to schemas/, and from schemas/ to Rust and Python."""
