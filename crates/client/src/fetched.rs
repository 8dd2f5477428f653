//! From the bytes of a fetch to batches for the user: checked, decompressed, without what nobody is to see.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use barnabas_protocol::batch::{batches, Batch, BatchError, BatchHeader};
use barnabas_protocol::compression::{decompress, Compression};
use barnabas_protocol::control::ControlRecordType;
use barnabas_protocol::generated::fetch_response::AbortedTransaction;
use barnabas_protocol::record::RecordIter;
use barnabas_protocol::{LeaderEpoch, Offset, ProducerId};

use crate::error::ClientError;

/// What one batch may take after decompression.
const BATCH_BYTES_MAX: usize = 1 << 30;

/// Where the records of a batch lie.
#[derive(Debug)]
enum Bytes {
    /// In the response that brought them.
    Frame(Arc<Vec<u8>>, Range<usize>),
    /// Decompressed.
    Own(Vec<u8>),
}

/// One batch: its bytes stay whole, records are read from them when somebody asks.
#[derive(Debug)]
pub struct FetchedBatch {
    /// As it came.
    pub header: BatchHeader,
    bytes: Bytes,
}

impl FetchedBatch {
    /// The records section, without compression.
    pub fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Frame(frame, range) => &frame[range.clone()],
            Bytes::Own(bytes) => bytes,
        }
    }

    /// The records, first to last; those before the position that was asked for are among them.
    pub fn records(&self) -> RecordIter<'_> {
        RecordIter::new(&self.header, self.bytes())
    }
}

/// What a fetch of one partition brought.
#[derive(Debug, Default)]
pub struct Decoded {
    /// Batches for the user, in order.
    pub batches: Vec<Arc<FetchedBatch>>,
    /// Where to go on, when anything came.
    pub next_offset: Option<Offset>,
    /// Leader epoch of the last batch.
    pub last_epoch: Option<LeaderEpoch>,
    /// Bytes that came.
    pub size: usize,
    /// What is wrong with the batch that follows.
    pub error: Option<ClientError>,
}

/// Which transactions are aborted at the place that is read.
struct Aborted<'a> {
    /// By the offset of their first record; those before `next` have begun.
    transactions: Vec<&'a AbortedTransaction>,
    next: usize,
    open: HashSet<ProducerId>,
}

impl Aborted<'_> {
    /// Whether nobody who reads committed records is to see the batch.
    fn hides(&mut self, batch: &Batch<'_>) -> bool {
        let header = &batch.header;
        while let Some(transaction) = self.transactions.get(self.next) {
            if transaction.first_offset > header.last_offset() {
                break;
            }
            self.open.insert(transaction.producer_id);
            self.next += 1;
        }
        if header.is_control() && ends_in_abort(batch) {
            self.open.remove(&header.producer_id);
        }
        header.is_transactional() && self.open.contains(&header.producer_id)
    }
}

fn ends_in_abort(batch: &Batch<'_>) -> bool {
    let mut records = RecordIter::new(&batch.header, batch.records_bytes());
    let key = records.next().and_then(Result::ok).and_then(|record| record.key);
    key.and_then(ControlRecordType::from_key) == Some(ControlRecordType::Abort)
}

/// Reads what a fetch at `offset` brought: `range` of a response's frame. With `aborted` None everything is shown.
pub fn decode(
    frame: &Arc<Vec<u8>>,
    range: Range<usize>,
    offset: Offset,
    aborted: Option<&[AbortedTransaction]>,
    check_crcs: bool,
) -> Decoded {
    let mut transactions: Vec<&AbortedTransaction> = aborted.unwrap_or_default().iter().collect();
    transactions.sort_by_key(|transaction| transaction.first_offset);
    let mut hidden = Aborted { transactions, next: 0, open: HashSet::new() };
    let mut decoded = Decoded { size: range.len(), ..Default::default() };
    let section = &frame[range.clone()];
    let mut walk = batches(section);
    while let Some(batch) = walk.next() {
        let end = range.start + walk.position();
        match batch {
            Ok(batch) => {
                if check_crcs && !batch.crc_is_valid() {
                    let error = BatchError::Crc { stored: batch.header.crc, computed: batch.computed_crc() };
                    decoded.error = Some(corrupt(batch.header.base_offset, &error));
                    return decoded;
                }
                let hidden = aborted.is_some() && hidden.hides(&batch);
                let visible = !hidden && !batch.header.is_control() && batch.header.last_offset() >= offset;
                if visible && batch.header.records_count > 0 {
                    match open(frame, end, &batch) {
                        Ok(batch) => decoded.batches.push(Arc::new(batch)),
                        Err(error) => {
                            decoded.error = Some(corrupt(batch.header.base_offset, &error));
                            return decoded;
                        }
                    }
                }
                decoded.next_offset = Some(batch.header.next_offset().max(offset));
                decoded.last_epoch = Some(batch.header.partition_leader_epoch);
            }
            // A response may end anywhere after its first batch.
            Err(BatchError::Truncated { .. }) if decoded.next_offset.is_some() => break,
            Err(error) => {
                decoded.error = Some(corrupt(decoded.next_offset.unwrap_or(offset), &error));
                break;
            }
        }
    }
    decoded
}

fn corrupt(offset: Offset, error: &BatchError) -> ClientError {
    ClientError::Corrupt(format!("at offset {offset}: {error}"))
}

fn open(frame: &Arc<Vec<u8>>, end: usize, batch: &Batch<'_>) -> Result<FetchedBatch, BatchError> {
    let section = batch.records_bytes();
    let bytes = match batch.header.compression()? {
        Compression::None => Bytes::Frame(frame.clone(), end - section.len()..end),
        codec => {
            let mut bytes = Vec::new();
            decompress(codec, section, BATCH_BYTES_MAX, &mut bytes)?;
            Bytes::Own(bytes)
        }
    };
    Ok(FetchedBatch { header: batch.header, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use barnabas_protocol::batch_builder::{BatchBuilder, BuilderConfig};
    use proptest::prelude::*;

    fn batch(base_offset: Offset, values: &[&str], compression: Compression) -> Vec<u8> {
        let config = BuilderConfig { base_offset, compression, ..Default::default() };
        let mut builder = BatchBuilder::new(config);
        for value in values {
            builder.append(5, None, Some(value.as_bytes()), &[]).unwrap();
        }
        builder.finish().unwrap()
    }

    fn transactional(base_offset: Offset, producer_id: ProducerId, value: Option<&str>) -> Vec<u8> {
        let control = value.is_none();
        let config =
            BuilderConfig { base_offset, producer_id, control, transactional: true, ..Default::default() };
        let mut builder = BatchBuilder::new(config);
        let key = ControlRecordType::Abort.key();
        builder.append(5, control.then_some(&key[..]), value.map(str::as_bytes), &[]).unwrap();
        builder.finish().unwrap()
    }

    fn values(decoded: &Decoded) -> Vec<String> {
        let records = decoded.batches.iter().flat_map(|batch| batch.records().map(Result::unwrap));
        records.map(|record| String::from_utf8(record.value.unwrap().to_vec()).unwrap()).collect()
    }

    fn read(bytes: Vec<u8>, offset: Offset, aborted: Option<&[AbortedTransaction]>) -> Decoded {
        let range = 0..bytes.len();
        decode(&Arc::new(bytes), range, offset, aborted, true)
    }

    #[test]
    fn batches_before_the_offset_and_a_cut_off_one_are_left_out() {
        let mut bytes = batch(0, &["a", "b"], Compression::None);
        bytes.extend(batch(2, &["c"], Compression::Zstd));
        let whole = bytes.len();
        bytes.extend(batch(3, &["d"], Compression::None));
        bytes.truncate(whole + 40);
        let decoded = read(bytes, 2, None);
        assert_eq!(values(&decoded), ["c"]);
        assert_eq!((decoded.next_offset, decoded.error), (Some(3), None));
    }

    #[test]
    fn a_flipped_bit_ends_what_is_read() {
        let mut bytes = batch(0, &["a"], Compression::None);
        let second = bytes.len();
        bytes.extend(batch(1, &["b"], Compression::None));
        bytes[second + 63] ^= 1;
        let decoded = read(bytes, 0, None);
        assert_eq!(values(&decoded), ["a"]);
        assert_eq!(decoded.next_offset, Some(1));
        assert!(matches!(decoded.error, Some(ClientError::Corrupt(text)) if text.contains("offset 1")));
    }

    #[test]
    fn aborted_transactions_are_hidden_from_their_first_record_to_their_marker() {
        let mut bytes = transactional(0, 7, Some("committed"));
        for (offset, id, value) in
            [(1, 8, Some("aborted")), (2, 7, Some("other")), (3, 8, None), (4, 8, Some("again"))]
        {
            bytes.extend(transactional(offset, id, value));
        }
        let aborted = [AbortedTransaction { producer_id: 8, first_offset: 1 }];
        let decoded = read(bytes.clone(), 0, Some(&aborted));
        assert_eq!(values(&decoded), ["committed", "other", "again"]);
        assert_eq!(decoded.next_offset, Some(5));
        assert_eq!(values(&read(bytes, 0, None)), ["committed", "aborted", "other", "again"]);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(mut bytes: Vec<u8>, at in 0usize..100, bit in 0u8..8, valid: bool) {
            if valid {
                bytes = batch(0, &["abc", "def"], Compression::Lz4);
                let at = at % bytes.len();
                bytes[at] ^= 1 << bit;
            }
            let range = 0..bytes.len();
            let decoded = decode(&Arc::new(bytes), range, 0, Some(&[]), false);
            for batch in &decoded.batches {
                batch.records().for_each(drop);
            }
        }
    }
}
