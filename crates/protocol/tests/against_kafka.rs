//! Record batches compared with what Apache Kafka's own classes make of them.
//!
//! Run by tests/conformance/records, which provides the jars: APACHE_KAFKA_LIBS is their directory. The oracle,
//! RecordsOracle.java, answers one line for each line that it gets:
//!
//! ```text
//! build codec level timestampType appendTime baseOffset pid epoch sequence txn control leaderEpoch horizon record...
//!     record: offset:timestamp:key:value:header=value,...   bytes in hexadecimal, - for none
//!     → the batch
//! read batch → ok offset:timestamp:sequence:key:value:headers ... | error
//! produce version now leaderEpoch config=value,... records
//!     → ok maxTimestamp batch | error code recordIndexes
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)] // A test, not the broker.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use barnabas_protocol::batch::{set_base_offset, Batch, TimestampType, HEADER_SIZE};
use barnabas_protocol::batch_builder::BuilderConfig;
use barnabas_protocol::batch_validate::{validate, TopicCompression, ValidationConfig};
use barnabas_protocol::compression::Compression;
use barnabas_protocol::crc::crc32c;
use support::{batch, hex, random_config, timestamp_type_name, unhex, OwnedRecord, Random, CODECS};

struct Oracle {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Oracle {
    fn start() -> Oracle {
        let libs =
            std::env::var("APACHE_KAFKA_LIBS").expect("APACHE_KAFKA_LIBS is the directory of the jars");
        let program =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/conformance/records/RecordsOracle.java");
        let mut process = Command::new("java")
            .args(["-Xmx512M", "-XX:TieredStopAtLevel=1", "-cp", &format!("{libs}/*"), program])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("java starts");
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Oracle { process, input, output }
    }

    fn ask(&mut self, question: &str) -> String {
        writeln!(self.input, "{question}").unwrap();
        self.input.flush().unwrap();
        let mut answer = String::new();
        self.output.read_line(&mut answer).unwrap();
        assert!(!answer.is_empty(), "the oracle is gone after: {question}");
        answer.trim_end().to_owned()
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn part(bytes: Option<&[u8]>) -> String {
    bytes.map_or("-".to_owned(), hex)
}

fn build_question(config: &BuilderConfig, records: &[OwnedRecord]) -> String {
    let mut line = format!(
        "build {} {} {} {} {} {} {} {} {} {} {} {}",
        config.compression.name(),
        config.level.map_or("-".to_owned(), |level| level.to_string()),
        timestamp_type_name(config.timestamp_type),
        config.log_append_time,
        config.base_offset,
        config.producer_id,
        config.producer_epoch,
        config.base_sequence,
        config.transactional as u8,
        config.control as u8,
        config.leader_epoch,
        config.delete_horizon_ms.map_or("-".to_owned(), |horizon| horizon.to_string()),
    );
    for record in records {
        let headers: Vec<String> =
            record.headers.iter().map(|(k, v)| format!("{}={}", hex(k), part(v.as_deref()))).collect();
        let (key, value) = (part(record.key.as_deref()), part(record.value.as_deref()));
        line += &format!(" {}:{}:{key}:{value}:{}", record.offset, record.timestamp, headers.join(","));
    }
    line
}

/// A header's key as Java reads it.
fn name(key: &[u8]) -> String {
    hex(String::from_utf8_lossy(key).as_bytes())
}

/// What `read` answers, from our own reader.
fn read(bytes: &[u8]) -> String {
    let Ok(Ok(records)) = Batch::parse(bytes).map(|batch| batch.records(1 << 28)) else {
        return "error".to_owned();
    };
    let mut out = "ok".to_owned();
    for record in &records {
        let Ok(record) = record else { return "error".to_owned() };
        let headers: Vec<String> =
            record.headers.map(|header| format!("{}={}", name(header.key), part(header.value))).collect();
        out += &format!(
            " {}:{}:{}:{}:{}:{}",
            record.offset,
            record.timestamp,
            record.sequence,
            part(record.key),
            part(record.value),
            headers.join(",")
        );
    }
    out
}

#[test]
#[ignore = "needs the jars of Apache Kafka: run by tests/conformance/records"]
fn batches_are_those_of_kafkas_builder() {
    let mut oracle = Oracle::start();
    let mut random = Random(1);
    for case in 0..600 {
        let mut config = random_config(&mut random);
        config.base_offset = random.of(&[0, 1, 1 << 40]);
        config.leader_epoch = random.of(&[-1, 0, 5]);
        config.level = match config.compression {
            Compression::Gzip => random.of(&[None, Some(-1), Some(1), Some(9)]),
            Compression::Lz4 => random.of(&[None, Some(1), Some(9), Some(17)]),
            Compression::Zstd => random.of(&[None, Some(-5), Some(1), Some(22)]),
            _ => None,
        };
        if random.one_in(4) {
            config.timestamp_type = TimestampType::LogAppendTime;
            config.log_append_time = 1_700_000_000_000;
        }
        if random.one_in(6) {
            config.delete_horizon_ms = Some(1_600_000_000_000);
        }
        let mut offset = config.base_offset;
        let mut records = Vec::new();
        for _ in 0..1 + random.of(&[0, 1, 5, 40]) {
            let timestamp = random.of(&[0, 5, 1_699_999_999_999, 1_700_000_000_123]);
            records.push(OwnedRecord::random(&mut random, offset, timestamp));
            offset += 1 + random.of(&[0, 0, 0, 100]);
        }
        // The JVM is asked for at most a mebibyte, which is what it gave its builder.
        if records.iter().map(|r| r.value.as_ref().map_or(0, Vec::len)).sum::<usize>() > 900_000 {
            continue;
        }
        let ours = batch(config, &records);
        let theirs = unhex(&oracle.ask(&build_question(&config, &records)));
        if config.compression == Compression::None {
            assert_eq!(hex(&ours), hex(&theirs), "case {case}");
        }
        let wanted = read(&ours);
        assert!(wanted.starts_with("ok"), "case {case}");
        assert!(Batch::parse(&theirs).unwrap().crc_is_valid(), "case {case}");
        assert_eq!(read(&theirs), wanted, "case {case}: their batch, our reader, {:?}", config);
        assert_eq!(
            oracle.ask(&format!("read {}", hex(&ours))),
            wanted,
            "case {case}: our batch, their reader"
        );
    }
}

#[test]
#[ignore = "needs the jars of Apache Kafka: run by tests/conformance/records"]
fn control_batches_are_those_of_kafkas_builder() {
    let mut oracle = Oracle::start();
    let config = BuilderConfig {
        base_offset: 42,
        producer_id: 7,
        producer_epoch: 3,
        transactional: true,
        control: true,
        leader_epoch: 9,
        ..BuilderConfig::default()
    };
    let marker = OwnedRecord {
        offset: 42,
        timestamp: 1_700_000_000_000,
        key: Some(vec![0, 0, 0, 1]),
        value: Some(vec![0, 0, 0, 0, 0, 5]),
        headers: Vec::new(),
    };
    let theirs = oracle.ask(&build_question(&config, std::slice::from_ref(&marker)));
    assert_eq!(hex(&batch(config, &[marker])), theirs);
}

const NOW: i64 = 1_700_000_000_000;

/// What a client might send, and what only a broken or hostile one would.
fn request(random: &mut Random) -> (Vec<u8>, bool) {
    let mut config = random_config(random);
    config.control = random.one_in(40);
    if random.one_in(20) {
        config.timestamp_type = TimestampType::LogAppendTime;
        config.log_append_time = NOW - 5;
    }
    let mut records = Vec::new();
    for offset in 0..1 + random.of(&[0, 1, 5]) {
        let timestamp = match random.below(12) {
            0 => -1,
            1 => NOW + 3_600_001,
            2 => NOW - 86_400_001,
            3 => NOW + 3_600_000,
            _ => NOW - random.below(1000) as i64,
        };
        records.push(OwnedRecord::random(random, offset, timestamp));
    }
    let mut bytes = batch(config, &records);
    let mut mangled = false;
    match random.below(10) {
        0 => {
            // A field of the header.
            let at = random.below(HEADER_SIZE);
            bytes[at] ^= 1 << random.below(8);
        }
        1 => {
            // Something in the records.
            mangled = true;
            let at = HEADER_SIZE + random.below(bytes.len() - HEADER_SIZE);
            bytes[at] = random.next() as u8;
        }
        2 => bytes.truncate(random.below(bytes.len())),
        3 => {
            let more = bytes[..random.below(bytes.len() + 1)].to_vec();
            bytes.extend(more);
            return (bytes, false);
        }
        _ => {}
    }
    if bytes.len() >= HEADER_SIZE && !random.one_in(10) {
        let size = (i32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as i64 + 12).max(21);
        let end = bytes.len().min(size as usize);
        let crc = crc32c(&bytes[21..end]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    }
    (bytes, mangled)
}

fn topic(random: &mut Random) -> (ValidationConfig, String) {
    let mut config = ValidationConfig { leader_epoch: random.of(&[0, 3]), ..ValidationConfig::default() };
    config.compacted = random.one_in(4);
    config.timestamp_before_max_ms = random.of(&[i64::MAX, i64::MAX, 86_400_000]);
    config.max_message_bytes = random.of(&[1_048_588, 1_048_588, 300]);
    if random.one_in(3) {
        config.timestamp_type = TimestampType::LogAppendTime;
    }
    let mut compression = "producer";
    if random.one_in(2) {
        let codec = random.of(&CODECS);
        config.compression_type = TopicCompression::Codec(codec, None);
        compression = if codec == Compression::None { "uncompressed" } else { codec.name() };
    }
    let text = format!(
        "cleanup.policy={},message.timestamp.before.max.ms={},max.message.bytes={},message.timestamp.type={},\
         compression.type={compression}",
        if config.compacted { "compact" } else { "delete" },
        config.timestamp_before_max_ms,
        config.max_message_bytes,
        timestamp_type_name(config.timestamp_type),
    );
    (config, text)
}

/// Whether id and epoch of the producer are what no producer sends.
fn producer_is_odd(bytes: &[u8]) -> bool {
    let Ok(Batch { header, .. }) = Batch::parse(bytes) else { return false };
    match header.producer_id {
        -1 => header.is_transactional(),
        id => id < 0 || header.producer_epoch < 0,
    }
}

/// What `produce` answers, from our own validation; and the batch.
fn produce(bytes: &[u8], version: i16, config: &ValidationConfig) -> (String, Vec<u8>, bool) {
    let validated = match validate(bytes, version, config, NOW) {
        Ok(validated) => validated,
        Err(error) => {
            let indexes: Vec<String> =
                error.record_errors.iter().map(|(index, _)| index.to_string()).collect();
            let answer = format!("error {} {}", error.code(), indexes.join(","));
            return (answer.trim_end().to_owned(), Vec::new(), false);
        }
    };
    let mut batch = Vec::new();
    validated.write_to(0, &mut batch);
    (format!("ok {}", validated.header().max_timestamp), batch, validated.is_rebuilt())
}

#[test]
#[ignore = "needs the jars of Apache Kafka: run by tests/conformance/records"]
fn a_leader_accepts_and_refuses_what_kafkas_does() {
    let mut oracle = Oracle::start();
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(2);
    let cases = std::env::var("CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(3_000);
    let mut random = Random(seed);
    let mut stricter = 0;
    let mut accepted = 0;
    for case in 0..cases {
        let (bytes, mangled) = request(&mut random);
        let (config, text) = topic(&mut random);
        let version = random.of(&[3, 7, 9, 13]);
        let question = format!("produce {version} {NOW} {} {text} {}", config.leader_epoch, hex(&bytes));
        let answer = oracle.ask(question.trim_end());
        let (ours, our_batch, rebuilt) = produce(&bytes, version, &config);
        let context = format!("seed {seed} case {case}: {question}\nKafka: {answer}\nours: {ours}");
        let words: Vec<&str> = answer.split(' ').collect();
        if ours == "error 87" && (mangled || producer_is_odd(&bytes)) {
            stricter += usize::from(words[0] == "ok"); // What Kafka does not look at: see record.rs, and check_producer in batch_validate.rs.
            continue;
        }
        let rebuilt_too_large =
            ours == "error 10" && words[0] == "ok" || answer.starts_with("error 10") && rebuilt;
        if rebuilt_too_large && bytes.len() <= config.max_message_bytes {
            continue; // Two libraries do not compress to the same size.
        }
        if words[0] == "error" {
            // Kafka keeps a batch with such a timestamp, but can't write it anew.
            let negative_timestamp = answer.contains("Invalid negative timestamp");
            match words[1] {
                // Kafka has no name for it, we have: see batch_validate/error.rs.
                "-1" => assert!(ours == "error 87" || ours == "error 76" || negative_timestamp, "{context}"),
                code if words.len() > 2 && words[2] != "-" => {
                    assert_eq!(ours, format!("error {code} {}", words[2]), "{context}");
                }
                code => assert_eq!(ours, format!("error {code}"), "{context}"),
            }
            continue;
        }
        accepted += 1;
        assert_eq!(ours, format!("ok {}", words[1]), "{context}");
        let mut theirs = unhex(words[2]);
        set_base_offset(&mut theirs, 0);
        if rebuilt && Batch::parse(&bytes).unwrap().header.timestamp_type() == TimestampType::LogAppendTime {
            continue; // See batch_validate.rs, timestamps_are_own.
        }
        if rebuilt {
            assert_eq!(read(&our_batch), read(&theirs), "{context}");
            let (a, b) = (Batch::parse(&our_batch).unwrap(), Batch::parse(&theirs).unwrap());
            assert!(a.crc_is_valid(), "{context}");
            assert_eq!(a.header.attributes, b.header.attributes, "{context}");
            assert_eq!(a.header.last_offset_delta, b.header.last_offset_delta, "{context}");
            assert_eq!(a.header.base_timestamp, b.header.base_timestamp, "{context}");
            assert_eq!(a.header.partition_leader_epoch, b.header.partition_leader_epoch, "{context}");
        } else {
            assert_eq!(hex(&our_batch), hex(&theirs), "{context}");
        }
    }
    assert!(accepted > cases / 5, "{accepted} accepted");
    println!("seed {seed}: {cases} requests, {accepted} accepted, {stricter} refused that Kafka accepts");
}
