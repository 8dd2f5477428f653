//! What the group coordinator asks of many topics at once: names that match patterns, and the hash by which it
//! notices that subscribed topics have changed.

use std::collections::BTreeSet;

use barnabas_image as image;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use crate::image::MetadataImage;
use crate::topic_pattern::TopicPattern;

/// First byte of what is hashed for a topic; another one would say that the form has changed.
const TOPIC_HASH_MAGIC: u8 = 0;

/// Adds the functions of this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(check_topic_pattern, module)?)?;
    module.add_function(wrap_pyfunction!(match_topics, module)?)?;
    module.add_function(wrap_pyfunction!(match_names, module)?)?;
    module.add_function(wrap_pyfunction!(changed_topics, module)?)?;
    module.add_function(wrap_pyfunction!(subscription_hash, module)?)
}

/// ValueError, which says why, when the pattern is not RE2's.
#[pyfunction]
fn check_topic_pattern(pattern: &str) -> PyResult<()> {
    TopicPattern::new(pattern).map(drop).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// The topics that each pattern matches, in order; none for a pattern that can't be read.
#[pyfunction]
fn match_topics(py: Python<'_>, patterns: Vec<String>, image: &MetadataImage) -> Vec<Vec<String>> {
    let image = image.0.clone();
    py.detach(|| patterns.iter().map(|pattern| matching(pattern, &image)).collect())
}

/// Those names that the pattern matches, in their order; ValueError when it is not RE2's.
#[pyfunction]
fn match_names(py: Python<'_>, pattern: &str, names: Vec<String>) -> PyResult<Vec<String>> {
    let pattern = TopicPattern::new(pattern).map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(py.detach(|| names.into_iter().filter(|name| pattern.matches(name)).collect()))
}

fn matching(pattern: &str, image: &image::MetadataImage) -> Vec<String> {
    let Ok(pattern) = TopicPattern::new(pattern) else { return Vec::new() };
    let names = image.topics.iter().map(|topic| &*topic.name);
    names.filter(|name| pattern.matches(name)).map(str::to_string).collect()
}

/// The names of topics that are new, gone or differ, and whether any is new.
#[pyfunction]
fn changed_topics(before: &MetadataImage, after: &MetadataImage) -> (BTreeSet<String>, bool) {
    let change = image::Change::between(&before.0, &after.0);
    let whole = change.topics_created.iter().chain(&change.topics_deleted);
    let topics = whole.chain(change.partitions.iter().map(|partition| &partition.topic));
    (topics.map(|topic| topic.name.to_string()).collect(), !change.topics_created.is_empty())
}

/// Kafka's hash of what members can see of topics: ids, names, partitions and the racks of their replicas.
/// Names of no topic count for nothing; 0 when there is none.
#[pyfunction]
fn subscription_hash(names: Vec<String>, image: &MetadataImage) -> i64 {
    let image = &*image.0;
    let mut names = names;
    // Java orders strings by their UTF-16 units; names of topics are ASCII, where both orders agree.
    names.sort_unstable();
    let topics = names.iter().filter_map(|name| image.topics.by_name(name));
    let hashes: Vec<u8> = topics.flat_map(|topic| topic_hash(topic, image).to_le_bytes()).collect();
    if hashes.is_empty() {
        return 0;
    }
    xxh3_64(&hashes) as i64
}

fn topic_hash(topic: &image::TopicImage, image: &image::MetadataImage) -> u64 {
    let mut bytes = vec![TOPIC_HASH_MAGIC];
    for half in topic.id.0.chunks(8) {
        bytes.extend(half.iter().rev());
    }
    push_string(&mut bytes, &topic.name);
    push_count(&mut bytes, topic.partition_count());
    for (index, partition) in topic.partitions() {
        bytes.extend(index.to_le_bytes());
        let brokers = partition.replicas().iter().filter_map(|replica| image.brokers.get(*replica));
        let mut racks: Vec<&str> = brokers.filter_map(|broker| broker.rack.as_deref()).collect();
        racks.sort_unstable();
        for rack in racks {
            push_count(&mut bytes, rack.encode_utf16().count());
            push_string(&mut bytes, rack);
        }
    }
    xxh3_64(&bytes)
}

/// UTF-16 units, then how many.
fn push_string(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    push_count(bytes, text.encode_utf16().count());
}

fn push_count(bytes: &mut Vec<u8>, count: usize) {
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    bytes.extend(count.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_kafka() {
        // What hash4j's xxh3_64 stream gives for putString("abc").
        let mut bytes = Vec::new();
        push_string(&mut bytes, "abc");
        assert_eq!(xxh3_64(&bytes) as i64, 302853435608707132);
        let numbers: Vec<u8> = (0..200i32).flat_map(i32::to_le_bytes).collect();
        assert_eq!(xxh3_64(&numbers) as i64, -5151715817102904767);
    }
}
