//! Judges the records of one batch by what the table of their topic knows.
//!
//! Always true: of a schema that most of a batch have, the table is asked once; what it does not know, or has not
//! asked for in a while, is noted and not waited for.

use std::sync::atomic::Ordering;
use std::sync::Arc;

use barnabas_log::SchemaValidation;
use barnabas_protocol::batch_validate::{InvalidRecords, RECORD_ERRORS_MAX};
use barnabas_protocol::schema_id::{Payload, RecordPayloads, RecordSchemas, Said, SchemaId, SchemaJudge};
use barnabas_protocol::Millis;

use super::{SchemaTable, Unjudged, QUESTION_SCHEMAS_MAX, REFUSED_MS};
use crate::coordinator::{NamedSchema, SchemaField, SchemaVerdict};

/// Records of one batch that are diverted; a batch with more is refused.
const LETTERS_MAX: usize = 10_000;

/// Judges the records of one batch.
pub(crate) struct Judge<'t> {
    table: &'t Arc<SchemaTable>,
    /// Whether keys or values are held against their schemas.
    reads_payloads: bool,
    now: Millis,
    since: Millis,
    /// What the record before had, which most of a batch have: of its key, and of its value.
    last: [Option<(SchemaId, Option<SchemaVerdict>)>; 2],
    unknown: Vec<NamedSchema>,
    stale: Vec<NamedSchema>,
    /// Whether records that do not pass are diverted.
    diverts: bool,
    /// Records so far.
    judged: u32,
    letters: Vec<Letter>,
}

/// A record that does not pass, and is to go elsewhere.
#[derive(Debug)]
pub(crate) struct Letter {
    /// Its place in the batch.
    pub(crate) index: u32,
    /// What is wrong with it.
    pub(crate) why: String,
}

/// The records of a batch that go elsewhere.
#[derive(Debug)]
pub(crate) struct Diversion {
    /// Their topic.
    pub(crate) source: Arc<str>,
    /// Where they go.
    pub(crate) target: Arc<str>,
    /// In the order of the batch; there are some.
    pub(crate) letters: Vec<Letter>,
}

impl<'t> Judge<'t> {
    /// What was said after `since` counts, however long ago that is.
    pub(crate) fn new(table: &'t Arc<SchemaTable>, since: Millis, now: Millis) -> Judge<'t> {
        Judge {
            table,
            reads_payloads: table.reads_payloads(),
            now,
            since,
            last: [None, None],
            unknown: Vec::new(),
            stale: Vec::new(),
            diverts: false,
            judged: 0,
            letters: Vec::new(),
        }
    }

    /// Has the batch's records diverted that do not pass, where the topic wants that; not those of transactions,
    /// which letters could not be part of.
    pub(crate) fn diverting(mut self, is_transactional: bool) -> Self {
        self.diverts = self.table.divert.is_some() && !is_transactional;
        self
    }

    /// The records that are to be diverted, if there are any.
    pub(crate) fn diversion(&mut self) -> Option<Diversion> {
        let letters = std::mem::take(&mut self.letters);
        let target = self.table.divert.clone().filter(|_| !letters.is_empty())?;
        Some(Diversion { source: self.table.topic.clone(), target, letters })
    }

    /// What must be asked before the batch can be judged.
    pub(crate) fn unjudged(&mut self) -> Option<Unjudged> {
        self.question(|judge| &mut judge.unknown)
    }

    /// What should be asked, without waiting for the answer.
    pub(crate) fn stale(&mut self) -> Option<Unjudged> {
        self.question(|judge| &mut judge.stale)
    }

    /// Why a batch is refused: besides for what it is refused for anyway, for the records that were to be diverted.
    pub(crate) fn with_letters(&mut self, mut invalid: InvalidRecords) -> InvalidRecords {
        if !invalid.record_errors.is_empty() {
            let letters = std::mem::take(&mut self.letters).into_iter();
            invalid.record_errors.extend(letters.map(|letter| (letter.index as i32, letter.why)));
            invalid.record_errors.sort_by_key(|(index, _)| *index);
            invalid.record_errors.dedup_by_key(|(index, _)| *index);
            invalid.record_errors.truncate(RECORD_ERRORS_MAX);
        }
        invalid
    }

    fn question(&mut self, of: impl Fn(&mut Self) -> &mut Vec<NamedSchema>) -> Option<Unjudged> {
        let schemas = std::mem::take(of(self));
        (!schemas.is_empty()).then(|| Unjudged { table: self.table.clone(), schemas })
    }

    fn judge_field(&mut self, field: SchemaField, said: Said, payload: &Payload<'_>) -> Result<(), String> {
        let validation = self.table.rule(field).validation;
        if validation == SchemaValidation::None {
            return Ok(());
        }
        let id = match said {
            Said::Nothing => return Ok(()),
            Said::Unnamed => return Err(format!("the {field} names no schema")),
            Said::Schema(id) => id,
        };
        let schema = NamedSchema { field, id };
        if self.last[field as usize].as_ref().is_none_or(|(last, _)| *last != id) {
            self.last[field as usize] = Some((id, self.look_up(schema)));
        }
        match self.last[field as usize].as_ref().and_then(|(_, verdict)| verdict.as_ref()) {
            Some(SchemaVerdict::Foreign) => Err(self.table.refusal(schema)),
            Some(SchemaVerdict::Unreadable(why)) => {
                Err(format!("no {field} can be held against schema {id}: {why}"))
            }
            Some(SchemaVerdict::Usable(Some(fit))) if validation == SchemaValidation::Value => {
                let checked = fit.check(payload.in_header, payload.bytes);
                checked.map_err(|misfit| format!("the {field} is none of schema {id}: {misfit}"))
            }
            Some(SchemaVerdict::Usable(_)) | None => Ok(()),
        }
    }

    /// What is known of a schema; None while it must be asked for.
    fn look_up(&mut self, schema: NamedSchema) -> Option<SchemaVerdict> {
        let table = self.table;
        let known = table.known.read();
        if let Some(found) = known.by_name.get(&schema) {
            found.used_at.store(self.now, Ordering::Relaxed);
            if matches!(found.verdict, SchemaVerdict::Usable(_)) {
                if found.is_to_be_asked(self.now) && self.stale.len() < QUESTION_SCHEMAS_MAX {
                    self.stale.push(schema);
                }
                return Some(found.verdict.clone());
            }
            if found.said_at >= self.since || self.now.abs_diff(found.said_at) < REFUSED_MS as u64 {
                return Some(found.verdict.clone());
            }
        }
        if self.unknown.len() < QUESTION_SCHEMAS_MAX && !self.unknown.contains(&schema) {
            self.unknown.push(schema);
        }
        None
    }
}

impl SchemaJudge for Judge<'_> {
    fn reads_payloads(&self) -> bool {
        self.reads_payloads
    }

    fn judge(&mut self, schemas: &RecordSchemas, payloads: &RecordPayloads<'_>) -> Result<(), String> {
        let index = self.judged;
        self.judged += 1;
        let key = self.judge_field(SchemaField::Key, schemas.key, &payloads.key);
        let verdict = key.and_then(|()| self.judge_field(SchemaField::Value, schemas.value, &payloads.value));
        match verdict {
            Err(why) if self.diverts && self.letters.len() < LETTERS_MAX => {
                self.letters.push(Letter { index, why });
                Ok(())
            }
            verdict => verdict,
        }
    }
}
