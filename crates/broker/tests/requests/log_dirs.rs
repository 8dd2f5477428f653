//! Log directories and moves between them; checkpoints and retention.

use barnabas_broker::{error_code, Effect};
use barnabas_disk::Disk;

use crate::fetch::{self, one, partition};
use crate::harness::{batch, batch_with, directory, parked, path, Node};
use crate::produce::{produce, request, send};
use barnabas_protocol::batch::HEADER_SIZE;
use barnabas_protocol::batch_builder::BuilderConfig;

#[test]
fn directories_are_described_with_what_lies_in_them() {
    let mut node = Node::with(2, |_| {});
    node.topic("orders", 3);
    let records = batch(&["a"]);
    produce(&node, "orders", 0, &records);
    let directories = node.broker.log_dirs();
    let described: Vec<_> =
        directories.iter().map(|d| (&*d.path, d.id, d.error_code, d.total_bytes)).collect();
    assert_eq!(described, [("/data0", directory(0), 0, -1), ("/data1", directory(1), 0, -1)]);
    let replicas: Vec<_> = directories[0].replicas.iter().map(|r| (r.index, r.size, r.offset_lag)).collect();
    assert_eq!(replicas, [(0, records.len() as u64, 0), (2, 0, 0)]);
    assert!(directories.iter().flat_map(|d| &d.replicas).all(|replica| !replica.is_future));
}

#[test]
fn a_replica_moves_to_another_directory_and_goes_on() {
    let mut node = Node::with(2, |_| {});
    let id = node.topic("orders", 1);
    for _ in 0..5 {
        produce(&node, "orders", 0, &batch(&["a", "b"]));
    }
    node.broker.take_effects();
    assert_eq!(node.broker.alter_replica_log_dir("/data1", "orders", 0, node.now), 0);
    let future = &node.broker.log_dirs()[1].replicas[0];
    assert_eq!((future.is_future, future.offset_lag), (true, 10));
    assert_eq!(produce(&node, "orders", 0, &batch(&["c"])), (0, 10), "written to while it moves");
    node.broker.tick(node.now);
    let directories = node.broker.log_dirs();
    assert_eq!(directories[0].replicas, []);
    assert_eq!((directories[1].replicas[0].is_future, directories[1].replicas[0].index), (false, 0));
    let assigned = Effect::AssignDirectory { topic_id: id, index: 0, directory: directory(1) };
    assert_eq!(node.broker.take_effects(), [assigned]);
    assert_eq!(produce(&node, "orders", 0, &batch(&["d"])), (0, 11));
    let asked = crate::fetch::request(id, vec![crate::fetch::partition(0, 0)]);
    let fetched = crate::fetch::answers(crate::fetch::send(&node, 13, &asked), 13).partitions.remove(0);
    assert_eq!((fetched.high_watermark, fetched.offsets()), (12, Some((0, 11))));
    node.restart();
    assert_eq!(produce(&node, "orders", 0, &batch(&["e"])), (0, 12));
}

#[test]
fn a_move_that_can_not_be_is_refused() {
    let mut node = Node::with(2, |_| {});
    node.topic("orders", 1);
    let alter = |path, topic| node.broker.alter_replica_log_dir(path, topic, 0, node.now);
    assert_eq!(alter("/elsewhere", "orders"), error_code::LOG_DIR_NOT_FOUND);
    assert_eq!(alter("/data1", "nothing"), error_code::UNKNOWN_TOPIC_OR_PARTITION);
    let (fits, too_long) = ("x".repeat(213), "x".repeat(214));
    assert_eq!(alter("/data1", fits.as_str()), error_code::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(alter("/data1", too_long.as_str()), error_code::INVALID_TOPIC_EXCEPTION);
    assert_eq!(alter("/data0", "orders"), 0, "it is there already");
    assert!(node.broker.log_dirs().iter().flat_map(|d| &d.replicas).all(|replica| !replica.is_future));
    assert_eq!(alter("/data1", "orders"), 0);
    assert_eq!(alter("/data0", "orders"), 0, "and stays");
    assert!(node.broker.log_dirs().iter().flat_map(|d| &d.replicas).all(|replica| !replica.is_future));
}

#[test]
fn the_high_watermark_is_checkpointed_every_five_seconds() {
    let mut node = Node::new();
    node.topic("orders", 1);
    produce(&node, "orders", 0, &batch(&["a", "b"]));
    node.now += 5_000;
    let next = node.broker.tick(node.now);
    assert!(next > node.now);
    let file = node.disk.read(&path(0).join("replication-offset-checkpoint")).unwrap();
    assert_eq!(String::from_utf8(file).unwrap(), "0\n1\norders 0 2\n");
}

#[test]
fn retention_moves_the_log_start() {
    let mut node = Node::new();
    let configs = [("retention.ms", "1000"), ("internal.segment.bytes", "150")];
    let id = node.topic_on("orders", &[vec![1]], &configs);
    for _ in 0..3 {
        let records = batch_with(&["0123456789012345678901234567890123456789"], BuilderConfig::default());
        assert_eq!(produce(&node, "orders", 0, &records).0, 0);
    }
    node.now += 300_000;
    node.broker.tick(node.now);
    let asked = crate::fetch::request(id, vec![crate::fetch::partition(0, 0)]);
    let fetched = crate::fetch::answers(crate::fetch::send(&node, 13, &asked), 13).partitions.remove(0);
    assert_eq!(fetched.error, error_code::OFFSET_OUT_OF_RANGE);
}

#[test]
fn a_directory_that_works_again_comes_back_with_its_records() {
    let mut node = Node::with(1, |_| {});
    let id = node.topic_on("orders", &[vec![1]], &[("barnabas.durability", "fsync")]);
    node.broker.take_effects();
    let sent = batch(&["kept"]);
    parked(send(&node, 12, &request("orders", &[(0, &sent)], 1)));
    node.broker.sync_waiting(node.now);

    node.disk.fail_after(0);
    assert_eq!(produce(&node, "orders", 0, &batch(&["refused"])).0, error_code::KAFKA_STORAGE_ERROR);
    assert_eq!(one(&node, &fetch::request(id, vec![partition(0, 0)])).error, error_code::KAFKA_STORAGE_ERROR);
    assert_eq!(node.broker.take_effects(), [Effect::DirectoryFailed { directory: directory(0) }]);
    assert_eq!(node.broker.log_dirs()[0].error_code, error_code::KAFKA_STORAGE_ERROR);
    node.change(id, 0, |change| change.leader = -1);
    for _ in 0..3 {
        node.now += 5_000;
        node.broker.tick(node.now);
    }
    assert_eq!(node.broker.take_effects(), [], "it does not come back before it works");

    node.disk.fail_after(u64::MAX);
    node.now += 5_000;
    node.broker.tick(node.now);
    let returned = Effect::DirectoryReturned { directory: directory(0) };
    assert_eq!(node.broker.take_effects().last(), Some(&returned));
    assert_eq!(node.broker.log_dirs()[0].error_code, error_code::NONE);
    node.change(id, 0, |change| change.leader = 1);
    parked(send(&node, 12, &request("orders", &[(0, &batch(&["after"]))], 1)));
    node.broker.sync_waiting(node.now);
    let answer = one(&node, &fetch::request(id, vec![partition(0, 0)]));
    assert_eq!((answer.error, answer.offsets()), (error_code::NONE, Some((0, 1))));
    assert!(answer.records.ends_with(&batch(&["after"])[HEADER_SIZE..]));
}

#[test]
fn a_directory_that_was_broken_at_the_start_comes_back_with_its_records() {
    let mut node = Node::with(2, |_| {});
    let id = node.topic("orders", 2);
    for index in [0, 1] {
        assert_eq!(produce(&node, "orders", index, &batch(&["kept"])), (0, 0));
        let place = node.broker.logs().directory_of("orders", index).unwrap();
        assert_eq!(place, directory(index as u8));
        node.change(id, index, |change| change.directories = Some(vec![place]));
    }
    let (meta, moved) = (path(1).join("meta.properties"), path(1).join("moved"));
    node.disk.rename(&meta, &moved).unwrap();
    node.disk.create_dir_all(&meta).unwrap();
    node.restart();
    node.broker.take_effects();
    assert_eq!(produce(&node, "orders", 0, &batch(&["goes on"])), (0, 1));
    // It lies in the directory that can't be read: not a second time in the other one.
    assert_eq!(produce(&node, "orders", 1, &batch(&["refused"])).0, error_code::KAFKA_STORAGE_ERROR);
    assert_eq!(node.broker.log_dirs()[1].error_code, error_code::KAFKA_STORAGE_ERROR);
    node.now += 5_000;
    node.broker.tick(node.now);
    assert_eq!(node.broker.take_effects(), [], "it does not come back before it works");

    node.disk.remove_dir_all(&meta).unwrap();
    node.disk.rename(&moved, &meta).unwrap();
    node.now += 5_000;
    node.broker.tick(node.now);
    assert_eq!(node.broker.take_effects(), [Effect::DirectoryReturned { directory: directory(1) }]);
    assert_eq!(produce(&node, "orders", 1, &batch(&["goes on"])), (0, 1));
    assert_eq!(one(&node, &fetch::request(id, vec![partition(1, 0)])).offsets(), Some((0, 1)));
    // Topics that are deleted meanwhile are strays when their directory comes back.
    node.disk.rename(&meta, &moved).unwrap();
    node.disk.create_dir_all(&meta).unwrap();
    node.restart();
    node.remove_topic(id);
    node.disk.remove_dir_all(&meta).unwrap();
    node.disk.rename(&moved, &meta).unwrap();
    node.now += 5_000;
    node.broker.tick(node.now);
    assert!(node.disk.list(&path(1)).unwrap().iter().any(|entry| entry.name.ends_with("-stray")));
}
