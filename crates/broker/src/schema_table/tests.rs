use barnabas_datum::Schema;
use barnabas_log::LogConfig;
use barnabas_protocol::schema_id::{RecordPayloads, RecordSchemas, Said, SchemaId, SchemaJudge};
use barnabas_protocol::Uuid;

use super::*;

const NOW: Millis = 1_000_000;
const USABLE: SchemaVerdict = SchemaVerdict::Usable(None);
const FOREIGN: SchemaVerdict = SchemaVerdict::Foreign;

#[derive(Default)]
struct Heard(Mutex<Vec<SchemaCheck>>);

impl CoordinatorEvents for Heard {
    fn tell(&self, event: CoordinatorEvent) {
        if let CoordinatorEvent::SchemaCheck(check) = event {
            self.0.lock().push(check);
        }
    }
}

fn checked() -> LogConfig {
    LogConfig::default().with_overrides([("barnabas.value.schema.validation", "id")]).unwrap()
}

fn tables() -> (SchemaTables, Arc<Heard>) {
    let heard = Arc::<Heard>::default();
    (SchemaTables::new(heard.clone()), heard)
}

fn table(tables: &SchemaTables) -> Arc<SchemaTable> {
    tables.of(&"orders".into(), Uuid([1; 16]), &checked()).unwrap()
}

fn named(id: u32) -> NamedSchema {
    NamedSchema { field: SchemaField::Value, id: SchemaId::Id(id) }
}

fn value(id: u32) -> RecordSchemas {
    RecordSchemas { key: Said::Unnamed, value: Said::Schema(SchemaId::Id(id)) }
}

/// What a record of each schema is told, and what is asked.
fn judged(
    table: &Arc<SchemaTable>,
    ids: &[u32],
    since: Millis,
    now: Millis,
) -> (Vec<bool>, Vec<NamedSchema>, Vec<NamedSchema>) {
    let mut judge = Judge::new(table, since, now);
    let verdicts =
        ids.iter().map(|id| judge.judge(&value(*id), &RecordPayloads::default()).is_ok()).collect();
    let schemas = |unjudged: Option<Unjudged>| unjudged.map_or_else(Vec::new, |it| it.schemas);
    (verdicts, schemas(judge.unjudged()), schemas(judge.stale()))
}

#[test]
fn what_the_registry_has_said_is_what_records_are_told() {
    let (tables, heard) = tables();
    let table = table(&tables);
    assert_eq!(judged(&table, &[1, 2, 1, 2], NOW, NOW), (vec![true; 4], vec![named(1), named(2)], vec![]));
    let unjudged = Unjudged { table: table.clone(), schemas: vec![named(1), named(2)] };
    let question = tables.ask(unjudged, None);
    let check = heard.0.lock().pop().unwrap();
    assert_eq!((&*check.topic, check.schemas.len(), question.answer()), ("orders", 2, None));
    tables.answer(check.id, vec![Some(USABLE), Some(FOREIGN)], NOW);
    assert_eq!(question.answer(), Some(true));
    assert_eq!(judged(&table, &[1, 2, 1], NOW, NOW), (vec![true, false, true], vec![], vec![]));
    // Keys are not looked at, nothing is asked of them.
    let error = Judge::new(&table, NOW, NOW).judge(&value(2), &RecordPayloads::default()).unwrap_err();
    assert_eq!(error, "schema 2 of the value is no version of subject orders-value");
    let unnamed = RecordSchemas { key: Said::Nothing, value: Said::Unnamed };
    let error = Judge::new(&table, NOW, NOW).judge(&unnamed, &RecordPayloads::default()).unwrap_err();
    assert_eq!(error, "the value names no schema");
    let tombstone = RecordSchemas { key: Said::Unnamed, value: Said::Nothing };
    assert_eq!(Judge::new(&table, NOW, NOW).judge(&tombstone, &RecordPayloads::default()), Ok(()));
}

#[test]
fn what_the_registry_did_not_say_is_not_known() {
    let (tables, heard) = tables();
    let table = table(&tables);
    let unjudged = Unjudged { table: table.clone(), schemas: vec![named(1), named(2)] };
    let question = tables.ask(unjudged, None);
    tables.answer(heard.0.lock()[0].id, vec![None, Some(USABLE)], NOW);
    assert_eq!(question.answer(), Some(false));
    assert_eq!(judged(&table, &[1, 2], NOW, NOW).1, [named(1)]);
}

#[test]
fn a_refusal_is_asked_for_anew_after_a_second_unless_the_request_has_heard_it_itself() {
    let (tables, _) = tables();
    let table = table(&tables);
    table.learn([(named(1), FOREIGN)].into_iter(), NOW);
    assert_eq!(judged(&table, &[1], NOW + 999, NOW + 999), (vec![false], vec![], vec![]));
    let later = NOW + REFUSED_MS;
    assert_eq!(judged(&table, &[1], later, later), (vec![true], vec![named(1)], vec![]));
    assert_eq!(judged(&table, &[1], NOW, later + 60_000), (vec![false], vec![], vec![]));
}

#[test]
fn a_schema_that_may_be_used_goes_on_while_it_is_asked_for_anew_by_one() {
    let (tables, _) = tables();
    let table = table(&tables);
    table.learn([(named(1), USABLE)].into_iter(), NOW);
    assert_eq!(judged(&table, &[1], NOW, NOW + ACCEPTED_MS - 1), (vec![true], vec![], vec![]));
    assert_eq!(judged(&table, &[1], NOW, NOW + ACCEPTED_MS), (vec![true], vec![], vec![named(1)]));
    assert_eq!(judged(&table, &[1], NOW, NOW + ACCEPTED_MS), (vec![true], vec![], vec![]));
    table.learn([(named(1), FOREIGN)].into_iter(), NOW + ACCEPTED_MS);
    assert_eq!(judged(&table, &[1], NOW + ACCEPTED_MS, NOW + ACCEPTED_MS), (vec![false], vec![], vec![]));
}

#[test]
fn a_table_is_bounded_and_keeps_what_records_have() {
    let (tables, _) = tables();
    let table = table(&tables);
    table.learn((0..SCHEMAS_MAX as u32).map(|id| (named(id), USABLE)), NOW);
    judged(&table, &[7], NOW, NOW + 1);
    table.learn([(named(u32::MAX), USABLE)].into_iter(), NOW + 1);
    let known = table.known.read();
    assert!(known.by_name.len() <= SCHEMAS_MAX && known.by_name.len() > SCHEMAS_MAX / 2);
    assert!(known.by_name.contains_key(&named(7)) && known.by_name.contains_key(&named(u32::MAX)));
}

#[test]
fn what_values_are_held_against_is_bounded_too() {
    let (tables, _) = tables();
    let table = table(&tables);
    // A union of 100,000 nulls.
    let union = [&[1, 2, 12, 0xa0, 0x8d, 6][..], &[1; 100_000], &[0, 0]].concat();
    let large = Arc::new(Schema::read(&union).unwrap());
    for id in 0..20 {
        let usable = SchemaVerdict::Usable(Some(large.clone()));
        table.learn([(named(id), usable)].into_iter(), NOW + Millis::from(id));
    }
    let known = table.known.read();
    assert!((5..10).contains(&known.by_name.len()) && known.parts <= PARTS_MAX, "{}", known.parts);
    assert_eq!(known.parts, known.by_name.len() * large.parts());
    assert!(known.by_name.contains_key(&named(19)));
}

#[test]
fn a_batch_of_very_many_schemas_is_asked_for_piece_by_piece() {
    let (tables, _) = tables();
    let table = table(&tables);
    let ids: Vec<u32> = (0..1_000).collect();
    assert_eq!(judged(&table, &ids, NOW, NOW).1.len(), QUESTION_SCHEMAS_MAX);
}

#[test]
fn questions_are_bounded_and_what_is_not_asked_is_not_said() {
    let (tables, heard) = tables();
    let table = table(&tables);
    let ask = || tables.ask(Unjudged { table: table.clone(), schemas: vec![named(1)] }, None);
    for _ in 0..QUESTIONS_MAX {
        assert_eq!(ask().answer(), None);
    }
    assert_eq!(ask().answer(), Some(false));
    assert_eq!(heard.0.lock().len(), QUESTIONS_MAX);
}

#[test]
fn a_table_lasts_as_long_as_its_rules() {
    let (tables, _) = tables();
    let name = Arc::from("orders");
    assert!(tables.of(&name, Uuid([1; 16]), &LogConfig::default()).is_none());
    let first = table(&tables);
    assert!(Arc::ptr_eq(&first, &table(&tables)));
    let strategy = [("barnabas.value.subject.name.strategy", "RecordNameStrategy")];
    let other = checked().with_overrides(strategy).unwrap();
    let second = tables.of(&name, Uuid([1; 16]), &other).unwrap();
    assert!(!Arc::ptr_eq(&first, &second));
    drop((first, second));
    tables.of(&name, Uuid([2; 16]), &other);
    assert_eq!(tables.tables.lock().len(), 1);
}
