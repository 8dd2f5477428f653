//! What the delivery of a share group may depend on, record by record: key, time, and three headers.
//!
//! A header counts where its value is a decimal number; of several with one name the last counts, as for
//! Kafka's `Headers.lastHeader`.

use std::hash::{DefaultHasher, Hasher};

use barnabas_protocol::batch::{self, BatchError};
use barnabas_protocol::batch_validate::DECOMPRESSED_BATCH_BYTES_MAX;
use barnabas_protocol::record::{Headers, Record};
use barnabas_protocol::{Millis, Offset};

/// Not before this time.
const DELIVER_AT: &[u8] = b"deliver-at";
/// Not from this time on.
const EXPIRES_AT: &[u8] = b"expires-at";
/// The higher, the sooner.
const PRIORITY: &[u8] = b"priority";

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareRecord {
    /// Position in the partition.
    pub offset: Offset,
    /// Its own time, or the time of append.
    pub timestamp: Millis,
    /// The same for the same key, not 0; 0 without a key.
    pub lane: u64,
    /// Header `deliver-at`, milliseconds since the Unix epoch.
    pub deliver_at: Option<Millis>,
    /// Header `expires-at`, milliseconds since the Unix epoch.
    pub expires_at: Option<Millis>,
    /// Header `priority`, 0 without one.
    pub priority: i64,
}

/// The records of whole batches, control records left out.
pub fn share_records(bytes: &[u8]) -> Result<Vec<ShareRecord>, BatchError> {
    let mut found = Vec::new();
    for batch in batch::batches(bytes) {
        let batch = batch?;
        if batch.header.is_control() {
            continue;
        }
        for record in &batch.records(DECOMPRESSED_BATCH_BYTES_MAX)? {
            found.push(share_record(&record?));
        }
    }
    Ok(found)
}

fn share_record(record: &Record<'_>) -> ShareRecord {
    let mut found = ShareRecord {
        offset: record.offset,
        timestamp: record.timestamp,
        lane: record.key.map_or(0, lane),
        deliver_at: None,
        expires_at: None,
        priority: 0,
    };
    read_headers(record.headers, &mut found);
    found
}

fn read_headers(headers: Headers<'_>, found: &mut ShareRecord) {
    for header in headers {
        let value = header.value.and_then(number);
        match header.key {
            DELIVER_AT => found.deliver_at = value,
            EXPIRES_AT => found.expires_at = value,
            PRIORITY => found.priority = value.unwrap_or(0),
            _ => {}
        }
    }
}

fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Two keys may share a lane: their records wait for each other then, and nothing else comes of it.
fn lane(key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(key);
    hasher.finish().max(1)
}

#[cfg(test)]
mod tests {
    use barnabas_protocol::batch_builder::{BatchBuilder, BuilderConfig};
    use barnabas_protocol::compression::Compression;
    use barnabas_protocol::record::Header;

    use super::*;

    /// Key and headers of a record.
    type Keyed<'a> = (Option<&'a str>, &'a [(&'a str, &'a str)]);

    fn batch(config: BuilderConfig, records: &[Keyed<'_>]) -> Vec<u8> {
        let mut builder = BatchBuilder::new(config);
        for (at, (key, headers)) in records.iter().enumerate() {
            let headers: Vec<_> = headers
                .iter()
                .map(|(key, value)| Header { key: key.as_bytes(), value: Some(value.as_bytes()) })
                .collect();
            builder.append(at as i64, key.map(str::as_bytes), Some(b"v"), &headers).unwrap();
        }
        builder.finish().unwrap()
    }

    #[test]
    fn headers_are_numbers_of_which_the_last_counts() {
        let config = BuilderConfig { compression: Compression::Zstd, ..BuilderConfig::default() };
        let headers = [
            ("deliver-at", "1"),
            ("deliver-at", "1700000000000"),
            ("expires-at", "soon"),
            ("priority", "-3"),
            ("Priority", "9"),
        ];
        let bytes = batch(config, &[(Some("a"), &headers), (None, &[])]);
        let found = share_records(&bytes).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].deliver_at, Some(1_700_000_000_000));
        assert_eq!((found[0].expires_at, found[0].priority), (None, -3));
        assert_eq!((found[1].offset, found[1].timestamp, found[1].deliver_at), (1, 1, None));
        assert_eq!((found[1].lane, found[1].priority), (0, 0));
    }

    #[test]
    fn records_with_one_key_have_one_lane_in_whatever_batch() {
        let mut bytes = batch(BuilderConfig::default(), &[(Some("a"), &[]), (Some("b"), &[])]);
        let config = BuilderConfig { base_offset: 2, ..BuilderConfig::default() };
        bytes.extend(batch(config, &[(Some(""), &[]), (Some("a"), &[])]));
        let found = share_records(&bytes).unwrap();
        assert_eq!(found.iter().map(|one| one.offset).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert_eq!(found[0].lane, found[3].lane);
        assert_ne!(found[0].lane, found[1].lane);
        assert_ne!(found[2].lane, 0, "an empty key is a key");
    }

    #[test]
    fn a_batch_that_is_cut_is_an_error() {
        let bytes = batch(BuilderConfig::default(), &[(Some("a"), &[])]);
        assert!(share_records(&bytes[..bytes.len() - 1]).is_err());
    }
}
