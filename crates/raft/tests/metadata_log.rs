//! The metadata log from formatting to trimming, over starts and crashes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use barnabas_disk::{Disk, MemoryDisk, Open, OpenFiles};
use barnabas_image::MetadataImage;
use barnabas_protocol::generated::begin_transaction_record::BeginTransactionRecord;
use barnabas_protocol::generated::config_record::ConfigRecord;
use barnabas_protocol::generated::metadata_record::MetadataRecord;
use barnabas_protocol::generated::partition_record::PartitionRecord;
use barnabas_protocol::generated::topic_record::TopicRecord;
use barnabas_protocol::wire::Writer;
use barnabas_protocol::Uuid;
use barnabas_raft::{
    format, load, start, FormatOptions, MetadataLogConfig, RaftError, ReplicaKey, SnapshotId, StartOptions,
    Started, Voter, VoterEndpoint, VoterSet, METADATA_DIRECTORY,
};
use proptest::prelude::*;

const NOW: i64 = 1_795_000_000_000;
const DIRECTORY: Uuid = Uuid(*b"directory-number");

fn endpoint(port: u16) -> VoterEndpoint {
    VoterEndpoint { name: "CONTROLLER".into(), host: "127.0.0.1".into(), port }
}

/// A formatted log directory and what is done to it.
struct Node {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    config: MetadataLogConfig,
}

impl Node {
    fn formatted() -> Node {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
        let dir = PathBuf::from("/data");
        disk.create_dir_all(&dir).unwrap();
        let key = ReplicaKey { id: 1, directory_id: DIRECTORY };
        let options = FormatOptions {
            voter: Voter { key, endpoints: vec![endpoint(9093)], kraft_versions: (0, 1) },
            features: vec![("group.version".into(), 1), ("metadata.version".into(), 33)],
            records: Vec::new(),
        };
        format(&*disk, &dir, &options, NOW).unwrap();
        Node { disk, dir, config: MetadataLogConfig::default() }
    }

    fn try_start(&self, id: i32, directory_id: Uuid) -> Result<Started, RaftError> {
        self.try_start_with(ReplicaKey { id, directory_id }, None)
    }

    fn try_start_with(
        &self,
        local: ReplicaKey,
        static_voters: Option<VoterSet>,
    ) -> Result<Started, RaftError> {
        let options = StartOptions { static_voters, ..self.options(local) };
        start(self.files(), &self.dir, options, NOW)
    }

    fn start(&self) -> Started {
        self.try_start(1, DIRECTORY).unwrap()
    }

    fn start_at(&self, port: u16) -> Started {
        let local = ReplicaKey { id: 1, directory_id: DIRECTORY };
        let options = StartOptions { endpoints: Some(vec![endpoint(port)]), ..self.options(local) };
        start(self.files(), &self.dir, options, NOW).unwrap()
    }

    fn options(&self, local: ReplicaKey) -> StartOptions {
        StartOptions {
            local,
            endpoints: None,
            static_voters: None,
            bootstrap_configs: vec![("min.insync.replicas".into(), "1".into())],
            election_timeout_ms: 1000,
            seed: 7,
            config: self.config.clone(),
        }
    }

    fn files(&self) -> Arc<OpenFiles> {
        Arc::new(OpenFiles::new(self.disk.clone(), 100))
    }

    fn path(&self, file: &str) -> PathBuf {
        self.dir.join(METADATA_DIRECTORY).join(file)
    }
}

fn encode(record: &MetadataRecord<'_>, version: i16) -> Vec<u8> {
    let mut writer = Writer::new();
    record.encode(&mut writer, version).unwrap();
    writer.into_bytes()
}

fn id(number: u32) -> Uuid {
    Uuid((1_000_000 + u128::from(number)).to_be_bytes())
}

fn topic(number: u32) -> Vec<u8> {
    let name = format!("topic-{number}");
    encode(&MetadataRecord::Topic(TopicRecord { name: &name, topic_id: id(number) }), 0)
}

fn partition(number: u32, index: i32) -> Vec<u8> {
    let record = PartitionRecord {
        topic_id: id(number),
        partition_id: index,
        replicas: vec![1],
        isr: vec![1],
        directories: vec![DIRECTORY],
        leader: 1,
        leader_epoch: 0,
        partition_epoch: 0,
        ..PartitionRecord::default()
    };
    encode(&MetadataRecord::Partition(record), 2)
}

fn config(value: &str) -> Vec<u8> {
    let record = ConfigRecord { resource_type: 2, resource_name: "t", name: "n", value: Some(value) };
    encode(&MetadataRecord::Config(record), 0)
}

fn contents(image: &MetadataImage) -> Vec<Vec<u8>> {
    image.to_records().map(|(record, version)| encode(&record, version)).collect()
}

fn propose(started: &mut Started, records: &[Vec<u8>]) -> i64 {
    let epoch = started.log.epoch();
    let (image, last_offset) = started.log.propose(&started.image, records, epoch, NOW).unwrap();
    started.image = image;
    last_offset
}

#[test]
fn a_fresh_directory_starts_with_the_voters_the_features_and_the_configs() {
    let node = Node::formatted();
    let started = node.start();
    assert_eq!(started.log.epoch(), 1);
    let features: Vec<_> =
        started.image.features.iter().map(|(name, level)| (name.to_string(), level)).collect();
    assert_eq!(features, [("group.version".to_string(), 1), ("metadata.version".to_string(), 33)]);
    // LeaderChange, KRaftVersion, Voters; begin, two features, one config, end.
    assert_eq!((started.log.log_end_offset(), started.log.high_watermark()), (8, 8));
    assert_eq!((started.image.offset(), started.image.epoch()), (7, 1));
    assert!(!started.image.in_transaction());
    let state = node.disk.read(&node.path("quorum-state")).unwrap();
    let expected = r#"{"leaderId":1,"leaderEpoch":1,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}"#;
    assert_eq!(String::from_utf8(state).unwrap(), expected);
}

#[test]
fn a_voter_that_listens_elsewhere_says_so_once() {
    let node = Node::formatted();
    let mut expected = 0;
    // (port, records that the start adds): LeaderChange; KRaftVersion and the voters when they have changed.
    for (port, records) in [(9093, 8), (9093, 1), (40_000, 3), (40_000, 1), (9093, 3)] {
        let started = node.start_at(port);
        expected += records;
        assert_eq!(started.log.log_end_offset(), expected, "port {port}");
        let voter = started.log.quorum().voters().get(1).unwrap();
        assert_eq!(voter.endpoints, [endpoint(port)]);
        started.log.close(NOW).unwrap();
        // Who is told nothing reads it in the log.
        let reader = node.start();
        expected += 1;
        assert_eq!(reader.log.quorum().voters().get(1).unwrap().endpoints, [endpoint(port)]);
        reader.log.close(NOW).unwrap();
    }
}

#[test]
fn every_start_leads_a_new_epoch_and_finds_what_was_written() {
    let node = Node::formatted();
    let mut started = node.start();
    assert_eq!(propose(&mut started, &[topic(1), partition(1, 0)]), 9);
    assert_eq!(started.log.high_watermark(), 8, "not durable yet");
    assert_eq!(started.log.flush(NOW).unwrap(), 10);
    let written = contents(&started.image);
    started.log.close(NOW).unwrap();

    let again = node.start();
    assert_eq!(again.log.epoch(), 2);
    assert_eq!(again.log.log_end_offset(), 11, "one LeaderChange record more");
    assert_eq!(contents(&again.image), written);
    assert_eq!(contents(&load(node.files(), &node.dir, NOW).unwrap()), written);
}

#[test]
fn an_old_epoch_may_not_append() {
    let node = Node::formatted();
    let mut started = node.start();
    let refused = started.log.append(&[topic(1)], 0, NOW);
    assert!(matches!(refused, Err(RaftError::NotLeader { epoch: 0, current: 1 })));
}

#[test]
fn what_no_node_could_replay_never_reaches_the_log() {
    let node = Node::formatted();
    let mut started = node.start();
    let epoch = started.log.epoch();
    let records = [topic(1), partition(2, 0)];
    let refused = started.log.propose(&started.image, &records, epoch, NOW);
    assert!(matches!(refused, Err(RaftError::Replay { offset: 9, .. })));
    assert_eq!(started.log.log_end_offset(), 8);

    let large = vec![config(&"x".repeat(30_000)); 300];
    let refused = started.log.propose(&started.image, &large, epoch, NOW);
    assert!(matches!(refused, Err(RaftError::BatchTooLarge { .. })));
}

#[test]
fn a_transaction_left_open_is_aborted_by_the_next_leader() {
    let node = Node::formatted();
    let mut started = node.start();
    let before = contents(&started.image);
    let begin = encode(&MetadataRecord::BeginTransaction(BeginTransactionRecord { name: None }), 0);
    propose(&mut started, &[begin, topic(1)]);
    assert!(started.image.in_transaction());
    started.log.flush(NOW).unwrap();
    assert!(!started.log.snapshot(&started.image, NOW).unwrap(), "no snapshot inside a transaction");

    let again = node.start();
    assert!(!again.image.in_transaction());
    assert_eq!(contents(&again.image), before);
    assert_eq!(again.log.log_end_offset(), 12, "LeaderChange and AbortTransaction more");
}

#[test]
fn a_start_reads_the_snapshot_and_what_came_after_it() {
    let node = Node::formatted();
    let mut started = node.start();
    propose(&mut started, &[topic(1), partition(1, 0), config("1")]);
    assert!(!started.log.snapshot(&started.image, NOW).unwrap(), "uncommitted records");
    started.log.flush(NOW).unwrap();
    assert!(started.log.snapshot(&started.image, NOW).unwrap());
    assert!(!started.log.snapshot(&started.image, NOW).unwrap(), "there is one already");
    propose(&mut started, &[config("2")]);
    started.log.flush(NOW).unwrap();
    let written = contents(&started.image);

    assert!(node.disk.exists(&node.path("00000000000000000011-0000000001.checkpoint")));
    let again = node.start();
    assert_eq!(contents(&again.image), written);
    let ids: Vec<_> = again.log.snapshots().iter().map(|snapshot| snapshot.id).collect();
    assert_eq!(ids, [SnapshotId::BOOTSTRAP, SnapshotId { end_offset: 11, epoch: 1 }]);
}

#[test]
fn a_log_that_was_lost_goes_on_behind_the_snapshot() {
    let node = Node::formatted();
    let mut started = node.start();
    propose(&mut started, &[topic(1), partition(1, 0)]);
    started.log.flush(NOW).unwrap();
    started.log.snapshot(&started.image, NOW).unwrap();
    let written = contents(&started.image);
    drop(started);
    for entry in node.disk.list(&node.dir.join(METADATA_DIRECTORY)).unwrap() {
        if entry.name.starts_with("00000000000000000000.") {
            node.disk.remove_file(&node.path(&entry.name)).unwrap();
        }
    }
    let again = node.start();
    assert_eq!(contents(&again.image), written);
    assert_eq!((again.log.log_end_offset(), again.log.epoch()), (11, 2));
}

#[test]
fn a_damaged_snapshot_is_passed_over_while_the_log_reaches_back() {
    let node = Node::formatted();
    let mut started = node.start();
    propose(&mut started, &[topic(1), partition(1, 0)]);
    started.log.flush(NOW).unwrap();
    started.log.snapshot(&started.image, NOW).unwrap();
    let written = contents(&started.image);
    drop(started);
    let path = node.path("00000000000000000010-0000000001.checkpoint");
    let file = node.disk.open(&path, Open::Write).unwrap();
    file.write_all_at(b"?", 300).unwrap();
    assert_eq!(contents(&node.start().image), written);
}

#[test]
fn old_snapshots_and_segments_go_when_the_newest_is_enough() {
    let mut node = Node::formatted();
    node.config.segment_bytes = 4096;
    node.config.max_retention_bytes = Some(20_000);
    node.config.max_record_bytes_between_snapshots = 8192;
    let mut started = node.start();
    for number in 0..300 {
        propose(&mut started, &[topic(number), partition(number, 0)]);
        started.log.flush(NOW).unwrap();
        if started.log.snapshot_due(NOW) {
            assert!(started.log.snapshot(&started.image, NOW).unwrap());
        }
    }
    let oldest = started.log.snapshots()[0].id;
    assert!(oldest.end_offset > 0);
    assert_eq!(started.log.log_start_offset(), oldest.end_offset);
    let written = contents(&started.image);
    started.log.close(NOW).unwrap();
    assert_eq!(contents(&node.start().image), written);
}

#[test]
fn snapshots_are_due_by_bytes_and_by_time() {
    let mut node = Node::formatted();
    node.config.max_record_bytes_between_snapshots = 10_000;
    let mut started = node.start();
    assert!(!started.log.snapshot_due(NOW + 3_599_000));
    assert!(started.log.snapshot_due(NOW + 3_600_000));
    propose(&mut started, &[config(&"x".repeat(10_000))]);
    assert!(started.log.snapshot_due(NOW));
    started.log.flush(NOW).unwrap();
    started.log.snapshot(&started.image, NOW).unwrap();
    assert!(!started.log.snapshot_due(NOW + 4_000_000), "nothing was written since");
}

#[test]
fn no_epoch_of_the_log_begins_again_when_the_quorum_state_was_lost() {
    let node = Node::formatted();
    for _ in 0..3 {
        node.start().log.close(NOW).unwrap();
    }
    node.disk.remove_file(&node.path("quorum-state")).unwrap();
    assert_eq!(node.start().log.epoch(), 4);
}

#[test]
fn a_quorum_of_configured_voters_keeps_kraft_version_0() {
    let node = Node::formatted();
    node.disk.remove_file(&node.path(&SnapshotId::BOOTSTRAP.file_name())).unwrap();
    let key = ReplicaKey { id: 1, directory_id: Uuid::ZERO };
    let voter = |id| Voter { key: ReplicaKey { id, ..key }, endpoints: Vec::new(), kraft_versions: (0, 0) };
    let local = ReplicaKey { id: 1, directory_id: DIRECTORY };
    let several = node.try_start_with(local, Some(VoterSet::new([voter(1), voter(2)])));
    assert!(matches!(several, Err(RaftError::SeveralVoters { .. })));

    let started = node.try_start_with(local, Some(VoterSet::new([voter(1)]))).unwrap();
    assert_eq!((started.log.kraft_version(), started.log.log_end_offset()), (0, 6), "no voters in the log");
    let state = String::from_utf8(node.disk.read(&node.path("quorum-state")).unwrap()).unwrap();
    assert!(state.contains(r#""currentVoters":[{"voterId":1}],"data_version":0"#), "{state}");
}

#[test]
fn another_node_or_directory_is_told_so() {
    let node = Node::formatted();
    for (id, directory) in [(2, DIRECTORY), (1, Uuid([9; 16]))] {
        assert!(matches!(node.try_start(id, directory), Err(RaftError::NotVoter { voter: 1, .. })));
    }
    let empty = Node { disk: Arc::new(MemoryDisk::new()), dir: "/empty".into(), config: Default::default() };
    assert!(matches!(empty.try_start(1, DIRECTORY), Err(RaftError::NoVoters { .. })));
}

/// The newest segment of the log, as a file name.
fn segment(disk: &dyn Disk, dir: &Path) -> PathBuf {
    let mut logs = disk.list(dir).unwrap().into_iter().filter(|entry| entry.name.ends_with(".log"));
    dir.join(logs.next_back().unwrap().name)
}

/// Ends of the batches of ten topics, in a log that was closed.
fn ten_topics(node: &Node) -> (PathBuf, Vec<u64>) {
    let mut started = node.start();
    let mut ends = vec![started.log.size()];
    for number in 0..10 {
        propose(&mut started, &[topic(number), partition(number, 0)]);
        ends.push(started.log.size());
    }
    started.log.close(NOW).unwrap();
    (segment(&*node.disk, &node.dir.join(METADATA_DIRECTORY)), ends)
}

#[test]
fn a_log_that_is_damaged_in_the_middle_is_left_as_it_is() {
    let node = Node::formatted();
    let (path, ends) = ten_topics(&node);
    let whole = node.disk.read(&path).unwrap();
    for position in ends[4]..ends[5] {
        let file = node.disk.open(&path, Open::Write).unwrap();
        let byte = whole[position as usize];
        file.write_all_at(&[byte ^ 0x10], position).unwrap();
        // The leader epoch lies outside the checksum; one that is too high is not told from a right one.
        let epoch = (ends[4] + 12..ends[4] + 16).contains(&position);
        assert!(epoch || node.try_start(1, DIRECTORY).is_err(), "byte {position}");
        file.write_all_at(&[byte], position).unwrap();
        assert_eq!(node.disk.read(&path).unwrap(), whole, "byte {position}");
    }
    assert_eq!(node.start().image.topics.len(), 10);
}

#[test]
fn sectors_that_never_reached_the_disk_are_a_torn_end() {
    let node = Node::formatted();
    let (path, ends) = ten_topics(&node);
    let file = node.disk.open(&path, Open::Write).unwrap();
    file.write_all_at(&vec![0; (ends[9] - ends[8]) as usize], ends[8]).unwrap();
    drop(file);
    assert_eq!(node.start().image.topics.len(), 8);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_torn_tail_is_cut_at_a_whole_batch(batches in 1..8u32, cut in 0..400u64) {
        let node = Node::formatted();
        let mut started = node.start();
        let mut states = vec![contents(&started.image)];
        let mut ends = vec![started.log.size()];
        for number in 0..batches {
            propose(&mut started, &[topic(number), partition(number, 0), partition(number, 1)]);
            states.push(contents(&started.image));
            ends.push(started.log.size());
        }
        started.log.flush(NOW).unwrap();
        drop(started);

        let path = segment(&*node.disk, &node.dir.join(METADATA_DIRECTORY));
        let length = ends.last().unwrap().saturating_sub(cut).max(ends[0]);
        node.disk.open(&path, Open::Write).unwrap().set_len(length).unwrap();
        let whole = ends.iter().rposition(|&end| end <= length).unwrap();
        let again = node.start();
        prop_assert_eq!(&contents(&again.image), &states[whole]);
    }
}
