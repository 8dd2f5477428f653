use super::*;
use crate::Schema;

const NULL: u8 = 0;
const BOOLEAN: u8 = 1;
const INT: u8 = 2;
const LONG: u8 = 3;
const DOUBLE: u8 = 5;
const BYTES: u8 = 6;
const TEXT: u8 = 7;
const FIXED: u8 = 8;
const ENUM: u8 = 9;
const ARRAY: u8 = 10;
const MAP: u8 = 11;
const UNION: u8 = 12;
const RECORD: u8 = 13;

/// The schema of types that stand in a table, the first of which it is itself.
fn schema(types: &[&[u8]]) -> Schema {
    let mut program = vec![crate::AVRO, types.len() as u8];
    program.extend(types.concat());
    program.push(0);
    Schema::read(&program).unwrap()
}

fn misfit(schema: &Schema, bytes: &[u8]) -> Option<&'static str> {
    schema.check(None, bytes).err().map(|misfit| misfit.what)
}

fn order() -> Schema {
    schema(&[
        &[RECORD, 4, 1, 2, 3, 4],
        &[LONG],
        &[TEXT],
        &[UNION, 2, 5, 6],
        &[ARRAY, 7],
        &[NULL],
        &[DOUBLE],
        &[INT],
    ])
}

/// 150, "kettle", 1.5, [1, -1]
const ORDER: &[u8] =
    &[0xac, 0x02, 12, b'k', b'e', b't', b't', b'l', b'e', 2, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 4, 2, 1, 0];

#[test]
fn a_value_fills_its_bytes_exactly() {
    let schema = order();
    assert_eq!(misfit(&schema, ORDER), None);
    for end in 0..ORDER.len() {
        assert!(misfit(&schema, &ORDER[..end]).is_some(), "{end}");
    }
    assert_eq!(misfit(&schema, &[ORDER, &[0]].concat()), Some("bytes follow the value"));
}

#[test]
fn what_a_type_does_not_have_is_refused() {
    let of = |node: &[u8], bytes: &[u8]| misfit(&schema(&[node, &[NULL]]), bytes);
    assert_eq!(of(&[BOOLEAN], &[2]), Some("a boolean is neither 0 nor 1"));
    assert_eq!(of(&[INT], &[0xff, 0xff, 0xff, 0xff, 0x0f]), None);
    assert_eq!(of(&[INT], &[0x80, 0x80, 0x80, 0x80, 0x10]), Some("an int has more than 32 bits"));
    assert_eq!(of(&[LONG], &[0xff; 11]), Some("a number is too long"));
    assert_eq!(of(&[ENUM, 2], &[2]), None);
    assert_eq!(of(&[ENUM, 2], &[4]), Some("an enum has no such symbol"));
    assert_eq!(of(&[ENUM, 2], &[1]), Some("an enum has no such symbol"));
    assert_eq!(of(&[UNION, 1, 1], &[2]), Some("a union has no such branch"));
    assert_eq!(of(&[TEXT], &[2, 0xff]), Some("text is not UTF-8"));
    assert_eq!(of(&[TEXT], &[1]), Some("a size is negative"));
    assert_eq!(of(&[FIXED, 3], &[1, 2]), Some("a part of the value is longer than what is left"));
    assert_eq!(of(&[MAP, 1], &[2, 2, b'a', 0]), None);
}

#[test]
fn bytes_alone_are_written_without_their_length() {
    assert_eq!(misfit(&schema(&[&[BYTES]]), b"anything"), None);
    let field = schema(&[&[RECORD, 1, 1], &[BYTES]]);
    assert_eq!(misfit(&field, b"\x02a"), None);
    assert_eq!(misfit(&field, b"\x04a"), Some("a part of the value is longer than what is left"));
}

#[test]
fn a_block_may_say_its_size_which_must_be_right() {
    let ints = schema(&[&[ARRAY, 1], &[INT]]);
    assert_eq!(misfit(&ints, &[3, 4, 2, 4, 2, 6, 0]), None);
    assert_eq!(misfit(&ints, &[3, 6, 2, 4, 2, 6, 0]), Some("a block has another size than it says"));
}

#[test]
fn items_that_take_no_bytes_are_bounded() {
    let count = |count: u64| {
        let mut bytes = Vec::new();
        let mut rest = count << 1;
        while rest > 0x7f {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.extend([rest as u8, 0]);
        bytes
    };
    for items in [&[NULL][..], &[FIXED, 0], &[RECORD, 2, 2, 2]] {
        let nothing = schema(&[&[ARRAY, 1], items, &[NULL]]);
        assert_eq!(misfit(&nothing, &count(EMPTY_ITEMS_MAX)), None);
        let refused = Some("too many items of an array take no bytes");
        assert_eq!(misfit(&nothing, &count(EMPTY_ITEMS_MAX + 1)), refused);
        assert_eq!(misfit(&nothing, &count(i64::MAX as u64)), refused);
    }
}

#[test]
fn a_type_may_lead_to_itself_as_deep_as_there_is_room() {
    // A list: a number and what follows it, or null.
    let list = schema(&[&[RECORD, 2, 1, 2], &[INT], &[UNION, 2, 3, 0], &[NULL]]);
    let of = |length: usize| [vec![2; 2 * length - 1], vec![0]].concat();
    let deepest = DEPTH_MAX as usize / 2;
    assert_eq!(misfit(&list, &of(deepest)), None);
    assert_eq!(misfit(&list, &of(deepest + 1)), Some("the value is nested too deep"));
    // A record of itself alone, for which there is no value.
    assert!(misfit(&schema(&[&[RECORD, 1, 0]]), &[]).is_some());
    assert!(misfit(&schema(&[&[RECORD, 2, 0, 0]]), &[]).is_some());
}

#[test]
fn records_that_take_no_bytes_cost_nothing() {
    // Each record has twice as many fields as the one before it, and none of them takes a byte.
    let mut types: Vec<Vec<u8>> = (1..40).map(|next| vec![RECORD, 2, next, next]).collect();
    types.push(vec![NULL]);
    let types: Vec<&[u8]> = types.iter().map(Vec::as_slice).collect();
    assert_eq!(misfit(&schema(&types), &[]), None);
}
