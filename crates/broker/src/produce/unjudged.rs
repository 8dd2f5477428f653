//! Produce requests with records whose schemas nobody here knows yet: the registry is asked, the request waits.
//!
//! Always true: a batch is appended once or not at all; of the request's other batches those that could be
//! judged have been, and keep their answers. Nothing of the connection follows before the answer, so order is
//! kept.

use std::sync::Arc;

use barnabas_protocol::generated::produce_request::ProduceRequest;
use barnabas_protocol::wire::{DecodeError, Reader};
use barnabas_protocol::Millis;

use super::{last_said, Attempt, TopicAnswers};
use crate::broker::Broker;
use crate::coordinator::SchemaVerdict;
use crate::request::{BrokerRequest, Handled, OwnedRequest, Parked, Waiting};
use crate::schema_table::SchemaQuestion;
use crate::verify::Verdicts;

/// How long a request waits for the registry. Less than clients wait, so that they hear why.
const WAIT_MS_MAX: Millis = 10_000;

/// A Produce that waits for the registry.
pub(crate) struct ParkedUnjudged {
    request: OwnedRequest,
    topics: TopicAnswers,
    verdicts: Verdicts,
    questions: Vec<Arc<SchemaQuestion>>,
    /// When it came.
    since: Millis,
    deadline: Millis,
}

/// Whether a batch could not be judged.
pub(super) fn is_any(topics: &TopicAnswers) -> bool {
    topics.iter().flat_map(|topic| &topic.partitions).any(|answer| answer.unjudged.is_some())
}

impl Broker {
    /// Asks for what must be known, and parks the request so long.
    pub(super) fn park_unjudged(
        &self,
        request: &BrokerRequest<'_>,
        topics: TopicAnswers,
        verdicts: Verdicts,
    ) -> Handled {
        let since = request.now;
        let deadline = since.saturating_add(self.settings().request_timeout_ms.min(WAIT_MS_MAX));
        let request = request.kept(request.ticket.wake());
        let questions = Vec::new();
        self.ask_and_park(ParkedUnjudged { request, topics, verdicts, questions, since, deadline })
    }

    fn ask_and_park(&self, mut parked: ParkedUnjudged) -> Handled {
        let wake = parked.request.wake.clone();
        let answers = parked.topics.iter().flat_map(|topic| &topic.partitions);
        let unjudged = answers.filter_map(|answer| answer.unjudged.clone());
        let ask = |unjudged| self.schema_tables.ask(unjudged, Some(wake.clone()));
        parked.questions = unjudged.map(ask).collect();
        park(parked)
    }

    /// Answers a [`SchemaCheck`](crate::SchemaCheck) with what the registry says of each of its schemas; None
    /// where it could not be asked.
    pub fn schemas_checked(&self, check_id: u64, answers: Vec<Option<SchemaVerdict>>, now: Millis) {
        self.schema_tables.answer(check_id, answers, now);
    }

    pub(crate) fn resume_unjudged(&self, mut parked: ParkedUnjudged, now: Millis) -> Handled {
        let is_answered = parked.questions.iter().all(|question| question.answer().is_some());
        let time_is_up = now >= parked.deadline;
        if !is_answered && !time_is_up {
            return park(parked);
        }
        let is_told = parked.questions.iter().all(|question| question.answer() == Some(true));
        let attempt = Attempt { since: parked.since, is_last: time_is_up || !is_told };
        match self.judge_again(&mut parked, attempt, now) {
            Ok(Some(handled)) => handled,
            Ok(None) => self.ask_and_park(parked),
            Err(error) => error.into(),
        }
    }

    /// Goes through the batches again that could not be judged. None if there still are such.
    fn judge_again(
        &self,
        parked: &mut ParkedUnjudged,
        attempt: Attempt,
        now: Millis,
    ) -> Result<Option<Handled>, DecodeError> {
        let ParkedUnjudged { request, topics, verdicts, .. } = parked;
        let request = request.at(now);
        let asked = ProduceRequest::decode(&mut Reader::new(request.body), request.api_version)?;
        for ((_, partitions), topic) in last_said(&asked.topic_data).into_iter().zip(topics.iter_mut()) {
            for (data, answer) in partitions.into_iter().zip(&mut topic.partitions) {
                if answer.unjudged.is_some() {
                    let verified = verdicts.of(topic.id, data.index);
                    *answer = self.produce_partition(topic.id, data, asked.acks, verified, &request, attempt);
                }
            }
        }
        if is_any(topics) {
            return Ok(None);
        }
        let topics = std::mem::take(topics);
        Ok(Some(self.answer_produce(&asked, &request, topics)))
    }
}

fn park(parked: ParkedUnjudged) -> Handled {
    let deadline = parked.deadline;
    Handled::Park { deadline, state: Parked(Waiting::Schemas(Box::new(parked))) }
}
