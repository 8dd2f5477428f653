//! What members tell the leader of a classic group, and what it tells them: the bytes of Java's consumers.
//!
//! Assignors see members as this module reads them, whichever client they run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use barnabas_protocol::generated::consumer_protocol_assignment::{
    ConsumerProtocolAssignment, TopicPartition as AssignedPartitions,
};
use barnabas_protocol::generated::consumer_protocol_subscription::{
    ConsumerProtocolSubscription, TopicPartition as OwnedPartitions,
};
use barnabas_protocol::wire::{DecodeError, EncodeError, Reader, Writer};

use crate::fetch_session::Partition;

/// No generation: the member has not been in one, or does not tell.
pub const NO_GENERATION: i32 = -1;

/// A member of a classic group, as its leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Given by the coordinator.
    pub id: String,
    /// `group.instance.id`.
    pub instance_id: Option<String>,
    /// Topics that it reads.
    pub topics: BTreeSet<Arc<str>>,
    /// What it had when it joined.
    pub owned: BTreeSet<Partition>,
    /// In which generation it had that.
    pub generation: i32,
    /// Its `client.rack`, if it has told one.
    pub rack: Option<Arc<str>>,
}

/// What a member says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription<'a> {
    /// Topics that it reads.
    pub topics: &'a BTreeSet<Arc<str>>,
    /// What it keeps while the group is rebalancing.
    pub owned: &'a BTreeSet<Partition>,
    /// What it had last, though it may have given it up.
    pub last: &'a BTreeSet<Partition>,
    /// In which generation it had that.
    pub generation: i32,
    /// `client.rack`.
    pub rack: &'a str,
}

fn by_topic(partitions: &BTreeSet<Partition>) -> BTreeMap<&str, Vec<i32>> {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in partitions {
        topics.entry(topic).or_default().push(*partition);
    }
    topics
}

/// Writes `version`, which stands before the message.
fn versioned(version: i16) -> Writer {
    let mut writer = Writer::new();
    writer.i16(version);
    writer
}

/// What a member says under the name of an assignor.
pub fn encode_subscription(assignor: &str, said: &Subscription<'_>) -> Result<Vec<u8>, EncodeError> {
    let user_data = match assignor {
        "sticky" => Some(sticky_data(said)?),
        "cooperative-sticky" => Some(said.generation.to_be_bytes().to_vec()),
        _ => None,
    };
    let owned = by_topic(said.owned);
    let owned = owned.into_iter().map(|(topic, partitions)| OwnedPartitions { topic, partitions });
    let message = ConsumerProtocolSubscription {
        topics: said.topics.iter().map(|topic| &**topic).collect(),
        user_data: user_data.as_deref(),
        owned_partitions: owned.collect(),
        generation_id: said.generation,
        rack_id: Some(said.rack).filter(|rack| !rack.is_empty()),
    };
    let version = ConsumerProtocolSubscription::HIGHEST;
    let mut writer = versioned(version);
    message.encode(&mut writer, version)?;
    Ok(writer.into_bytes())
}

/// What the sticky assignor remembers at its members, as Java's does: partitions and their generation.
fn sticky_data(said: &Subscription<'_>) -> Result<Vec<u8>, EncodeError> {
    let topics: Vec<(&str, Vec<i32>)> = by_topic(said.last).into_iter().collect();
    let mut writer = Writer::new();
    writer.array(false, &topics, |writer, (topic, partitions)| {
        writer.string(false, topic)?;
        writer.array(false, partitions, |writer, partition| {
            writer.i32(*partition);
            Ok(())
        })
    })?;
    writer.i32(said.generation);
    Ok(writer.into_bytes())
}

/// Reads what a member said under the name of an assignor.
pub fn decode_subscription(
    assignor: &str,
    id: &str,
    instance_id: Option<&str>,
    bytes: &[u8],
) -> Result<Member, DecodeError> {
    let mut reader = Reader::new(bytes);
    // Later versions only add at the end.
    let version = reader.i16()?.clamp(0, ConsumerProtocolSubscription::HIGHEST);
    let message = ConsumerProtocolSubscription::decode(&mut reader, version)?;
    let mut owned = BTreeSet::new();
    for topic in &message.owned_partitions {
        let name: Arc<str> = topic.topic.into();
        owned.extend(topic.partitions.iter().map(|&partition| (name.clone(), partition)));
    }
    let mut generation = if version >= 2 { message.generation_id } else { NO_GENERATION };
    match (assignor, message.user_data) {
        ("sticky", Some(data)) => {
            if let Ok(remembered) = decode_sticky_data(data) {
                (owned, generation) = remembered;
            }
        }
        ("cooperative-sticky", Some(data)) => {
            if let Ok(told) = Reader::new(data).i32() {
                generation = told;
            }
        }
        _ => {}
    }
    Ok(Member {
        id: id.to_string(),
        instance_id: instance_id.map(str::to_string),
        topics: message.topics.iter().map(|&topic| Arc::from(topic)).collect(),
        owned,
        generation,
        rack: message.rack_id.filter(|rack| !rack.is_empty()).map(Arc::from),
    })
}

fn decode_sticky_data(bytes: &[u8]) -> Result<(BTreeSet<Partition>, i32), DecodeError> {
    let mut reader = Reader::new(bytes);
    let mut partitions = BTreeSet::new();
    let topics = reader.array(false, 6, |reader| {
        Ok((reader.string(false)?, reader.array(false, 4, |reader| reader.i32())?))
    })?;
    for (topic, indexes) in topics {
        let name: Arc<str> = topic.into();
        partitions.extend(indexes.into_iter().map(|index| (name.clone(), index)));
    }
    // Clients from before KIP-341 don't tell the generation.
    let generation = if reader.remaining() == 0 { NO_GENERATION } else { reader.i32()? };
    Ok((partitions, generation))
}

/// What the leader gives to a member.
pub fn encode_assignment(partitions: &BTreeSet<Partition>) -> Result<Vec<u8>, EncodeError> {
    let topics = by_topic(partitions);
    let topics = topics.into_iter().map(|(topic, partitions)| AssignedPartitions { topic, partitions });
    let message = ConsumerProtocolAssignment { assigned_partitions: topics.collect(), user_data: None };
    let version = ConsumerProtocolAssignment::HIGHEST;
    let mut writer = versioned(version);
    message.encode(&mut writer, version)?;
    Ok(writer.into_bytes())
}

/// Reads what the leader gave; nothing where it said nothing.
pub fn decode_assignment(bytes: &[u8]) -> Result<BTreeSet<Partition>, DecodeError> {
    let mut partitions = BTreeSet::new();
    if bytes.is_empty() {
        return Ok(partitions);
    }
    let mut reader = Reader::new(bytes);
    let version = reader.i16()?.clamp(0, ConsumerProtocolAssignment::HIGHEST);
    let message = ConsumerProtocolAssignment::decode(&mut reader, version)?;
    for topic in &message.assigned_partitions {
        let name: Arc<str> = topic.topic.into();
        partitions.extend(topic.partitions.iter().map(|&partition| (name.clone(), partition)));
    }
    Ok(partitions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn partitions() -> impl Strategy<Value = BTreeSet<Partition>> {
        prop::collection::btree_set(("[a-c]", 0..5).prop_map(|(t, p)| (Arc::from(t.as_str()), p)), 0..8)
    }

    proptest! {
        #[test]
        fn what_a_member_says_is_what_the_leader_reads(
            owned in partitions(),
            last in partitions(),
            generation in -1..9,
            assignor in prop::sample::select(vec!["range", "sticky", "cooperative-sticky"]),
        ) {
            let topics: BTreeSet<Arc<str>> = [Arc::from("a"), Arc::from("b")].into();
            let said = Subscription { topics: &topics, owned: &owned, last: &last, generation, rack: "r" };
            let bytes = encode_subscription(assignor, &said).unwrap();
            let read = decode_subscription(assignor, "m", Some("i"), &bytes).unwrap();
            let expected = if assignor == "sticky" { last } else { owned };
            let (id, instance_id) = ("m".to_string(), Some("i".to_string()));
            let rack = Some(Arc::from("r"));
            prop_assert_eq!(read, Member { id, instance_id, topics, owned: expected, generation, rack });
        }

        #[test]
        fn what_the_leader_gives_is_what_a_member_reads(given in partitions()) {
            let bytes = encode_assignment(&given).unwrap();
            prop_assert_eq!(decode_assignment(&bytes).unwrap(), given);
        }

        #[test]
        fn no_bytes_are_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode_assignment(&bytes);
            for assignor in ["range", "sticky", "cooperative-sticky"] {
                let _ = decode_subscription(assignor, "m", None, &bytes);
            }
        }
    }

    #[test]
    fn an_assignment_is_written_as_java_writes_it() {
        let given: BTreeSet<Partition> = [(Arc::from("t"), 0), (Arc::from("t"), 3)].into();
        let bytes = encode_assignment(&given).unwrap();
        let topic = [0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3];
        assert_eq!(bytes, [&[0, 3], &topic[..], &[255, 255, 255, 255]].concat());
        assert_eq!(decode_assignment(b"").unwrap(), BTreeSet::new());
    }
}
