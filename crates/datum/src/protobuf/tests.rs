use super::*;
use crate::Schema;

const BYTES: u8 = 3;
const TEXT: u8 = 4;
const MESSAGE: u8 = 5;
const GROUP: u8 = 6;

/// 1 number, 2 text, 3 numbers, 4 another of its kind, 5 a group of one required number; within it a message of
/// one required text.
fn schema() -> Schema {
    let order: &[u8] =
        &[5, 1, 0, 0, 2, TEXT, 0, 3, 0, REPEATED, 4, MESSAGE, 0, 0, 5, GROUP, 0, 1, /* within */ 1, 2];
    let group: &[u8] = &[1, 1, 0, REQUIRED, 0];
    let inner: &[u8] = &[2, 1, TEXT, REQUIRED, 9, BYTES, REPEATED, 0];
    let program = [&[crate::PROTOBUF, 3], order, group, inner, &[1, 0]].concat();
    Schema::read(&program).unwrap()
}

/// What is wrong with a message of the first kind.
fn misfit(bytes: &[u8]) -> Option<&'static str> {
    schema().check(None, &[&[0], bytes].concat()).err().map(|misfit| misfit.what)
}

#[test]
fn fields_come_in_their_own_wire_types() {
    let other = Some("a field has another wire type than its own");
    assert_eq!(misfit(&[]), None);
    assert_eq!(misfit(&[0x08, 0x96, 0x01, 0x12, 2, b'o', b'k', 0x22, 2, 0x08, 1]), None);
    assert_eq!(misfit(&[0x0d, 0, 0, 0, 0]), other);
    assert_eq!(misfit(&[0x0a, 1, 0]), other);
    assert_eq!(misfit(&[0x10, 1]), other);
    assert_eq!(misfit(&[0x12, 1, 0xff]), Some("text is not UTF-8"));
    assert_eq!(misfit(&[0x22, 2, 0x12, 1]), Some("a part of the value is longer than what is left"));
    assert_eq!(misfit(&[0x22, 1, 0x08]), Some("the value ends early"));
}

#[test]
fn repeated_numbers_are_packed_or_not() {
    assert_eq!(misfit(&[0x18, 1, 0x18, 2, 0x1a, 3, 1, 0x96, 0x01]), None);
    assert_eq!(misfit(&[0x1a, 2, 1, 0x96]), Some("the value ends early"));
}

#[test]
fn fields_that_the_message_does_not_have_are_let_in() {
    assert_eq!(misfit(&[0x78, 1, 0x79, 0, 0, 0, 0, 0, 0, 0, 0, 0x7a, 1, 0xff, 0x7d, 0, 0, 0, 0]), None);
    assert_eq!(misfit(&[0x7b, 0x08, 1, 0x13, 0x14, 0x7c]), None);
    assert_eq!(misfit(&[0x7b, 0x08, 1]), Some("the value ends early"));
    assert_eq!(misfit(&[0x7b, 0x74]), Some("a group ends that has not begun"));
    assert_eq!(misfit(&[0x7c]), Some("a group ends that has not begun"));
    assert_eq!(misfit(&[0x7e]), Some("there is no such wire type"));
    assert_eq!(misfit(&[0x00]), Some("there is no field of such a number"));
}

#[test]
fn what_is_required_must_be_there() {
    assert_eq!(misfit(&[0x2b, 0x08, 1, 0x2c]), None);
    assert_eq!(misfit(&[0x2b, 0x2c]), Some("a message lacks a required field"));
    let many: Vec<u8> = (1..=70).flat_map(|number| [number, 0, REQUIRED]).collect();
    let program = [&[crate::PROTOBUF, 1, 70], &many[..], &[0, 1, 0]].concat();
    let schema = Schema::read(&program).unwrap();
    let field = |number: u64| match number {
        ..16 => vec![(number as u8) << 3, 1],
        _ => vec![(number << 3) as u8 | 0x80, (number >> 4) as u8, 1],
    };
    for left_out in [0, 1, 64, 65, 70] {
        let fields: Vec<u8> = (1..=70).filter(|number| *number != left_out).flat_map(field).collect();
        assert_eq!(schema.check(Some(&[0]), &fields).is_ok(), left_out == 0, "{left_out}");
    }
}

#[test]
fn indexes_lead_to_a_message_of_the_file() {
    let text = &[0x0a, 1, b'a'];
    let check = |indexes: &[u8], bytes: &[u8]| schema().check(Some(indexes), bytes).err().map(|it| it.what);
    assert_eq!(check(&[4, 0, 0], text), None);
    assert_eq!(schema().check(None, &[&[4, 0, 0], &text[..]].concat()), Ok(()));
    assert_eq!(check(&[2, 0], &[0x08, 1]), None);
    assert_eq!(check(&[4, 0, 2], text), Some("the schema has no such message"));
    assert_eq!(check(&[2, 1], text), Some("a message index is negative"));
    assert_eq!(check(&[66], text), Some("there are too many message indexes"));
    assert_eq!(check(&[0, 0], &[]), Some("bytes follow the value"));
    assert_eq!(check(&[], &[]), Some("the value ends early"));
}

#[test]
fn messages_are_nested_as_deep_as_readers_allow() {
    let of = |levels: u32| {
        (0..levels).fold(Vec::new(), |inner, _| {
            let mut bytes = vec![0x22, (inner.len() & 0x7f) as u8];
            if inner.len() > 0x7f {
                bytes = vec![0x22, inner.len() as u8 | 0x80, (inner.len() >> 7) as u8];
            }
            bytes.extend(inner);
            bytes
        })
    };
    assert_eq!(misfit(&of(DEPTH_MAX)), None);
    assert_eq!(misfit(&of(DEPTH_MAX + 1)), Some("the value is nested too deep"));
}
