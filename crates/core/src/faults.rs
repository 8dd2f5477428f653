//! Faults that a test asks for: which request goes wrong, and how. Nothing of this runs in a node that nobody
//! has asked: a request costs it one load.
//!
//! Always true:
//!   a rule counts each request that it concerns, whichever rule strikes
//!   the same rules and the same requests give the same faults: what is left to chance comes from a seed

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use barnabas_broker::error_code::FETCH_SESSION_ID_NOT_FOUND;
use barnabas_image::MetadataImage;
use barnabas_net::{Chunk, Mailbox, Outcome, Reply, Request};
use barnabas_protocol::api::ApiKey;
use barnabas_protocol::generated::schemas;
use barnabas_protocol::table::{self, Build, Struct};
use barnabas_protocol::wire::{DecodeError, Reader};
use barnabas_protocol::{Millis, Uuid};
use parking_lot::Mutex;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::node::Node;
use crate::service::NodeService;

/// Client id of the requests that no rule concerns unless it names them: those of the test kit itself.
const EXEMPT: &str = "barnabas-testing";
/// Fields of requests that name topics.
const TOPIC_FIELDS: [&str; 4] = ["name", "topic", "topics", "topic_names"];

/// What happens to a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// It is answered with this error.
    Error(i16),
    /// It is served so many milliseconds later.
    Delay(Millis),
    /// Its connection is closed, and it is not served.
    Disconnect,
    /// It is served, and what comes of it is not told, or not whole.
    Mar(Mar),
}

/// What happens to a response.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mar {
    /// Its connection is closed instead.
    Lose,
    /// Half of it is sent, then its connection is closed.
    Truncate,
}

/// A request that is served later.
pub(crate) struct Delayed(pub(crate) Request);

/// A request that was parked while it was served, and what becomes of its response.
pub(crate) struct Marred {
    pub(crate) how: Mar,
    pub(crate) state: Box<dyn Any + Send>,
}

/// The rules of one node.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    armed: AtomicBool,
    rules: Mutex<Rules>,
}

#[derive(Debug, Default)]
struct Rules {
    rules: Vec<Rule>,
    last_id: u64,
}

/// Which requests are struck.
#[derive(Debug)]
struct Rule {
    id: u64,
    fault: Fault,
    /// None: whatever the API.
    api_key: Option<i16>,
    topic: Option<String>,
    client_id: Option<String>,
    /// The first that may be struck, of those that the rule concerns.
    nth: u64,
    /// So many are struck at most.
    times: u64,
    /// How likely each of them is struck.
    chance: f64,
    seed: u64,
    concerned: u64,
    struck: u64,
}

impl Faults {
    /// What is to happen to a request; None: nothing out of the ordinary.
    pub(crate) fn strike(
        &self,
        request: &Request,
        image: impl FnOnce() -> Arc<MetadataImage>,
    ) -> Option<Fault> {
        if !self.armed.load(Ordering::Acquire) {
            return None;
        }
        let image = image();
        let mut rules = self.rules.lock();
        let mut fault = None;
        for rule in &mut rules.rules {
            match rule.look_at(request, &image) {
                Look::Other => {}
                Look::Hidden => fault = fault.or(Some(Fault::Error(FETCH_SESSION_ID_NOT_FOUND))),
                Look::Concerned => {
                    rule.concerned += 1;
                    if fault.is_none() && rule.is_due() {
                        rule.struck += 1;
                        fault = Some(rule.fault);
                    }
                }
            }
        }
        fault
    }
}

/// What a rule makes of a request.
enum Look {
    /// It is none of those that the rule means.
    Other,
    /// It is one of them.
    Concerned,
    /// It goes on with a fetch session, and so does not say what it asks for (KIP-227). The client is told that
    /// the session is gone: its next request says it.
    Hidden,
}

impl Rule {
    fn look_at(&self, request: &Request, image: &MetadataImage) -> Look {
        let client_id = request.client_id.as_deref();
        let client = match &self.client_id {
            Some(wanted) => client_id == Some(wanted.as_str()),
            None => client_id != Some(EXEMPT),
        };
        if !client || self.api_key.is_some_and(|key| key != request.api_key) {
            return Look::Other;
        }
        let is_fetch = request.api_key == ApiKey::Fetch.code();
        if self.topic.is_none() && !(is_fetch && matches!(self.fault, Fault::Error(_))) {
            return Look::Concerned;
        }
        let seen = search(request, self.topic.as_deref(), image);
        match seen {
            Seen { session_epoch, .. } if is_fetch && session_epoch > 0 && self.struck < self.times => {
                Look::Hidden
            }
            Seen { names_topic, .. } if names_topic || self.topic.is_none() => Look::Concerned,
            _ => Look::Other,
        }
    }

    fn is_due(&mut self) -> bool {
        self.concerned >= self.nth && self.struck < self.times && self.draw() < self.chance
    }

    /// A number from 0 up to 1, of the seed and of how many requests came before (splitmix64).
    fn draw(&self) -> f64 {
        let mut word = self.seed.wrapping_add(self.concerned.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// What a rule wants to know of a request.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// It has the topic's name or its id in it.
    names_topic: bool,
    /// That of a fetch, which goes on with a session when it is above 0.
    session_epoch: i64,
}

impl Seen {
    fn with(self, part: Seen) -> Seen {
        Seen { names_topic: self.names_topic || part.names_topic, ..self }
    }
}

/// Looks into a request, for a topic by its name or its id.
fn search(request: &Request, topic: Option<&str>, image: &MetadataImage) -> Seen {
    let Some(api) = ApiKey::from_code(request.api_key) else { return Seen::default() };
    let id = topic.and_then(|name| image.topics.by_name(name)).map(|found| found.id);
    let mut reader = Reader::new(&request.frame[request.body..]);
    let mut search = Search { topic, id };
    // A malformed request is what the node makes of it.
    table::decode(schemas::request(api), request.api_version, &mut reader, &mut search).unwrap_or_default()
}

/// Reads a message for what it names; nothing is built.
struct Search<'t> {
    topic: Option<&'t str>,
    id: Option<Uuid>,
}

impl<'a> Build<'a> for Search<'_> {
    /// For a number what it is, in the place of an epoch.
    type Value = Seen;
    type Struct = (&'static Struct, Seen);
    type Array = Seen;
    type Error = DecodeError;

    fn null(&mut self) -> Result<Seen, DecodeError> {
        Ok(Seen::default())
    }
    fn bool(&mut self, _value: bool) -> Result<Seen, DecodeError> {
        Ok(Seen::default())
    }
    fn integer(&mut self, value: i64) -> Result<Seen, DecodeError> {
        Ok(Seen { names_topic: false, session_epoch: value })
    }
    fn float(&mut self, _value: f64) -> Result<Seen, DecodeError> {
        Ok(Seen::default())
    }
    fn uuid(&mut self, value: Uuid) -> Result<Seen, DecodeError> {
        Ok(Seen { names_topic: self.id == Some(value), session_epoch: 0 })
    }
    fn string(&mut self, value: &'a str) -> Result<Seen, DecodeError> {
        Ok(Seen { names_topic: self.topic == Some(value), session_epoch: 0 })
    }
    fn bytes(&mut self, _value: &'a [u8]) -> Result<Seen, DecodeError> {
        Ok(Seen::default())
    }
    fn array(&mut self, _length: usize) -> Result<Seen, DecodeError> {
        Ok(Seen::default())
    }
    fn push(&mut self, array: &mut Seen, element: Seen) -> Result<(), DecodeError> {
        *array = array.with(element);
        Ok(())
    }
    fn finish_array(&mut self, array: Seen) -> Result<Seen, DecodeError> {
        Ok(array)
    }
    fn open(&mut self, schema: &'static Struct) -> Result<Self::Struct, DecodeError> {
        Ok((schema, Seen::default()))
    }
    fn set(&mut self, object: &mut Self::Struct, index: usize, value: Seen) -> Result<(), DecodeError> {
        let field = &object.0.fields[index];
        if field.name == "session_epoch" {
            object.1.session_epoch = value.session_epoch;
        } else if !matches!(field.kind, table::Type::String) || TOPIC_FIELDS.contains(&field.name) {
            object.1 = object.1.with(value);
        }
        Ok(())
    }
    fn set_default(&mut self, _object: &mut Self::Struct, _index: usize) -> Result<(), DecodeError> {
        Ok(())
    }
    fn close(&mut self, object: Self::Struct) -> Result<Seen, DecodeError> {
        Ok(object.1)
    }
}

impl Fault {
    /// Lets it happen.
    pub(crate) fn act(self, mut request: Request, service: &NodeService) -> Outcome {
        let now = request.now;
        match self {
            Fault::Error(code) => {
                service.inbox.faulted(request, code);
                Outcome::Deferred
            }
            Fault::Delay(ms) => {
                Outcome::Park { deadline: now.saturating_add(ms), state: Box::new(Delayed(request)) }
            }
            Fault::Disconnect => Outcome::Close("a test wants the request lost".to_string()),
            Fault::Mar(how) => {
                let mailbox = request.ticket.mailbox.clone();
                request.ticket.mailbox = Arc::new(MarringMailbox { how, mailbox });
                how.mar(service.serve(request, now))
            }
        }
    }
}

impl Mar {
    /// What becomes of an outcome. One that is not there yet is marred when it comes.
    pub(crate) fn mar(self, outcome: Outcome) -> Outcome {
        match (outcome, self) {
            (Outcome::Park { deadline, state }, how) => {
                Outcome::Park { deadline, state: Box::new(Marred { how, state }) }
            }
            (Outcome::Reply(chunks), Mar::Truncate) => Outcome::Reply(first_half(chunks)),
            (Outcome::Reply(_), Mar::Lose) | (Outcome::NoReply, _) => {
                Outcome::Close("a test wants the response lost".to_string())
            }
            (outcome, _) => outcome,
        }
    }
}

/// The way of a deferred response, or of a parked request's wake-up, to its connection.
struct MarringMailbox {
    how: Mar,
    mailbox: Arc<dyn Mailbox>,
}

impl Mailbox for MarringMailbox {
    fn wake(&self, connection: u64, sequence: u64) {
        self.mailbox.wake(connection, sequence);
    }

    fn reply(&self, mut replies: Vec<Reply>) {
        for reply in &mut replies {
            reply.chunks = match self.how {
                Mar::Lose => None,
                Mar::Truncate => reply.chunks.take().map(first_half),
            };
        }
        self.mailbox.reply(replies);
    }
}

/// The first half of a response, under its whole length.
fn first_half(chunks: Vec<Chunk>) -> Vec<Chunk> {
    let length = |chunk: &Chunk| match chunk {
        Chunk::Bytes(bytes) => bytes.len(),
        Chunk::File(slice) => slice.length,
        Chunk::Missing(bytes) => *bytes as usize,
    };
    let whole: usize = chunks.iter().map(length).sum();
    let mut left = whole / 2;
    let mut half = Vec::new();
    for mut chunk in chunks {
        let taken = left.min(length(&chunk));
        match &mut chunk {
            Chunk::Bytes(bytes) => bytes.truncate(taken),
            Chunk::File(slice) => slice.length = taken,
            Chunk::Missing(_) => continue,
        }
        left -= taken;
        half.push(chunk);
    }
    half.push(Chunk::Missing((whole - whole / 2) as u64));
    half
}

/// Adds a rule; its id. `kind` is error (`value` the code), delay (`value` in milliseconds), disconnect, lose or
/// truncate.
#[pyfunction]
#[pyo3(signature = (node, kind, value, api_key, topic, client_id, nth, times, chance, seed))]
#[allow(clippy::too_many_arguments, reason = "Python gives them by name")]
fn add_fault(
    node: &Node,
    kind: &str,
    value: i64,
    api_key: Option<i16>,
    topic: Option<String>,
    client_id: Option<String>,
    nth: u64,
    times: u64,
    chance: f64,
    seed: u64,
) -> PyResult<u64> {
    let fault = match kind {
        "error" => Fault::Error(i16::try_from(value)?),
        "delay" => Fault::Delay(value.max(0)),
        "disconnect" => Fault::Disconnect,
        "lose" => Fault::Mar(Mar::Lose),
        "truncate" => Fault::Mar(Mar::Truncate),
        _ => return Err(PyValueError::new_err(format!("there is no fault {kind}"))),
    };
    let running = node.running()?;
    let faults = &running.service.faults;
    let mut rules = faults.rules.lock();
    rules.last_id += 1;
    let id = rules.last_id;
    let (concerned, struck) = (0, 0);
    rules.rules.push(Rule {
        id,
        fault,
        api_key,
        topic,
        client_id,
        nth,
        times,
        chance,
        seed,
        concerned,
        struck,
    });
    faults.armed.store(true, Ordering::Release);
    Ok(id)
}

/// How many requests a rule concerned so far, and how many it has struck; None when it is gone.
#[pyfunction]
fn fault_counts(node: &Node, id: u64) -> PyResult<Option<(u64, u64)>> {
    let running = node.running()?;
    let rules = running.service.faults.rules.lock();
    let rule = rules.rules.iter().find(|rule| rule.id == id);
    Ok(rule.map(|rule| (rule.concerned, rule.struck)))
}

/// Removes a rule, or all.
#[pyfunction]
#[pyo3(signature = (node, id = None))]
fn remove_fault(node: &Node, id: Option<u64>) -> PyResult<()> {
    let running = node.running()?;
    let faults = &running.service.faults;
    let mut rules = faults.rules.lock();
    rules.rules.retain(|rule| id.is_some_and(|id| rule.id != id));
    faults.armed.store(!rules.rules.is_empty(), Ordering::Release);
    Ok(())
}

/// Moves the wall clock of a node on, and does at once what depends on it here.
#[pyfunction]
fn advance_clock(py: Python<'_>, node: &Node, ms: i64) {
    py.detach(|| {
        node.clock().advance(ms);
        if let Ok(running) = node.running() {
            running.clock_moved();
        }
    });
}

/// Ends a node as a kill of its process would: what was not written is lost, connections break.
#[pyfunction]
fn kill(py: Python<'_>, node: &Node) {
    py.detach(|| {
        if let Some(running) = node.take_running() {
            running.kill();
        }
    });
}

/// What the test kit asks of a node.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(add_fault, module)?)?;
    module.add_function(wrap_pyfunction!(fault_counts, module)?)?;
    module.add_function(wrap_pyfunction!(remove_fault, module)?)?;
    module.add_function(wrap_pyfunction!(advance_clock, module)?)?;
    module.add_function(wrap_pyfunction!(kill, module)?)
}
