//! What a pipeline does when nobody knows whether the broker has a batch.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use barnabas_client::accumulator::Batch;
use barnabas_client::pipeline::{Identity, Pending, Pipeline};
use barnabas_protocol::batch_builder::{BatchBuilder, BuilderConfig};

const OLD: Identity = Identity { id: 7, epoch: 0 };

fn pending(id: u64) -> Pending {
    let mut builder = BatchBuilder::new(BuilderConfig::default());
    builder.append(0, None, Some(b"x"), &[]).unwrap();
    Pending::new(Batch { id, order: id, created: 0, memory: 1, reports: Vec::new(), builder })
}

/// Two batches are sent; the first one is given up, the connection of the second one is lost.
fn broken() -> Pipeline {
    let mut pipeline = Pipeline::default();
    for id in 0..2 {
        pipeline.pending.push_back(pending(id));
        pipeline.send(id as usize, Some(OLD)).unwrap();
    }
    let (second, _) = pipeline.find(1).unwrap();
    (second.in_flight, second.attempts, second.unsure) = (false, 1, true);
    pipeline.remove(0);
    pipeline.break_off();
    pipeline
}

#[test]
fn a_batch_that_the_broker_may_have_keeps_its_place_until_that_is_known() {
    let mut pipeline = broken();
    assert!(!pipeline.wants_restart());
    assert_eq!(pipeline.next(0, 5), Some(0), "it is sent again as it was");
    assert_eq!(pipeline.identity(), Some(OLD));
    pipeline.send(0, Some(Identity { epoch: 1, ..OLD })).unwrap();
    assert_eq!(pipeline.identity(), Some(OLD));
    pipeline.remove(1);
    assert!(pipeline.wants_restart(), "the broker has it");
}

#[test]
fn a_batch_that_the_broker_does_not_have_gets_another_place() {
    let mut pipeline = broken();
    pipeline.is_absent(1);
    assert_eq!(pipeline.next(0, 5), None, "not before the new sequence");
    assert!(pipeline.wants_restart());
    pipeline.restart(Identity { epoch: 1, ..OLD });
    assert_eq!(pipeline.next(0, 5), Some(0));
}
