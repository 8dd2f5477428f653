//! `barnabas.value.schema.validation`: which records are refused, and what waits for the registry.

use barnabas_broker::{
    error_code, CoordinatorEvent, Handled, NamedSchema, Parked, SchemaCheck, SchemaField, SchemaVerdict,
};
use barnabas_datum::Schema;
use barnabas_protocol::batch_builder::{BatchBuilder, BuilderConfig};
use barnabas_protocol::compression::Compression;
use barnabas_protocol::record::Header;
use barnabas_protocol::schema_id::{SchemaId, VALUE_HEADER};

use crate::harness::{name, parked, Node, START};
use crate::produce::{answers, request, send, Answer};

const CHECKED: (&str, &str) = ("barnabas.value.schema.validation", "id");
const USABLE: Option<SchemaVerdict> = Some(SchemaVerdict::Usable(None));
const FOREIGN: Option<SchemaVerdict> = Some(SchemaVerdict::Foreign);

/// A batch of records whose values have these schemas; None: no schema is named.
fn batch(codec: Compression, schemas: &[Option<u32>]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BuilderConfig { compression: codec, ..BuilderConfig::default() });
    for schema in schemas {
        let value = match schema {
            Some(id) => [&[0][..], &id.to_be_bytes(), b"value"].concat(),
            None => b"value".to_vec(),
        };
        builder.append(START, Some(b"k"), Some(&value), &[]).unwrap();
    }
    builder.finish().unwrap()
}

fn plain(schemas: &[Option<u32>]) -> Vec<u8> {
    batch(Compression::None, schemas)
}

fn node() -> Node {
    let mut node = Node::new();
    node.topic_on("orders", &[vec![1], vec![1]], &[CHECKED]);
    node
}

fn produced(node: &Node, records: &[u8]) -> Handled {
    send(node, 12, &request("orders", &[(0, records)], -1))
}

fn waits(handled: Handled) -> Parked {
    parked(handled).1
}

fn answer(handled: Handled) -> Answer {
    answers(handled, 12).remove(0)
}

/// The questions since the last time.
fn questions(node: &Node) -> Vec<SchemaCheck> {
    let heard = node.heard.take().into_iter();
    heard
        .map(|event| match event {
            CoordinatorEvent::SchemaCheck(check) => check,
            other => panic!("{other:?}"),
        })
        .collect()
}

fn question(node: &Node) -> SchemaCheck {
    let mut questions = questions(node);
    assert_eq!(questions.len(), 1);
    questions.remove(0)
}

/// Has the registry say of these schemas whether they may be used.
fn learn(node: &Node, said: &[(u32, bool)]) {
    let ids: Vec<Option<u32>> = said.iter().map(|(id, _)| Some(*id)).collect();
    let state = waits(produced(node, &plain(&ids)));
    let answers = said.iter().map(|(_, may)| if *may { USABLE } else { FOREIGN }).collect();
    node.broker.schemas_checked(question(node).id, answers, node.now);
    node.resume(state);
}

fn refused(error: i16, records: &[i32]) -> (i16, i64, Vec<i32>) {
    (error, -1, records.to_vec())
}

fn told(answer: Answer) -> (i16, i64, Vec<i32>) {
    (answer.error, answer.base_offset, answer.record_errors)
}

#[test]
fn the_registry_is_asked_once_and_then_known() {
    let node = node();
    let wakes = node.wakes.count();
    let state = waits(produced(&node, &plain(&[Some(7), Some(7)])));
    let check = question(&node);
    let schema = NamedSchema { field: SchemaField::Value, id: SchemaId::Id(7) };
    assert_eq!((&*check.topic, &check.schemas[..]), ("orders", &[schema][..]));
    // Woken for nothing, or too early: it waits on.
    let state = waits(node.resume(state));
    assert_eq!(questions(&node), []);
    node.broker.schemas_checked(check.id, vec![USABLE], node.now);
    assert_eq!(node.wakes.count(), wakes + 1);
    assert_eq!(told(answer(node.resume(state))), (0, 0, vec![]));
    assert_eq!(told(answer(produced(&node, &plain(&[Some(7)])))), (0, 2, vec![]));
    assert_eq!(questions(&node), []);
}

#[test]
fn single_records_are_named_and_nothing_of_their_batch_is_written() {
    let node = node();
    learn(&node, &[(1, true), (2, false)]);
    for codec in [0, 1, 2, 3, 4].map(|id| Compression::from_id(id).unwrap()) {
        let records = batch(codec, &[Some(1), Some(2), None, Some(1)]);
        assert_eq!(told(answer(produced(&node, &records))), refused(error_code::INVALID_RECORD, &[1, 2]));
    }
    assert_eq!(told(answer(produced(&node, &plain(&[Some(1)])))), (0, 0, vec![]));
}

#[test]
fn all_that_is_wrong_with_a_batch_is_told_at_once() {
    let node = node();
    let records = plain(&[None, Some(7), Some(8)]);
    let state = waits(produced(&node, &records));
    node.broker.schemas_checked(question(&node).id, vec![None, USABLE], node.now);
    assert_eq!(told(answer(node.resume(state))), refused(error_code::INVALID_RECORD, &[0]));
    let state = waits(produced(&node, &records));
    node.broker.schemas_checked(question(&node).id, vec![FOREIGN], node.now);
    assert_eq!(told(answer(node.resume(state))), refused(error_code::INVALID_RECORD, &[0, 1]));
    // Of a batch that is none nothing is asked.
    let mut records = records;
    *records.last_mut().unwrap() ^= 1;
    assert_eq!(told(answer(produced(&node, &records))).0, error_code::CORRUPT_MESSAGE);
    assert_eq!(questions(&node), []);
}

#[test]
fn a_registry_that_says_nothing_is_a_reason_to_try_again() {
    let mut node = node();
    let state = waits(produced(&node, &plain(&[Some(7)])));
    node.broker.schemas_checked(question(&node).id, vec![None], node.now);
    assert_eq!(told(answer(node.resume(state))), refused(error_code::NOT_ENOUGH_REPLICAS, &[]));
    let Handled::Park { deadline, state } = produced(&node, &plain(&[Some(7)])) else { panic!("it waits") };
    let check = question(&node);
    node.now = deadline;
    assert_eq!(told(answer(node.resume(state))), refused(error_code::NOT_ENOUGH_REPLICAS, &[]));
    // An answer that comes later counts for others.
    node.broker.schemas_checked(check.id, vec![USABLE], node.now);
    assert_eq!(told(answer(produced(&node, &plain(&[Some(7)])))), (0, 0, vec![]));
}

#[test]
fn a_schema_that_is_registered_later_may_be_used_a_second_later() {
    let mut node = node();
    learn(&node, &[(7, false)]);
    assert_eq!(told(answer(produced(&node, &plain(&[Some(7)])))), refused(error_code::INVALID_RECORD, &[0]));
    node.now += 1_000;
    learn(&node, &[(7, true)]);
    assert_eq!(told(answer(produced(&node, &plain(&[Some(7)])))), (0, 1, vec![]));
}

#[test]
fn other_partitions_of_a_request_keep_their_answers() {
    let mut node = node();
    node.topic("free", 1);
    learn(&node, &[(1, true)]);
    node.now += 5;
    let (known, unknown, free) = (plain(&[Some(1)]), plain(&[Some(9)]), plain(&[None]));
    let mut both = request("orders", &[(0, &known), (1, &unknown)], -1);
    both.topic_data.extend(request("free", &[(0, &free)], -1).topic_data);
    let state = waits(send(&node, 12, &both));
    node.broker.schemas_checked(question(&node).id, vec![USABLE], node.now);
    let answers = answers(node.resume(state), 12);
    let told: Vec<(i16, i64)> = answers.iter().map(|answer| (answer.error, answer.base_offset)).collect();
    // `learn` has written one record to the first.
    assert_eq!(told, [(0, 1), (0, 0), (0, 0)]);
}

#[test]
fn a_batch_of_very_many_schemas_is_judged_in_rounds() {
    let node = node();
    let ids: Vec<Option<u32>> = (0..250).map(Some).collect();
    let mut state = waits(produced(&node, &plain(&ids)));
    for round in [100, 100, 50] {
        let check = question(&node);
        assert_eq!(check.schemas.len(), round);
        node.broker.schemas_checked(check.id, vec![USABLE; round], node.now);
        match node.resume(state) {
            Handled::Park { state: next, .. } if round == 100 => state = next,
            handled if round == 50 => return assert_eq!(told(answer(handled)), (0, 0, vec![])),
            handled => panic!("{}", name(&handled)),
        }
    }
}

#[test]
fn a_guid_in_a_header_goes_before_the_value() {
    let node = node();
    let mut builder = BatchBuilder::new(BuilderConfig::default());
    let header = [&[1][..], &[9; 16]].concat();
    let headers = [Header { key: VALUE_HEADER, value: Some(&header) }];
    builder.append(START, None, Some(b"\0\0\0\0\x01value"), &headers).unwrap();
    builder.append(START, None, None, &[]).unwrap();
    let state = waits(produced(&node, &builder.finish().unwrap()));
    let check = question(&node);
    let schema = NamedSchema { field: SchemaField::Value, id: SchemaId::Guid([9; 16]) };
    assert_eq!(check.schemas, [schema]);
    node.broker.schemas_checked(check.id, vec![FOREIGN], node.now);
    // The tombstone after it needs no schema.
    assert_eq!(told(answer(node.resume(state))), refused(error_code::INVALID_RECORD, &[0]));
}

#[test]
fn the_config_is_switched_on_and_off_under_way() {
    let mut node = node();
    assert_eq!(answer(produced(&node, &plain(&[None]))).error, error_code::INVALID_RECORD);
    let waiting = waits(produced(&node, &plain(&[Some(7)])));
    let check = question(&node);
    node.config("orders", CHECKED.0, None);
    node.apply();
    assert_eq!(told(answer(produced(&node, &plain(&[None])))), (0, 0, vec![]));
    node.broker.schemas_checked(check.id, vec![FOREIGN], node.now);
    assert_eq!(told(answer(node.resume(waiting))), (0, 1, vec![]));
    node.config("orders", CHECKED.0, Some(CHECKED.1));
    node.apply();
    assert_eq!(answer(produced(&node, &plain(&[None]))).error, error_code::INVALID_RECORD);
    // What was said under another configuration is asked for anew.
    assert_eq!(name(&produced(&node, &plain(&[Some(7)]))), "park");
}

/// An int of Avro, as a program.
const INT: &[u8] = &[1, 1, 2, 0];

#[test]
fn whole_values_are_held_against_their_schemas() {
    let mut node = Node::new();
    node.topic_on("orders", &[vec![1]], &[(CHECKED.0, "value")]);
    let values: [&[u8]; 4] =
        [b"\0\0\0\0\x07\x02", b"\0\0\0\0\x07", b"\0\0\0\0\x07\x02\x02", b"\0\0\0\0\x08x"];
    let header = Header { key: VALUE_HEADER, value: Some(values[1]) };
    for codec in [0, 1, 2, 3, 4].map(|id| Compression::from_id(id).unwrap()) {
        let mut builder = BatchBuilder::new(BuilderConfig { compression: codec, ..BuilderConfig::default() });
        for value in values {
            builder.append(START, Some(b"k"), Some(value), &[]).unwrap();
        }
        builder.append(START, None, Some(b"\x7f"), &[header]).unwrap();
        builder.append(START, None, Some(b"\x7f\0"), &[header]).unwrap();
        builder.append(START, None, None, &[]).unwrap();
        let records = builder.finish().unwrap();
        if codec == Compression::None {
            let state = waits(produced(&node, &records));
            let check = question(&node);
            assert_eq!((check.reads_keys, check.reads_values, check.schemas.len()), (false, true, 2));
            let int = SchemaVerdict::Usable(Some(Schema::read(INT).unwrap().into()));
            node.broker.schemas_checked(check.id, vec![Some(int), USABLE], node.now);
            assert_eq!(told(answer(node.resume(state))), refused(error_code::INVALID_RECORD, &[1, 2, 5]));
        }
        assert_eq!(told(answer(produced(&node, &records))), refused(error_code::INVALID_RECORD, &[1, 2, 5]));
    }
    let good = plain(&[Some(8)]);
    assert_eq!(told(answer(produced(&node, &good))), (0, 0, vec![]));
}

#[test]
fn a_schema_that_nothing_can_be_held_against_is_refused_with_its_reason() {
    let mut node = Node::new();
    node.topic_on("orders", &[vec![1]], &[(CHECKED.0, "value")]);
    let state = waits(produced(&node, &plain(&[Some(7)])));
    let why = Some(SchemaVerdict::Unreadable("it is too large".into()));
    node.broker.schemas_checked(question(&node).id, vec![why], node.now);
    assert_eq!(told(answer(node.resume(state))), refused(error_code::INVALID_RECORD, &[0]));
}

#[test]
fn keys_have_a_rule_of_their_own() {
    let mut node = Node::new();
    let strategy = ("barnabas.key.subject.name.strategy", "RecordNameStrategy");
    node.topic_on("orders", &[vec![1]], &[("barnabas.key.schema.validation", "id"), strategy]);
    let mut builder = BatchBuilder::new(BuilderConfig::default());
    builder.append(START, Some(b"\0\0\0\0\x05k"), Some(b"v"), &[]).unwrap();
    builder.append(START, None, Some(b"v"), &[]).unwrap();
    let state = waits(produced(&node, &builder.finish().unwrap()));
    let check = question(&node);
    assert_eq!(check.schemas, [NamedSchema { field: SchemaField::Key, id: SchemaId::Id(5) }]);
    assert_eq!(check.key_strategy.name(), strategy.1);
    node.broker.schemas_checked(check.id, vec![USABLE], node.now);
    assert_eq!(told(answer(node.resume(state))), (0, 0, vec![]));
}

#[test]
fn without_an_answer_wanted_the_records_wait_all_the_same() {
    let node = node();
    let records = plain(&[Some(7)]);
    let state = waits(send(&node, 12, &request("orders", &[(0, &records)], 0)));
    node.broker.schemas_checked(question(&node).id, vec![USABLE], node.now);
    assert_eq!(name(&node.resume(state)), "no reply");
    assert_eq!(told(answer(produced(&node, &records))), (0, 1, vec![]));
}
