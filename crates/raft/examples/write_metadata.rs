//! Formats a log directory and writes metadata records of many kinds into it: for tests with Kafka's own tools.
//!
//! Usage: write_metadata DIRECTORY CONTROLLER_PORT METADATA_VERSION

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use barnabas_disk::{Disk, OpenFiles, OsDisk};
use barnabas_protocol::generated::access_control_entry_record::AccessControlEntryRecord;
use barnabas_protocol::generated::config_record::ConfigRecord;
use barnabas_protocol::generated::metadata_record::MetadataRecord;
use barnabas_protocol::generated::partition_record::PartitionRecord;
use barnabas_protocol::generated::producer_ids_record::ProducerIdsRecord;
use barnabas_protocol::generated::topic_record::TopicRecord;
use barnabas_protocol::wire::Writer;
use barnabas_protocol::Uuid;
use barnabas_raft::{
    format, start, FormatOptions, MetadataLogConfig, ReplicaKey, StartOptions, Started, Voter, VoterEndpoint,
};

const NOW: i64 = 1_795_000_000_000;
const DIRECTORY: Uuid = Uuid(*b"directory-number");
const TOPIC: Uuid = Uuid(*b"topic-numero-uno");
const CLUSTER: &str = "MkU3OEVBNTcwNTJENDM2Qg";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, controller_port, metadata_version] = &arguments[..] else {
        return Err("usage: write_metadata DIRECTORY CONTROLLER_PORT METADATA_VERSION".into());
    };
    let directory = Path::new(directory);
    let disk: Arc<dyn Disk> = Arc::new(OsDisk::new());
    let key = ReplicaKey { id: 1, directory_id: DIRECTORY };
    format_directory(&*disk, directory, key, controller_port.parse()?, metadata_version.parse()?)?;

    let mut started = start_log(&disk, directory, key)?;
    write(&mut started, &records(0)?)?;
    started.log.snapshot(&started.image, NOW)?;
    write(&mut started, &records(1)?)?;
    started.log.close(NOW)?;
    // A second life: its epoch begins behind the first one's records.
    start_log(&disk, directory, key)?.log.close(NOW)?;
    Ok(())
}

fn format_directory(
    disk: &dyn Disk,
    directory: &Path,
    key: ReplicaKey,
    port: u16,
    level: i16,
) -> Result<(), Box<dyn Error>> {
    disk.create_dir_all(directory)?;
    let endpoint = VoterEndpoint { name: "CONTROLLER".into(), host: "127.0.0.1".into(), port };
    let options = FormatOptions {
        voter: Voter { key, endpoints: vec![endpoint], kraft_versions: (0, 1) },
        features: vec![("metadata.version".into(), level), ("group.version".into(), 1)],
        records: Vec::new(),
    };
    format(disk, directory, &options, NOW)?;
    let properties = format!("version=1\ncluster.id={CLUSTER}\nnode.id=1\ndirectory.id={DIRECTORY}\n");
    Ok(disk.write_atomic(&directory.join("meta.properties"), properties.as_bytes())?)
}

fn start_log(disk: &Arc<dyn Disk>, directory: &Path, local: ReplicaKey) -> Result<Started, Box<dyn Error>> {
    let options = StartOptions {
        local,
        endpoints: None,
        static_voters: None,
        bootstrap_configs: vec![("min.insync.replicas".into(), "1".into())],
        election_timeout_ms: 1000,
        seed: 1,
        config: MetadataLogConfig::default(),
    };
    Ok(start(Arc::new(OpenFiles::new(disk.clone(), 100)), directory, options, NOW)?)
}

fn write(started: &mut Started, records: &[Vec<u8>]) -> Result<(), Box<dyn Error>> {
    let epoch = started.log.epoch();
    let (image, _) = started.log.propose(&started.image, records, epoch, NOW)?;
    started.image = image;
    started.log.flush(NOW)?;
    Ok(())
}

/// Two batches: a topic with its partition and config, then one more partition and what is no topic's.
fn records(batch: i32) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let partition = MetadataRecord::Partition(PartitionRecord {
        topic_id: TOPIC,
        partition_id: batch,
        replicas: vec![1],
        isr: vec![1],
        directories: vec![DIRECTORY],
        leader: 1,
        leader_epoch: 0,
        partition_epoch: 0,
        ..PartitionRecord::default()
    });
    let records = if batch == 0 {
        let (resource_type, resource_name) = (2, "orders");
        let config = ConfigRecord { resource_type, resource_name, name: "retention.ms", value: Some("1000") };
        let topic = TopicRecord { name: "orders", topic_id: TOPIC };
        vec![(MetadataRecord::Topic(topic), 0), (partition, 2), (MetadataRecord::Config(config), 0)]
    } else {
        let acl = AccessControlEntryRecord {
            id: DIRECTORY,
            resource_type: 2,
            resource_name: "orders",
            pattern_type: 3,
            principal: "User:alice",
            host: "*",
            operation: 3,
            permission_type: 3,
        };
        let ids = ProducerIdsRecord { broker_id: 1, broker_epoch: 5, next_producer_id: 1000 };
        let (acl, ids) = (MetadataRecord::AccessControlEntry(acl), MetadataRecord::ProducerIds(ids));
        vec![(partition, 2), (acl, 0), (ids, 0)]
    };
    records
        .iter()
        .map(|(record, version)| {
            let mut writer = Writer::new();
            record.encode(&mut writer, *version)?;
            Ok(writer.into_bytes())
        })
        .collect()
}
