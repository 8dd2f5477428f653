//! Idempotence and transactions: what is refused, what is recognised, what readers of committed records see.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use barnabas_log::{AppendOrigin, Checked, EndTxnMarker, OpenOptions, ProducerError};
use barnabas_protocol::batch::BatchHeader;
use support::{Batch, Fixture};

fn header(bytes: &[u8]) -> BatchHeader {
    BatchHeader::parse(bytes).unwrap()
}

fn check(fixture: &Fixture, batch: Batch) -> Result<Checked, ProducerError> {
    fixture.log.check_producer(&header(&batch.build(0)), AppendOrigin::Client)
}

#[test]
fn an_unknown_producer_may_start_at_any_sequence() {
    assert_eq!(check(&Fixture::new(), Batch::of(1).producer(9, 0, 17)), Ok(Checked::New));
}

#[test]
fn sequences_follow_one_another() {
    let mut fixture = Fixture::new();
    fixture.append(Batch::of(3).producer(9, 0, 0));
    assert_eq!(check(&fixture, Batch::of(1).producer(9, 0, 3)), Ok(Checked::New));
    for wrong in [4, 1, 2, 100] {
        let refused = check(&fixture, Batch::of(1).producer(9, 0, wrong));
        assert!(matches!(refused, Err(ProducerError::OutOfOrderSequence { .. })), "{wrong}: {refused:?}");
    }
}

#[test]
fn the_last_five_batches_are_recognised() {
    let mut fixture = Fixture::new();
    for first in 0..6 {
        fixture.append(Batch::of(2).producer(9, 0, 2 * first).at(100 + first as i64));
    }
    for first in 1..6i64 {
        let (first_offset, last_offset) = (2 * first, 2 * first + 1);
        let duplicate = Checked::Duplicate { first_offset, last_offset, timestamp: 100 + first };
        assert_eq!(check(&fixture, Batch::of(2).producer(9, 0, 2 * first as i32)), Ok(duplicate));
    }
    let sixth = check(&fixture, Batch::of(2).producer(9, 0, 0));
    assert!(matches!(sixth, Err(ProducerError::OutOfOrderSequence { .. })));
    // The same first sequence with another length is no duplicate.
    let longer = check(&fixture, Batch::of(3).producer(9, 0, 10));
    assert!(matches!(longer, Err(ProducerError::OutOfOrderSequence { .. })));
}

#[test]
fn sequences_wrap_around() {
    let mut fixture = Fixture::new();
    fixture.append(Batch::of(4).producer(9, 0, i32::MAX - 1));
    assert_eq!(fixture.log.active_producers()[0].last_sequence, 1);
    assert_eq!(check(&fixture, Batch::of(1).producer(9, 0, 2)), Ok(Checked::New));
    let again = check(&fixture, Batch::of(4).producer(9, 0, i32::MAX - 1));
    assert!(matches!(again, Ok(Checked::Duplicate { first_offset: 0, last_offset: 3, .. })));

    fixture.append(Batch::of(1).producer(8, 0, i32::MAX));
    assert_eq!(check(&fixture, Batch::of(1).producer(8, 0, 0)), Ok(Checked::New));
}

#[test]
fn a_new_epoch_starts_at_zero_and_fences_the_old_one() {
    let mut fixture = Fixture::new();
    fixture.append(Batch::of(3).producer(9, 1, 0));
    let late_start = check(&fixture, Batch::of(1).producer(9, 2, 1));
    assert!(matches!(late_start, Err(ProducerError::OutOfOrderSequence { .. })));
    fixture.append(Batch::of(1).producer(9, 2, 0));
    let (producer_id, epoch, last_epoch) = (9, 1, 2);
    let fenced = Err(ProducerError::InvalidProducerEpoch { producer_id, epoch, last_epoch });
    assert_eq!(check(&fixture, Batch::of(1).producer(9, 1, 3)), fenced);
    // A follower takes what its leader has taken.
    let old = header(&Batch::of(1).producer(9, 1, 3).build(0));
    assert_eq!(fixture.log.check_producer(&old, AppendOrigin::Replication), Ok(Checked::New));
}

#[test]
fn silent_producers_expire_unless_a_transaction_is_open() {
    let mut fixture = Fixture::new();
    fixture.append(Batch::of(1).producer(1, 0, 0).at(1000));
    fixture.append(Batch::of(1).producer(2, 0, 0).at(1000).transactional());
    let day = 24 * 60 * 60 * 1000;
    assert_eq!(fixture.log.remove_expired_producers(1000 + day - 1), 0);
    assert_eq!(fixture.log.remove_expired_producers(1000 + day), 1);
    let left: Vec<_> = fixture.log.active_producers().iter().map(|producer| producer.producer_id).collect();
    assert_eq!(left, [2]);
    fixture.append(Batch::of(1).producer(3, 0, 0).at(5000));
    fixture.log.set_producer_id_expiration_ms(100);
    assert_eq!(fixture.log.remove_expired_producers(5099), 0);
    assert_eq!(fixture.log.remove_expired_producers(5100), 1);
}

#[test]
fn an_open_transaction_holds_the_last_stable_offset() {
    let mut fixture = Fixture::new();
    fixture.append(Batch::of(5));
    fixture.append(Batch::of(5).producer(1, 0, 0).transactional());
    fixture.append(Batch::of(5).producer(2, 0, 0).transactional());
    fixture.log.update_high_watermark(15);
    assert_eq!(fixture.log.last_stable_offset(), 5);
    let plain = check(&fixture, Batch::of(1).producer(1, 0, 5));
    assert_eq!(plain, Err(ProducerError::TransactionalWriteExpected { producer_id: 1 }));

    fixture.end_transaction(1, 0, false); // offset 15
    assert_eq!(fixture.log.last_stable_offset(), 5, "the marker is not below the high watermark");
    fixture.log.update_high_watermark(16);
    assert_eq!(fixture.log.last_stable_offset(), 10);
    fixture.end_transaction(2, 0, true); // offset 16
    fixture.log.update_high_watermark(17);
    assert_eq!(fixture.log.last_stable_offset(), 17);

    let aborted = fixture.log.aborted_transactions(0, 17).unwrap();
    assert_eq!(aborted.len(), 1);
    let one = aborted[0];
    assert_eq!((one.producer_id, one.first_offset, one.last_offset, one.last_stable_offset), (1, 5, 15, 10));
    assert!(fixture.log.aborted_transactions(0, 5).unwrap().is_empty());
    assert!(fixture.log.aborted_transactions(16, 17).unwrap().is_empty());
}

#[test]
fn late_markers_are_refused() {
    let mut fixture = Fixture::new();
    fixture.append(Batch::of(1).producer(1, 3, 0).transactional());
    let marker = EndTxnMarker { committed: true, coordinator_epoch: 0 };
    let check = |fixture: &Fixture, epoch, version| {
        let header = header(&Batch::of(1).producer(1, epoch, 0).build(0));
        fixture.log.check_end_txn(&header, &marker, version)
    };
    assert!(check(&fixture, 2, 1).is_err());
    assert!(check(&fixture, 3, 1).is_ok());
    // From transaction version 2 on each transaction has its epoch: the marker's is one more (KIP-890).
    assert!(check(&fixture, 3, 2).is_err());
    assert!(check(&fixture, 4, 2).is_ok());
    fixture.end_transaction(1, 4, true);
    assert!(check(&fixture, 4, 2).is_ok(), "sent again, it ends nothing");
    let old = EndTxnMarker { committed: true, coordinator_epoch: -2 };
    let header = header(&Batch::of(1).producer(1, 5, 0).build(0));
    let fenced = fixture.log.check_end_txn(&header, &old, 2);
    assert!(matches!(fenced, Err(ProducerError::TransactionCoordinatorFenced { .. })));
}

#[test]
fn producers_and_transactions_survive_stops_and_crashes() {
    for clean in [true, false] {
        let mut fixture = Fixture::new();
        fixture.append(Batch::of(2).producer(1, 0, 0).transactional());
        fixture.append(Batch::of(2).producer(2, 0, 0).transactional());
        fixture.log.roll(0).unwrap();
        fixture.end_transaction(1, 0, false);
        fixture.append(Batch::of(3).producer(3, 5, 0));
        let before = (fixture.log.active_producers(), fixture.log.aborted_transactions(0, 100).unwrap());
        if clean {
            fixture.log.close(true, 0).unwrap();
        }
        let options = OpenOptions { clean_shutdown: clean, high_watermark: 8, ..OpenOptions::default() };
        fixture.reopen(options);
        let after = (fixture.log.active_producers(), fixture.log.aborted_transactions(0, 100).unwrap());
        assert_eq!(after, before, "clean: {clean}");
        assert_eq!(after.1.len(), 1);
        assert_eq!(fixture.log.last_stable_offset(), 2, "producer 2 has a transaction open");
    }
}
