//! Many records at once, from columns: the lock is taken for a share of them, not for each.

use barnabas_protocol::record::Header;
use barnabas_protocol::Millis;

use crate::accumulator::{NewRecord, Refused, TopicIndex};
use crate::producer::Producer;

/// Records that are appended under one lock: the sender must not wait longer.
const RECORDS_PER_LOCK: usize = 512;

/// One record but for its headers.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// As in [`NewRecord::partition`].
    pub partition: Option<i32>,
    /// As in [`NewRecord::timestamp`].
    pub timestamp: Millis,
    /// As in [`NewRecord::key`].
    pub key: Option<&'a [u8]>,
    /// As in [`NewRecord::value`].
    pub value: Option<&'a [u8]>,
}

/// Records in columns.
pub trait Rows {
    /// How many.
    fn length(&self) -> usize;
    /// One of them; its headers are added to `headers`, which is empty.
    fn row<'a>(&'a self, index: usize, headers: &mut Vec<Header<'a>>) -> Row<'a>;
}

impl Producer {
    /// Takes records from number `next` on, which counts up, as long as there is room; waits for room up to
    /// `slice_ms` when there is none, and leaves it to the caller to try again.
    pub fn append_rows<R: Rows>(
        &self,
        topic: TopicIndex,
        rows: &R,
        next: &mut usize,
        slice_ms: u64,
    ) -> Result<(), Refused> {
        let mut headers: Vec<Header<'_>> = Vec::new();
        while *next < rows.length() {
            let mut accumulator = self.lock();
            let end = rows.length().min(*next + RECORDS_PER_LOCK);
            let mut wake = false;
            let mut refused = None;
            while *next < end {
                headers.clear();
                let Row { partition, timestamp, key, value } = rows.row(*next, &mut headers);
                let record = NewRecord { partition, timestamp, key, value, headers: &headers, report: None };
                match accumulator.append(topic, &record, || self.now()) {
                    Ok(due) => wake |= due,
                    Err(why) => {
                        refused = Some(why);
                        break;
                    }
                }
                *next += 1;
            }
            if wake || matches!(refused, Some(Refused::Full | Refused::NoMetadata)) {
                self.wake();
            }
            match refused {
                None => {}
                Some(Refused::Failed(error)) => return Err(Refused::Failed(error)),
                Some(why) => {
                    self.wait_in(&mut accumulator, slice_ms);
                    return Err(why);
                }
            }
        }
        Ok(())
    }
}
