//! Names of topics: which are allowed, which are Kafka's own.

/// Longest name, in bytes: with the partition's number it must make a file name.
const NAME_BYTES_MAX: usize = 249;

/// Topics that Kafka's coordinators keep their state in.
const INTERNAL: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// Client id under which Kafka's own admin tools may write to internal topics.
pub(crate) const ADMIN_CLIENT_ID: &str = "__admin_client";

/// Whether a topic may be called so.
pub(crate) fn is_valid(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty() && name != "." && name != ".." && name.len() <= NAME_BYTES_MAX && name.bytes().all(legal)
}

/// Whether the topic is a coordinator's.
pub(crate) fn is_internal(name: &str) -> bool {
    INTERNAL.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_kafka_takes() {
        assert!(is_valid("orders.v1_x-y") && is_valid(&"x".repeat(249)));
        for name in ["", ".", "..", "a b", "ä", "a/b", &"x".repeat(250)] {
            assert!(!is_valid(name), "{name:?}");
        }
    }
}
