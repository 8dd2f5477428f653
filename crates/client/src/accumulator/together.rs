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

#[cfg(test)]
mod tests {
    use barnabas_protocol::compression::Compression;
    use barnabas_protocol::error::ErrorCode;

    use super::super::AccumulatorConfig;
    use super::*;
    use crate::partitioner::Strategy;

    fn accumulator() -> (Accumulator, TopicIndex) {
        let mut accumulator = Accumulator::new(AccumulatorConfig {
            batch_size: 1_000,
            linger_ms: 0,
            buffer_memory: 10_000,
            max_request_size: 4_096,
            compression: Compression::None,
            level: None,
            strategy: Strategy::Default,
            ignore_keys: false,
            seed: 1,
            transactional: false,
        });
        let topic = accumulator.topic("t");
        (accumulator, topic)
    }

    fn record(partition: i32, value: &[u8]) -> NewRecord<'_> {
        NewRecord { partition: Some(partition), value: Some(value), report: Some(7), ..NewRecord::default() }
    }

    #[test]
    fn records_are_taken_all_or_none() {
        let (mut all, topic) = accumulator();
        let small = record(0, b"small");
        assert_eq!(all.append_all(topic, &[small], || 0), None, "nothing is known of the topic");
        all.set_partitions(topic, 1, vec![0], ErrorCode::NONE);
        let large = [0; 5_000];
        for other in [record(1, b""), record(-1, b""), record(0, &large)] {
            assert_eq!(all.append_all(topic, &[small, other], || 0), None);
        }
        assert_eq!(all.append_all(topic, &[record(0, &large[..4_000]); 3], || 0), None, "too much together");
        assert_eq!(all.used(), 0);
        assert_eq!(all.append_all(topic, &[small, small], || 0), Some(true));
        assert_eq!(all.append_all(topic, &[small], || 0), Some(false));
        assert_eq!(all.take((topic, 0)).map(|batch| batch.reports), Some(vec![(0, 7), (1, 7), (2, 7)]));
        all.close();
        assert_eq!(all.append_all(topic, &[small], || 0), None);
    }

    #[test]
    fn batches_gather_while_one_is_on_its_way() {
        let (mut all, topic) = accumulator();
        all.set_partitions(topic, 1, vec![0], ErrorCode::NONE);
        let (key, small, half) = ((topic, 0), record(0, b"small"), [0; 600]);
        for is_gathering in [false, true] {
            if is_gathering {
                all.gather();
            }
            all.sleep_until(Millis::MAX);
            assert_eq!(all.append_all(topic, &[small], || 5), Some(true));
            assert_eq!(all.ready_at(key), Some(5));
            assert!(all.take(key).is_some());
            all.set_on_its_way(key, true);
            all.sleep_until(Millis::MAX);
            assert_eq!(all.append_all(topic, &[small], || 6), Some(!is_gathering));
            assert_eq!(all.ready_at(key), Some(if is_gathering { Millis::MAX } else { 6 }));
            all.set_on_its_way(key, false);
            assert_eq!(all.ready_at(key), Some(6));
            assert!(all.take(key).is_some());
        }
        all.set_on_its_way(key, true);
        all.sleep_until(Millis::MAX);
        assert_eq!(all.append_all(topic, &[record(0, &half)], || 7), Some(false));
        assert_eq!(all.append_all(topic, &[record(0, &half)], || 7), Some(true), "the first batch is full");
        assert_eq!(all.ready_at(key), Some(Millis::MIN));
    }
}
