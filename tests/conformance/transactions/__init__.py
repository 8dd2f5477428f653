"""The same requests about transactions to Apache Kafka 4.3.1 and to barnabas."""
