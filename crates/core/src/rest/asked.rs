//! Requests that wait for their records to be written.
//!
//! Always true:
//!   a request is answered when what became of each of its records is known, and the replies keep their order

use std::sync::Arc;

use barnabas_http::{Inbox, Reply};
use bytes::Bytes;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::StatusCode;
use parking_lot::Mutex;
use pyo3::prelude::*;

use super::reply::{Delivered, Told};
use super::route::Route;

pub(super) const JSON: &str = "application/json";
/// Between the replies to records that came one behind the other.
pub(super) const LINE_END: &str = "\r\n";

/// How the replies to a request's records become one.
pub(super) enum Form {
    /// That of its only record.
    One,
    /// One behind the other.
    Lines,
    /// Those that were written, and those that were not, by the names of the records.
    Batch(Vec<String>),
}

/// What is said of a record, and with which status alone.
struct Said {
    status: StatusCode,
    text: String,
}

/// A request whose records were handed in.
pub(super) struct Asked {
    inbox: Arc<Inbox>,
    id: u64,
    route: Arc<Route>,
    form: Form,
    waiting: Mutex<Waiting>,
}

/// What is known of a request's records, unless there is only one.
struct Waiting {
    said: Vec<Option<Said>>,
    left: usize,
}

/// The place of a record in the answer to its request.
pub(crate) struct Place {
    pub(super) asked: Arc<Asked>,
    pub(super) index: usize,
    pub(super) told: Told,
}

/// Answers that are to be given.
#[derive(Default)]
pub(crate) struct Answers(Vec<(Arc<Inbox>, Replies)>);

/// Replies, each to the request of a number.
type Replies = Vec<(u64, Arc<Reply>)>;

impl Answers {
    fn add(&mut self, asked: &Asked, reply: Reply) {
        let answer = (asked.id, Arc::new(reply));
        match self.0.iter_mut().find(|(inbox, _)| Arc::ptr_eq(inbox, &asked.inbox)) {
            Some((_, answers)) => answers.push(answer),
            None => self.0.push((asked.inbox.clone(), vec![answer])),
        }
    }

    /// Gives them. Who has gone is not answered.
    pub(crate) fn give(self) {
        for (inbox, answers) in self.0 {
            inbox.answer_all(answers);
        }
    }
}

impl Place {
    /// When the record was made, in milliseconds since the Unix epoch.
    pub(crate) fn timestamp(&self) -> i64 {
        self.told.timestamp
    }

    /// Says where the record lies. Needs no Python.
    pub(crate) fn written(self, delivered: Delivered, answers: &mut Answers) {
        let Place { asked, index, told } = self;
        let names = asked.route.names();
        let text = match &asked.form {
            Form::Batch(ids) => told.body(format_args!("\"id\":\"{}\"", ids[index]), names, delivered),
            Form::One | Form::Lines => told.line(names, delivered),
        };
        asked.say(index, Said { status: StatusCode::OK, text }, answers);
    }

    /// Has Python word why it was not written.
    pub(crate) fn fail(
        self,
        py: Python<'_>,
        error: &Bound<'_, PyAny>,
        answers: &mut Answers,
    ) -> PyResult<()> {
        let Place { asked, index, .. } = self;
        let (status, mut text) = asked.route.refusal(py, error)?;
        if let (Form::Batch(ids), Some(members)) = (&asked.form, text.strip_prefix('{')) {
            text = format!("{{\"id\":\"{}\",{members}", ids[index]);
        }
        asked.say(index, Said { status, text }, answers);
        Ok(())
    }
}

impl Asked {
    pub(super) fn new(
        inbox: &Arc<Inbox>,
        id: u64,
        route: &Arc<Route>,
        form: Form,
        count: usize,
    ) -> Arc<Asked> {
        let said = if matches!(form, Form::One) { Vec::new() } else { (0..count).map(|_| None).collect() };
        let waiting = Mutex::new(Waiting { said, left: count });
        Arc::new(Asked { inbox: inbox.clone(), id, route: route.clone(), form, waiting })
    }

    /// Notes what became of a record, once for each; answers with the last.
    fn say(&self, index: usize, said: Said, answers: &mut Answers) {
        if matches!(self.form, Form::One) {
            return answers.add(self, self.reply(said.status, said.text));
        }
        let mut waiting = self.waiting.lock();
        waiting.said[index] = Some(said);
        waiting.left -= 1;
        if waiting.left > 0 {
            return;
        }
        let all: Vec<Said> = std::mem::take(&mut waiting.said).into_iter().flatten().collect();
        drop(waiting);
        let reply = match self.form {
            Form::Batch(_) => self.reply(StatusCode::MULTI_STATUS, batch(&all)),
            Form::One | Form::Lines => {
                let lines: String = all.iter().flat_map(|said| [said.text.as_str(), LINE_END]).collect();
                self.reply(StatusCode::OK, lines)
            }
        };
        answers.add(self, reply);
    }

    fn reply(&self, status: StatusCode, body: String) -> Reply {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(JSON))]);
        let mut reply = Reply::new(status, headers, Bytes::from(body));
        reply.operation = self.route.operation;
        reply
    }
}

fn batch(all: &[Said]) -> String {
    let of = |is_success: bool| {
        let those = all.iter().filter(|said| (said.status == StatusCode::OK) == is_success);
        those.map(|said| said.text.as_str()).collect::<Vec<_>>().join(",")
    };
    format!("{{\"successes\":[{}],\"failures\":[{}]}}", of(true), of(false))
}
