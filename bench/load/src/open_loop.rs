//! A fixed rate, whatever the broker does: record i is due at start + i / rate, and latencies count from then, so
//! that a pause is seen by every record that fell into it.
//!
//! One thing is taken off: a record that was due while this process slept counts from when it woke. It sleeps only
//! when nothing is due, so no broker can delay that, only the machine. Who waits for a broker does not sleep.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use barnabas_protocol::batch::{batches, BatchError};
use barnabas_protocol::batch_builder::BuilderConfig;
use barnabas_protocol::generated::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use barnabas_protocol::generated::list_offsets_response::ListOffsetsResponse;
use barnabas_protocol::wire::Reader;

use crate::arguments::Arguments;
use crate::batches::{batch, Chance, Payload};
use crate::client::Client;
use crate::error::LoadError;
use crate::figures::{cpu_seconds, Figures};
use crate::frames;
use crate::processors::run_at_once;

const LIST_OFFSETS_VERSION: i16 = 1;
const LATEST: i64 = -1;
const PARTITION_BYTES: i32 = 10 << 20;
/// Values that are made beforehand, and the most that one batch holds.
const VALUES: usize = 2_000;
const BATCH_BYTES_MAX: usize = 900 << 10;
/// Records that were sent may take this long to come back after the last was due.
const PATIENCE_SECONDS: f64 = 30.0;
/// A value begins with two times in nanoseconds since the start: since when it counts, and when it was due.
const TIMES_BYTES: usize = 16;
/// The first record is due so long after the threads were started.
const LEAD: Duration = Duration::from_millis(200);

/// The timetable.
#[derive(Debug, Clone, Copy)]
struct Plan {
    start: Instant,
    rate: f64,
    total: u64,
    warm_up: Duration,
    depth: usize,
    acks: i16,
}

impl Plan {
    fn due(&self, record: u64) -> Duration {
        Duration::from_secs_f64(record as f64 / self.rate)
    }

    /// Records due by now.
    fn due_by(&self, now: Instant) -> u64 {
        match now.checked_duration_since(self.start) {
            Some(elapsed) => ((elapsed.as_secs_f64() * self.rate) as u64 + 1).min(self.total),
            None => 0,
        }
    }

    /// Notes what has passed since `begin`, which is since the start.
    fn note(&self, begin: Duration, now: Instant, microseconds: &mut Vec<u32>) {
        if begin >= self.warm_up {
            microseconds.push(self.since_start(now).saturating_sub(begin).as_micros() as u32);
        }
    }

    fn since_start(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.start)
    }
}

/// Records that went out together.
#[derive(Debug, Clone, Copy)]
struct Sent {
    first: u64,
    count: u64,
    /// When the sender woke last before it sent them, since the start.
    woke: Duration,
}

impl Sent {
    /// Since when each of them counts, since the start.
    fn begins<'a>(&self, plan: &'a Plan) -> impl Iterator<Item = Duration> + use<'a> {
        let woke = self.woke;
        (self.first..self.first + self.count).map(move |record| plan.due(record).max(woke))
    }
}

/// Requests that wait for their acknowledgement.
#[derive(Debug, Default)]
struct InFlight {
    requests: Mutex<VecDeque<Sent>>,
    changed: Condvar,
}

impl InFlight {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Sent>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until fewer than `depth` are in flight, at most a little.
    fn has_room(&self, depth: usize) -> bool {
        let requests = self.lock();
        if requests.len() < depth {
            return true;
        }
        let waited = self.changed.wait_timeout(requests, Duration::from_millis(100));
        waited.unwrap_or_else(PoisonError::into_inner).0.len() < depth
    }
}

/// Ends all threads when one of them fails, and keeps its error.
#[derive(Debug)]
struct Watch {
    over: AtomicBool,
    first: Mutex<Option<LoadError>>,
    connections: [Client; 2],
}

impl Watch {
    /// The value; nothing of its kind after a failure, which closes the connections of the others.
    fn keep<T: Default>(&self, result: Result<T, LoadError>) -> T {
        result.unwrap_or_else(|error| {
            self.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            self.over.store(true, Ordering::SeqCst);
            for connection in &self.connections {
                connection.shut_down();
            }
            T::default()
        })
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }
}

/// Produces and consumes one partition at `--rate` records per second.
pub(crate) fn run(arguments: &Arguments) -> Result<Figures, LoadError> {
    let topic = arguments.text("topic")?;
    let record_bytes = arguments.number("record-bytes", 1024)?.max(TIMES_BYTES);
    let rate: f64 = arguments.number("rate", 1000.0)?;
    let (seconds, warm_up) = (arguments.number("seconds", 20.0)?, arguments.number("warm-up", 5.0)?);
    let (mut reader, writer) = (Client::of(arguments)?, Client::of(arguments)?);
    reader.partitions(topic)?;
    let end = end_offset(&mut reader, topic)?;
    let plan = Plan {
        start: Instant::now() + LEAD,
        rate,
        total: (rate * (seconds + warm_up)) as u64,
        warm_up: Duration::from_secs_f64(warm_up),
        depth: arguments.number("depth", 5)?,
        acks: arguments.number("acks", -1)?,
    };
    let at_once = run_at_once();
    let (cpu, in_flight, acknowledged) = (cpu_seconds(), InFlight::default(), writer.try_clone()?);
    let connections = [reader.try_clone()?, writer.try_clone()?];
    let watch = Watch { over: AtomicBool::new(false), first: Mutex::new(None), connections };
    let (begun, acks, seen) = thread::scope(|scope| {
        let seen = scope.spawn(|| watch.keep(consume(&plan, reader, topic, end)));
        let acks = scope.spawn(|| watch.keep(acknowledge(&plan, acknowledged, &in_flight)));
        let begun = watch.keep(produce(&plan, writer, topic, record_bytes, &in_flight, &watch));
        (begun, acks.join().map_err(|_| LoadError::Panic), seen.join().map_err(|_| LoadError::Panic))
    });
    if let Some(error) = watch.first.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let (acks, seen) = (acks?, seen?);
    let mut figures = Figures::default();
    figures.add("sent", plan.total as f64);
    figures.add("measured", seen.counted.len() as f64);
    figures.add_quantiles("begun", begun);
    figures.add_quantiles("ack", acks);
    figures.add_quantiles("end_to_end", seen.counted);
    figures.add_quantiles("due_to_end", seen.since_due);
    figures.add("load_at_once", f64::from(u8::from(at_once)));
    figures.add("load_cpu_s", cpu_seconds() - cpu);
    Ok(figures)
}

/// Where partition 0 ends.
fn end_offset(client: &mut Client, topic: &str) -> Result<i64, LoadError> {
    let partition = ListOffsetsPartition { timestamp: LATEST, ..ListOffsetsPartition::default() };
    let topics = vec![ListOffsetsTopic { name: topic, partitions: vec![partition] }];
    let asked = ListOffsetsRequest { replica_id: -1, topics, ..ListOffsetsRequest::default() };
    let version = LIST_OFFSETS_VERSION;
    let frame = frames::request(ListOffsetsRequest::KEY, version, |writer| asked.encode(writer, version))?;
    let response = client.call(&frame)?;
    let response = ListOffsetsResponse::decode(&mut Reader::new(&response), version)?;
    let found = response.topics.first().and_then(|topic| topic.partitions.first());
    let found = found.ok_or_else(|| LoadError::NoLeaders(topic.to_owned()))?;
    LoadError::of("ListOffsets", found.error_code).map(|()| found.offset)
}

/// Sends what is due. How late each record was when it set out is what the machine and the load took of its time,
/// before a broker had it.
fn produce(
    plan: &Plan,
    mut client: Client,
    topic: &str,
    record_bytes: usize,
    in_flight: &InFlight,
    watch: &Watch,
) -> Result<Vec<u32>, LoadError> {
    let mut chance = Chance::new(4711);
    let mut values: Vec<Vec<u8>> =
        (0..VALUES).map(|_| Payload::Letters.value(record_bytes, &mut chance)).collect();
    let most = (BATCH_BYTES_MAX / record_bytes).clamp(1, VALUES) as u64;
    let (mut microseconds, mut sent, mut woke) = (Vec::new(), 0, Duration::ZERO);
    while sent < plan.total && !watch.is_over() {
        if !in_flight.has_room(plan.depth) {
            continue;
        }
        let due = plan.due_by(Instant::now());
        if due <= sent {
            let at = plan.start + plan.due(sent);
            thread::sleep(at.saturating_duration_since(Instant::now()));
            woke = plan.since_start(Instant::now());
            continue;
        }
        let batch_of = Sent { first: sent, count: (due - sent).min(most), woke };
        for ((record, begin), value) in (sent..).zip(batch_of.begins(plan)).zip(&mut values) {
            for (at, time) in [begin, plan.due(record)].into_iter().enumerate() {
                value[8 * at..][..8].copy_from_slice(&(time.as_nanos() as u64).to_be_bytes());
            }
        }
        let count = batch_of.count;
        let batch = batch(values.iter().take(count as usize).map(Vec::as_slice), BuilderConfig::default())?;
        let frame = frames::produce(topic, 0, plan.acks, &batch, None)?;
        in_flight.lock().push_back(batch_of);
        let now = Instant::now();
        for record in sent..sent + count {
            plan.note(plan.due(record), now, &mut microseconds);
        }
        sent += count;
        client.send(&frame)?;
    }
    Ok(microseconds)
}

/// Reads responses to Produce until all records are acknowledged.
fn acknowledge(plan: &Plan, mut client: Client, in_flight: &InFlight) -> Result<Vec<u32>, LoadError> {
    let (mut microseconds, mut acknowledged) = (Vec::new(), 0);
    while acknowledged < plan.total {
        let response = client.receive()?;
        let now = Instant::now();
        LoadError::of("Produce", frames::produce_error(&response)?)?;
        let Some(sent) = in_flight.lock().pop_front() else { return Err(LoadError::Closed) };
        in_flight.changed.notify_one();
        for begin in sent.begins(plan) {
            plan.note(begin, now, &mut microseconds);
        }
        acknowledged += sent.count;
    }
    Ok(microseconds)
}

/// What the consumer noted of each record, in microseconds: since it counts, and since it was due.
#[derive(Debug, Default)]
struct Seen {
    counted: Vec<u32>,
    since_due: Vec<u32>,
}

/// Reads what was produced until everything has come.
fn consume(plan: &Plan, mut client: Client, topic: &str, from: i64) -> Result<Seen, LoadError> {
    let (mut seen, mut next) = (Seen::default(), from);
    let last = plan.due(plan.total) + Duration::from_secs_f64(PATIENCE_SECONDS);
    while next < from + plan.total as i64 {
        let response = client.call(&frames::fetch(topic, &[(0, next)], PARTITION_BYTES)?)?;
        let now = Instant::now();
        for fetched in frames::fetched(&response)? {
            for batch in batches(fetched.records) {
                let batch = match batch {
                    Err(BatchError::Truncated { .. }) => break,
                    batch => batch?,
                };
                for record in batch.records(usize::MAX)?.iter() {
                    let Some(times) = record?.value.and_then(|value| value.first_chunk::<TIMES_BYTES>())
                    else {
                        continue;
                    };
                    let [begin, due] =
                        [0, 64].map(|shift| (u128::from_be_bytes(*times) << shift >> 64) as u64);
                    plan.note(Duration::from_nanos(begin), now, &mut seen.counted);
                    plan.note(Duration::from_nanos(due), now, &mut seen.since_due);
                }
                next = batch.header.next_offset();
            }
        }
        if now.saturating_duration_since(plan.start) > last {
            return Err(LoadError::Silent(PATIENCE_SECONDS as u64));
        }
    }
    Ok(seen)
}
