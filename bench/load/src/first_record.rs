//! Asks until one record is acknowledged: how long a broker that starts keeps its clients waiting.

use std::thread;
use std::time::{Duration, Instant};

use barnabas_protocol::batch_builder::BuilderConfig;

use crate::arguments::Arguments;
use crate::batches::batch;
use crate::client::Client;
use crate::error::LoadError;
use crate::figures::Figures;
use crate::frames::{self, request};

const CREATE_TOPICS: i16 = 19;
const CREATE_TOPICS_VERSION: i16 = 4;
const CREATE_TIMEOUT_MS: i32 = 10_000;
const PAUSE: Duration = Duration::from_millis(1);

/// Connects, creates the topic (`--create 1`) and produces until a record is acknowledged.
pub(crate) fn run(arguments: &Arguments) -> Result<Figures, LoadError> {
    let topic = arguments.text("topic")?;
    let seconds: u64 = arguments.number("seconds", 120)?;
    let create = (arguments.number("create", 1)? == 1).then(|| create_topic(topic)).transpose()?;
    let batch = batch([b"first".as_slice()], BuilderConfig::default())?;
    let produce = frames::produce(topic, 0, -1, &batch, None)?;
    let begun = Instant::now();
    while begun.elapsed().as_secs() < seconds {
        if acknowledged(arguments, create.as_deref(), &produce).unwrap_or(false) {
            let mut figures = Figures::default();
            figures.add("seconds", begun.elapsed().as_secs_f64());
            return Ok(figures);
        }
        thread::sleep(PAUSE);
    }
    Err(LoadError::Silent(seconds))
}

/// One connection's attempts: as long as it holds.
fn acknowledged(arguments: &Arguments, create: Option<&[u8]>, produce: &[u8]) -> Result<bool, LoadError> {
    let mut client = Client::of(arguments)?;
    if let Some(create) = create {
        // That it exists already is as good; whatever else is wrong shows itself in Produce.
        client.call(create)?;
    }
    Ok(frames::produce_error(&client.call(produce)?)? == 0)
}

fn create_topic(topic: &str) -> Result<Vec<u8>, LoadError> {
    request(CREATE_TOPICS, CREATE_TOPICS_VERSION, |writer| {
        writer.array_length(false, 1)?;
        writer.string(false, topic)?;
        writer.i32(1);
        writer.i16(1);
        writer.array_length(false, 0)?;
        writer.array_length(false, 0)?;
        writer.i32(CREATE_TIMEOUT_MS);
        writer.bool(false);
        Ok(())
    })
}
