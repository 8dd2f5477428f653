//! One partition's log in Kafka's own files, and the directories that hold logs.
