//! Which schemas the records of a topic may have, as far as the registry has said, and whether they fit them.
//!
//! Always true:
//!   a table is of one topic, one pair of rules and one way for records to be diverted; with others an empty
//!   one begins
//!   it holds at most [`SCHEMAS_MAX`] schemas, and of those that values are held against as many as have
//!   [`PARTS_MAX`] parts; of more, those go that no record had for the longest time
//!   a schema that may be used stays so until the registry says otherwise, which is asked from time to time
//!   while records go on; one that may not is asked for anew after [`REFUSED_MS`]: it may be registered by now

mod judge;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};

use barnabas_log::{LogConfig, SchemaRule, SchemaValidation, SubjectNameStrategy};
use barnabas_protocol::{Millis, TopicId};
use parking_lot::{Mutex, RwLock};

use crate::coordinator::{
    CoordinatorEvent, CoordinatorEvents, NamedSchema, SchemaCheck, SchemaField, SchemaVerdict,
};
use crate::waiters::Wake;

pub(crate) use judge::{Diversion, Judge, Letter};

/// Schemas that are known of one topic.
const SCHEMAS_MAX: usize = 100_000;
/// Types and fields, together, of the schemas that the values of one topic are held against.
const PARTS_MAX: usize = 1_000_000;
/// Schemas that one question asks for. A batch that has more is asked for in several rounds.
const QUESTION_SCHEMAS_MAX: usize = 100;
/// Questions that are open at once; while there are more, nothing is asked.
const QUESTIONS_MAX: usize = 10_000;
/// How long the word counts that a schema may not be used.
const REFUSED_MS: Millis = 1_000;
/// After this the registry is asked whether a schema may still be used.
const ACCEPTED_MS: Millis = 60_000;

/// The tables of this node's topics, and the questions that are open.
pub(crate) struct SchemaTables {
    events: Arc<dyn CoordinatorEvents>,
    /// Partitions hold their tables, these only find them.
    tables: Mutex<HashMap<TopicId, Weak<SchemaTable>>>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    last_id: u64,
    questions: HashMap<u64, Arc<SchemaQuestion>>,
}

/// What is known of the schemas of one topic.
pub(crate) struct SchemaTable {
    topic: Arc<str>,
    key: SchemaRule,
    value: SchemaRule,
    /// Where records go that do not pass.
    divert: Option<Arc<str>>,
    known: RwLock<KnownSchemas>,
}

#[derive(Default)]
struct KnownSchemas {
    by_name: HashMap<NamedSchema, Known>,
    /// All that their schemas have.
    parts: usize,
}

struct Known {
    verdict: SchemaVerdict,
    said_at: Millis,
    /// When the registry was asked last.
    asked_at: AtomicI64,
    /// When a record had it last.
    used_at: AtomicI64,
}

/// A question to the registry.
pub(crate) struct SchemaQuestion {
    table: Arc<SchemaTable>,
    schemas: Vec<NamedSchema>,
    /// Who waits for the answer.
    wake: Option<Arc<dyn Wake>>,
    /// None until there is an answer; then whether all was said.
    answer: Mutex<Option<bool>>,
}

/// A batch has schemas that the table does not know.
#[derive(Debug, Clone)]
pub(crate) struct Unjudged {
    pub(crate) table: Arc<SchemaTable>,
    pub(crate) schemas: Vec<NamedSchema>,
}

impl SchemaTables {
    /// No tables yet; `events` hears the questions.
    pub(crate) fn new(events: Arc<dyn CoordinatorEvents>) -> SchemaTables {
        SchemaTables { events, tables: Mutex::default(), open: Mutex::default() }
    }

    /// The table of a topic; None when nothing is asked of its schemas.
    pub(crate) fn of(&self, topic: &Arc<str>, id: TopicId, config: &LogConfig) -> Option<Arc<SchemaTable>> {
        let (key, value) = (config.key_schemas, config.value_schemas);
        if [key, value].iter().all(|rule| rule.validation == SchemaValidation::None) {
            return None;
        }
        // A topic that names itself would let in what it is to be kept from.
        let divert = config.schema_divert.clone().filter(|target| target != topic);
        let mut tables = self.tables.lock();
        let there = tables.get(&id).and_then(Weak::upgrade);
        let is_it =
            |table: &Arc<SchemaTable>| (table.key, table.value, &table.divert) == (key, value, &divert);
        if let Some(table) = there.filter(is_it) {
            return Some(table);
        }
        tables.retain(|_, table| table.strong_count() > 0);
        let known = RwLock::default();
        let table = Arc::new(SchemaTable { topic: topic.clone(), key, value, divert, known });
        tables.insert(id, Arc::downgrade(&table));
        Some(table)
    }

    /// Asks the registry; `wake` is woken when it has answered.
    pub(crate) fn ask(&self, unjudged: Unjudged, wake: Option<Arc<dyn Wake>>) -> Arc<SchemaQuestion> {
        let Unjudged { table, schemas } = unjudged;
        let mut open = self.open.lock();
        let is_asked = open.questions.len() < QUESTIONS_MAX;
        let answer = Mutex::new((!is_asked).then_some(false));
        let question = Arc::new(SchemaQuestion { table, schemas, wake, answer });
        if is_asked {
            open.last_id += 1;
            let id = open.last_id;
            open.questions.insert(id, question.clone());
            drop(open);
            self.events.tell(CoordinatorEvent::SchemaCheck(question.check(id)));
        } else if let Some(wake) = &question.wake {
            wake.wake();
        }
        question
    }

    /// Takes note of what the registry said of each schema of a question (None: it could not be asked).
    pub(crate) fn answer(&self, id: u64, answers: Vec<Option<SchemaVerdict>>, now: Millis) {
        let Some(question) = self.open.lock().questions.remove(&id) else { return };
        let is_complete = answers.len() == question.schemas.len() && answers.iter().all(Option::is_some);
        let said = question.schemas.iter().copied().zip(answers);
        question.table.learn(said.filter_map(|(schema, said)| Some((schema, said?))), now);
        *question.answer.lock() = Some(is_complete);
        if let Some(wake) = &question.wake {
            wake.wake();
        }
    }
}

impl SchemaQuestion {
    /// None while there is no answer; then whether the registry has spoken of every schema.
    pub(crate) fn answer(&self) -> Option<bool> {
        *self.answer.lock()
    }

    fn check(&self, id: u64) -> SchemaCheck {
        SchemaCheck {
            id,
            topic: self.table.topic.clone(),
            key_strategy: self.table.key.strategy,
            value_strategy: self.table.value.strategy,
            reads_keys: self.table.key.validation == SchemaValidation::Value,
            reads_values: self.table.value.validation == SchemaValidation::Value,
            schemas: self.schemas.clone(),
        }
    }
}

impl SchemaTable {
    fn rule(&self, field: SchemaField) -> SchemaRule {
        match field {
            SchemaField::Key => self.key,
            SchemaField::Value => self.value,
        }
    }

    fn learn(&self, said: impl Iterator<Item = (NamedSchema, SchemaVerdict)>, now: Millis) {
        let mut known = self.known.write();
        for (schema, verdict) in said {
            let (asked_at, used_at) = (AtomicI64::new(now), AtomicI64::new(now));
            known.insert(schema, Known { verdict, said_at: now, asked_at, used_at });
        }
        while known.by_name.len() > SCHEMAS_MAX || known.parts > PARTS_MAX {
            known.forget_unused();
        }
    }

    /// Whether keys or values are held against their schemas.
    fn reads_payloads(&self) -> bool {
        [self.key, self.value].iter().any(|rule| rule.validation == SchemaValidation::Value)
    }

    /// Why records with the schema are refused.
    fn refusal(&self, schema: NamedSchema) -> String {
        let NamedSchema { field, id } = schema;
        let topic = &self.topic;
        match self.rule(field).strategy {
            SubjectNameStrategy::TopicName => {
                format!("schema {id} of the {field} is no version of subject {topic}-{field}")
            }
            SubjectNameStrategy::RecordName => {
                format!("schema {id} of the {field} is no version of the subject that has its record's name")
            }
            SubjectNameStrategy::TopicRecordName => {
                format!("schema {id} of the {field} is no version of subject {topic}-<its record's name>")
            }
        }
    }
}

impl KnownSchemas {
    fn insert(&mut self, schema: NamedSchema, known: Known) {
        self.parts += known.parts();
        let before = self.by_name.insert(schema, known);
        self.parts -= before.map_or(0, |known| known.parts());
    }

    /// Makes room: an eighth goes, of those that no record had for the longest time.
    fn forget_unused(&mut self) {
        let mut left = (self.by_name.len() / 8).max(1);
        let used_at = |known: &Known| known.used_at.load(Ordering::Relaxed);
        let mut times: Vec<Millis> = self.by_name.values().map(used_at).collect();
        let (_, latest, _) = times.select_nth_unstable(left - 1);
        let latest = *latest;
        self.by_name.retain(|_, known| {
            let goes = left > 0 && used_at(known) <= latest;
            left -= usize::from(goes);
            self.parts -= if goes { known.parts() } else { 0 };
            !goes
        });
    }
}

impl fmt::Debug for SchemaTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "schemas of {}", self.topic)
    }
}

impl Known {
    fn parts(&self) -> usize {
        match &self.verdict {
            SchemaVerdict::Usable(Some(schema)) => schema.parts(),
            SchemaVerdict::Usable(None) | SchemaVerdict::Foreign | SchemaVerdict::Unreadable(_) => 0,
        }
    }

    /// Whether it is time to ask again; true for one who asks only.
    fn is_to_be_asked(&self, now: Millis) -> bool {
        let asked_at = self.asked_at.load(Ordering::Relaxed);
        now.abs_diff(asked_at) >= ACCEPTED_MS as u64
            && self.asked_at.compare_exchange(asked_at, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests;
