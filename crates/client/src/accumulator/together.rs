//! Records that are handed in together.
//!
//! Always true:
//!   all of them are taken, or none: who has none taken may hand them in one by one, in their order

use barnabas_protocol::Millis;

use super::{is_partition, Accumulator, Completed, NewRecord, Refused, TopicIndex};

impl Accumulator {
    /// Takes all of these records if there is room for them now, and nothing is wrong with any; else none. As
    /// [`Accumulator::append`], whether the sender must be woken; None when none was taken.
    pub fn append_all<N>(&mut self, topic: TopicIndex, records: &[NewRecord<'_>], now: N) -> Option<bool>
    where
        N: Fn() -> Millis,
    {
        let count = self.topics[topic].queues.len();
        let sizes = records.iter().map(NewRecord::size_max);
        let total = sizes.clone().fold(0, usize::saturating_add);
        let is_free = self.used.saturating_add(total) <= self.config.buffer_memory;
        let is_open = !self.closed && self.transaction.is_none();
        let fit = sizes.clone().all(|size| size <= self.config.max_request_size)
            && records.iter().all(|record| record.partition.is_none_or(|index| is_partition(index, count)));
        if count == 0 || !is_free || !is_open || !fit {
            return None;
        }
        let mut due = false;
        for (record, size) in records.iter().zip(sizes) {
            match self.place(topic, record, size, &now) {
                Ok(wakes) => due |= wakes,
                Err(refused) => {
                    self.report_refused(topic, record, refused);
                    due = true;
                }
            }
        }
        Some(due)
    }

    /// Says of a record that was taken together with others why it fits into no batch after all.
    #[cold]
    fn report_refused(&mut self, topic: TopicIndex, record: &NewRecord<'_>, refused: Refused) {
        let Refused::Failed(error) = refused else { return };
        let (partition, log_append_time) = (record.partition.unwrap_or(-1), -1);
        let reports = record.report.map(|report| (0, report)).into_iter().collect();
        let topic = self.topics[topic].name.clone();
        self.report(Completed { topic, partition, result: Err(error), log_append_time, reports });
    }
}
