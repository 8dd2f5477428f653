//! The metadata log on a disk whose power fails at any instant: what was committed is there, and whole batches only.
//!
//! `SEEDS=5000 cargo test -p barnabas-raft --test power_failure` looks longer, `SEED=7` at one seed alone.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;

use barnabas_disk::sim::{each_seed, Random, SimDisk};
use barnabas_disk::{Disk, OpenFiles};
use barnabas_image::{MetadataImage, ResourceType};
use barnabas_protocol::generated::config_record::ConfigRecord;
use barnabas_protocol::generated::metadata_record::MetadataRecord;
use barnabas_protocol::wire::Writer;
use barnabas_protocol::Uuid;
use barnabas_raft::{
    format, start, FormatOptions, MetadataLogConfig, RaftError, ReplicaKey, StartOptions, Started, Voter,
    VoterEndpoint,
};

const DIRECTORY: Uuid = Uuid(*b"directory-number");
const KEY: ReplicaKey = ReplicaKey { id: 1, directory_id: DIRECTORY };
/// Steps of one run.
const STEPS: usize = 40;

fn encode(name: &str, value: &str) -> Vec<u8> {
    let record = ConfigRecord { resource_type: 2, resource_name: "t", name, value: Some(value) };
    let mut writer = Writer::new();
    MetadataRecord::Config(record).encode(&mut writer, 0).unwrap();
    writer.into_bytes()
}

fn formatted(seed: u64) -> SimDisk {
    let disk = SimDisk::new(seed);
    disk.create_dir_all(Path::new("/data")).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    let endpoint = VoterEndpoint { name: "CONTROLLER".into(), host: "127.0.0.1".into(), port: 9093 };
    let options = FormatOptions {
        voter: Voter { key: KEY, endpoints: vec![endpoint], kraft_versions: (0, 1) },
        features: vec![("metadata.version".into(), 30)],
        records: Vec::new(),
    };
    format(&disk, Path::new("/data"), &options, 0).unwrap();
    disk
}

fn try_start(disk: &SimDisk) -> Result<Started, RaftError> {
    let files = Arc::new(OpenFiles::new(Arc::new(disk.clone()), 4));
    let options = StartOptions {
        local: KEY,
        endpoints: None,
        static_voters: None,
        bootstrap_configs: Vec::new(),
        election_timeout_ms: 1000,
        seed: 7,
        config: MetadataLogConfig::default(),
    };
    start(files, Path::new("/data"), options, 0)
}

/// Both values of the newest batch, which are the same.
fn values(image: &MetadataImage) -> (i64, i64) {
    let configs = image.configs.get(ResourceType::TOPIC, "t");
    let of = |name: &str| configs.get(name).map_or(0, |value| value.parse().unwrap());
    (of("first"), of("second"))
}

/// Proposes batches of two records, commits and takes snapshots until the power fails. `proposed` and `committed`
/// are the values of the newest batches.
fn work(
    random: &mut Random,
    disk: &SimDisk,
    started: &mut Started,
    proposed: &mut i64,
    committed: &mut i64,
) -> Result<(), RaftError> {
    for _ in 0..STEPS {
        match random.below(10) {
            0..=4 => {
                *proposed += 1;
                let value = proposed.to_string();
                let records = [encode("first", &value), encode("second", &value)];
                let epoch = started.log.epoch();
                (started.image, _) = started.log.propose(&started.image, &records, epoch, 0)?;
            }
            5..=7 => {
                let durable = *proposed;
                started.log.flush(0)?;
                *committed = durable;
            }
            8 => drop(started.log.snapshot(&started.image.clone(), 0)?),
            _ => disk.fail_after(random.below(30)),
        }
    }
    disk.fail_after(0);
    Ok(())
}

fn run(seed: u64) -> u64 {
    let (mut random, disk) = (Random::new(seed), formatted(seed));
    let (mut proposed, mut committed, mut failures) = (0, 0, 0);
    for _ in 0..6 {
        let mut started = loop {
            match try_start(&disk) {
                Ok(started) => break started,
                // The power has failed again during the start.
                Err(_) if disk.has_failed() => {
                    disk.lose_power();
                    failures += 1;
                }
                Err(error) => panic!("{error}"),
            }
        };
        let (first, second) = values(&started.image);
        assert_eq!(first, second, "half a batch");
        assert!((committed..=proposed).contains(&first), "{first} where {committed} was committed");
        (proposed, committed) = (first, first);
        let outcome = work(&mut random, &disk, &mut started, &mut proposed, &mut committed);
        assert!(disk.has_failed(), "{outcome:?}");
        drop(started);
        disk.lose_power();
        failures += 1;
        if random.below(2) == 0 {
            disk.fail_after(random.below(30));
        }
    }
    failures
}

#[test]
fn what_was_committed_is_there_after_power_failures_at_any_instant() {
    let failures: u64 = each_seed(300, run).iter().sum();
    println!("{failures} power failures");
}
