"""The same sequences of group requests to Apache Kafka 4.3.1 and to barnabas."""
