//! Random lives of transactional producers, their coordinator and the partition, beside a model: whatever is
//! late, no batch begins a transaction that nobody will end, and readers are told exactly what was aborted.

use std::collections::{BTreeMap, VecDeque};

use barnabas_broker::{error_code, CoordinatorEvent, Handled, OpenTransaction, Parked, TransactionMarker};
use barnabas_protocol::batch::batches;
use barnabas_protocol::batch_builder::BuilderConfig;
use barnabas_protocol::control::ControlRecordType;
use barnabas_protocol::generated::fetch_request::FetchRequest;
use barnabas_protocol::generated::produce_request::ProduceRequest;
use barnabas_protocol::Uuid;
use proptest::prelude::*;

use crate::fetch;
use crate::harness::{batch_with, name, Node};
use crate::{markers, produce};

const PRODUCERS: usize = 3;

/// What happens to one producer, or to the node.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// It sends the next batch of its transaction.
    Produce,
    /// A batch of it arrives that nobody knows of any more.
    Late,
    /// The coordinator tells what it knows of its transaction before it is asked.
    Publish,
    /// The coordinator makes up its mind about the oldest question.
    Decide,
    /// What it thought reaches the partition.
    Deliver,
    /// The transaction ends, the way it is said.
    End { committed: bool },
    /// The node stops and starts.
    Restart,
    /// The node is killed and starts.
    Kill,
}

fn step() -> impl Strategy<Value = (usize, Step)> {
    let step = prop_oneof![
        8 => Just(Step::Produce),
        2 => Just(Step::Late),
        3 => Just(Step::Publish),
        6 => Just(Step::Decide),
        6 => Just(Step::Deliver),
        4 => any::<bool>().prop_map(|committed| Step::End { committed }),
        1 => Just(Step::Restart),
        1 => Just(Step::Kill),
    ];
    (0..PRODUCERS, step)
}

/// A Produce that waits.
struct Waiting {
    epoch: i16,
    check_id: u64,
    verdict: Option<i16>,
    state: Parked,
}

/// A producer with what its coordinator knows of it.
struct Producer {
    id: i64,
    /// 12 and later have an epoch for each transaction.
    version: i16,
    epoch: i16,
    sequence: i32,
    /// Whether the partition is part of its transaction.
    is_part: bool,
    waiting: VecDeque<Waiting>,
}

impl Producer {
    fn adds(&self) -> bool {
        self.version >= 12
    }

    /// What the coordinator says of a batch of `epoch`.
    fn verdict(&mut self, epoch: i16) -> i16 {
        if epoch != self.epoch {
            return error_code::INVALID_PRODUCER_EPOCH;
        }
        self.is_part |= self.adds();
        if self.is_part {
            error_code::NONE
        } else {
            error_code::TRANSACTION_ABORTABLE
        }
    }
}

struct Life {
    node: Node,
    topic_id: Uuid,
    producers: Vec<Producer>,
}

impl Life {
    fn new() -> Life {
        let mut node = Node::new();
        let topic_id = node.topic("orders", 1);
        node.topic("__transaction_state", 1);
        node.heard.take();
        let producer = |at: usize| Producer {
            id: at as i64 + 1,
            version: if at == 0 { 11 } else { 12 },
            epoch: 0,
            sequence: 0,
            is_part: false,
            waiting: VecDeque::new(),
        };
        Life { node, topic_id, producers: (0..PRODUCERS).map(producer).collect() }
    }

    fn step(&mut self, at: usize, step: Step) {
        match step {
            Step::Produce => {
                let producer = &mut self.producers[at];
                // Older clients add the partition before they send the first batch.
                producer.is_part |= !producer.adds();
                self.produce(at);
            }
            Step::Late => self.produce(at),
            Step::Publish => self.publish(at),
            Step::Decide => {
                let producer = &mut self.producers[at];
                let oldest = producer.waiting.iter().position(|waiting| waiting.verdict.is_none());
                let Some(oldest) = oldest else { return };
                let verdict = producer.verdict(producer.waiting[oldest].epoch);
                producer.waiting[oldest].verdict = Some(verdict);
            }
            Step::Deliver => self.deliver(at),
            Step::End { committed } => self.end(at, committed),
            Step::Restart | Step::Kill => {
                // The connections are gone, and what waits with them.
                self.producers.iter_mut().for_each(|producer| producer.waiting.clear());
                match step {
                    Step::Kill => self.node.kill(),
                    _ => self.node.restart(),
                }
                self.node.heard.take();
            }
        }
    }

    fn produce(&mut self, at: usize) {
        let producer = &mut self.producers[at];
        let config = BuilderConfig {
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            base_sequence: producer.sequence,
            transactional: true,
            ..BuilderConfig::default()
        };
        let records = batch_with(&["v"], config);
        let asked =
            ProduceRequest { transactional_id: Some("t"), ..produce::request("orders", &[(0, &records)], 1) };
        let version = producer.version;
        match produce::send(&self.node, version, &asked) {
            Handled::Park { state, .. } => {
                let check_id = match &self.node.heard.take()[..] {
                    [CoordinatorEvent::TransactionCheck(check)] => check.id,
                    other => panic!("not one question: {other:?}"),
                };
                let epoch = producer.epoch;
                producer.waiting.push_back(Waiting { epoch, check_id, verdict: None, state });
            }
            answered => self.answered(at, answered),
        }
    }

    fn publish(&self, at: usize) {
        let producer = &self.producers[at];
        let open = OpenTransaction {
            index: 0,
            leader_epoch: 0,
            transactional_id: "t",
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            partitions: vec![("orders", 0)],
        };
        if producer.is_part {
            self.node.broker.publish_transactions(&[], &[open]);
        }
    }

    fn deliver(&mut self, at: usize) {
        let waiting = &mut self.producers[at].waiting;
        let Some(place) = waiting.iter().position(|one| one.verdict.is_some()) else { return };
        let Some(Waiting { check_id, verdict, state, .. }) = waiting.remove(place) else { return };
        self.node.broker.transaction_checked(check_id, verdict.into_iter().collect());
        let answered = self.node.resume(state);
        self.answered(at, answered);
    }

    fn answered(&mut self, at: usize, answered: Handled) {
        assert_eq!(name(&answered), "reply");
        let version = self.producers[at].version;
        if produce::answers(answered, version)[0].error == error_code::NONE {
            self.producers[at].sequence += 1;
        }
    }

    fn end(&mut self, at: usize, committed: bool) {
        let producer = &mut self.producers[at];
        if !producer.is_part {
            return;
        }
        producer.is_part = false;
        if producer.adds() {
            (producer.epoch, producer.sequence) = (producer.epoch + 1, 0);
        }
        let marker = TransactionMarker {
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            committed,
            coordinator_epoch: 0,
            transaction_version: if producer.adds() { 2 } else { 0 },
        };
        self.node.broker.publish_transactions(&[producer.id], &[]);
        assert_eq!(markers::write_to(&self.node, "orders", &marker), 0);
    }

    fn fetch(&self, isolation_level: i8) -> fetch::Answer {
        let asked = FetchRequest {
            isolation_level,
            max_wait_ms: 0,
            ..fetch::request(self.topic_id, vec![fetch::partition(0, 0)])
        };
        fetch::answers(fetch::send(&self.node, 13, &asked), 13).partitions.remove(0)
    }

    /// Reads the whole log as somebody who knows nothing but Kafka's format.
    fn check(&self) {
        let all = self.fetch(0);
        let mut open: BTreeMap<i64, i64> = BTreeMap::new();
        let mut aborted = Vec::new();
        let mut end = 0;
        for batch in batches(&all.records).map(Result::unwrap) {
            let header = batch.header;
            assert_eq!(header.base_offset, end);
            end = header.next_offset();
            if !header.is_control() {
                open.entry(header.producer_id).or_insert(header.base_offset);
                continue;
            }
            let records = batch.records(1 << 10).unwrap();
            let key = records.iter().next().unwrap().unwrap().key.unwrap();
            let began = open.remove(&header.producer_id);
            if ControlRecordType::from_key(key) == Some(ControlRecordType::Abort) {
                aborted.extend(began.map(|began| (header.producer_id, began)));
            }
        }
        for producer in self.producers.iter().filter(|producer| open.contains_key(&producer.id)) {
            assert!(producer.is_part, "the transaction of producer {} would never end", producer.id);
        }
        let stable = open.values().copied().min().unwrap_or(end);
        let committed = self.fetch(1);
        assert_eq!((committed.high_watermark, committed.last_stable_offset), (end, stable));
        // Of a read to the end all transactions that began before it are told, in the order of their ends.
        aborted.retain(|(_, began)| *began < stable);
        let told = committed.aborted.unwrap_or_default();
        assert_eq!(told, if stable > 0 { aborted } else { Vec::new() });
        assert_eq!(committed.records, all.records[..committed.records.len()]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_transaction_hangs_and_readers_are_told_what_was_aborted(
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let mut life = Life::new();
        for (at, step) in steps {
            life.step(at, step);
            life.check();
        }
    }
}
