//! DescribeTopicPartitions.

use barnabas_broker::error_code;
use barnabas_protocol::generated::describe_topic_partitions_request::{
    Cursor, DescribeTopicPartitionsRequest, TopicRequest,
};
use barnabas_protocol::generated::describe_topic_partitions_response::DescribeTopicPartitionsResponse;
use barnabas_protocol::wire::Reader;

use crate::harness::{body, Node};

/// (error, name, partitions) of each topic.
type Page = Vec<(i16, String, Vec<i32>)>;

/// A page, and where the next one begins.
fn ask(
    node: &Node,
    names: &[&str],
    limit: i32,
    cursor: Option<(&str, i32)>,
) -> (Page, Option<(String, i32)>) {
    let request = DescribeTopicPartitionsRequest {
        topics: names.iter().map(|name| TopicRequest { name }).collect(),
        response_partition_limit: limit,
        cursor: cursor.map(|(topic_name, partition_index)| Cursor { topic_name, partition_index }),
    };
    let body = body(node.handle(75, 0, |writer, version| request.encode(writer, version)), 5);
    let response = DescribeTopicPartitionsResponse::decode(&mut Reader::new(&body), 0).unwrap();
    let topics = response.topics.iter().map(|topic| {
        let indexes = topic.partitions.iter().map(|partition| partition.partition_index).collect();
        (topic.error_code, topic.name.unwrap_or_default().to_string(), indexes)
    });
    let next = response.next_cursor.map(|cursor| (cursor.topic_name.to_string(), cursor.partition_index));
    (topics.collect(), next)
}

fn node() -> Node {
    let mut node = Node::with(1, |settings| settings.max_request_partition_size_limit = 4);
    node.topic("t", 2);
    node.topic("b", 3);
    node
}

fn row(name: &str, indexes: &[i32]) -> (i16, String, Vec<i32>) {
    (0, name.to_string(), indexes.to_vec())
}

fn cursor(name: &str, index: i32) -> Option<(String, i32)> {
    Some((name.to_string(), index))
}

#[test]
fn topics_come_by_name_and_the_cursor_goes_on() {
    let node = node();
    let both = &["t", "b"][..];
    assert_eq!(ask(&node, both, 1, None), (vec![row("b", &[0])], cursor("b", 1)));
    assert_eq!(ask(&node, both, 3, None), (vec![row("b", &[0, 1, 2])], cursor("t", 0)));
    assert_eq!(ask(&node, both, 2, Some(("b", 1))), (vec![row("b", &[1, 2])], cursor("t", 0)));
    assert_eq!(ask(&node, both, 0, None), (vec![row("b", &[0])], cursor("b", 1)), "at least one");
    let limited = (vec![row("b", &[0, 1, 2]), row("t", &[0])], cursor("t", 1));
    assert_eq!(ask(&node, both, 2000, None), limited, "at most what the broker allows");
    assert_eq!(ask(&node, both, 2, Some(("t", 0))), (vec![row("t", &[0, 1])], None));
    assert_eq!(ask(&node, &[], 4, None), limited, "no names means all topics");
    assert_eq!(ask(&node, both, 4, Some(("t", 5))), (vec![row("t", &[])], None));
}

#[test]
fn unknown_topics_are_named_and_count_for_nothing() {
    let node = node();
    let unknown = |name: &str| (error_code::UNKNOWN_TOPIC_OR_PARTITION, name.to_string(), vec![]);
    let invalid = (error_code::INVALID_TOPIC_EXCEPTION, "a b!".to_string(), vec![]);
    assert_eq!(ask(&node, &["zz", "a", "a b!"], 1, None), (vec![unknown("a"), invalid, unknown("zz")], None));
    assert_eq!(ask(&node, &["b", "zz"], 3, None), (vec![row("b", &[0, 1, 2])], cursor("zz", 0)));
}

#[test]
fn a_cursor_that_does_not_fit_is_refused() {
    let node = node();
    let refused = |name: &str| (error_code::INVALID_REQUEST, name.to_string(), vec![]);
    let all = (vec![refused("t"), refused("b")], None);
    assert_eq!(ask(&node, &["t", "b"], 4, Some(("t", -1))), all);
    assert_eq!(ask(&node, &["t", "b"], 4, Some(("c", 0))), all);
}
