use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Programs that hold together more often than chance would have it.
fn program() -> impl Strategy<Value = Vec<u8>> {
    let node = prop_oneof![
        (0u8..8).prop_map(|kind| vec![kind]),
        (8u8..12, 0u8..12).prop_map(|(kind, argument)| vec![kind, argument]),
        (12u8..14, vec(0u8..12, 0..6))
            .prop_map(|(kind, places)| [&[kind, places.len() as u8], &places[..]].concat()),
    ];
    let avro = vec(node, 12).prop_map(|nodes| [&[AVRO, 12], &nodes.concat()[..], &[0]].concat());
    let field = (1u8..20, 0u8..7, 0u8..4, 0u8..4).prop_map(|(number, kind, flags, place)| match kind {
        5.. => vec![number, kind, flags, place],
        _ => vec![number, kind, flags],
    });
    let message = vec(field, 0..8)
        .prop_map(|fields| [&[fields.len() as u8], &fields.concat()[..], &[2, 1, 2]].concat());
    let protobuf = vec(message, 4).prop_map(|all| [&[PROTOBUF, 4], &all.concat()[..], &[2, 0, 1]].concat());
    prop_oneof![avro, protobuf, vec(any::<u8>(), 0..40)]
}

/// Bytes of which many are small: counts, tags, branches.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![3 => 0u8..12, 1 => any::<u8>()], 0..200)
}

proptest! {
    #[test]
    fn whatever_the_bytes_are_they_fit_or_do_not(
        program in program(),
        in_header in proptest::option::of(vec(0u8..6, 0..4)),
        payload in payload(),
    ) {
        if let Ok(schema) = Schema::read(&program) {
            if let Err(misfit) = schema.check(in_header.as_deref(), &payload) {
                prop_assert!(misfit.at <= payload.len().max(4));
            }
        }
    }

    #[test]
    fn programs_that_end_early_or_late_are_refused(program in program(), cut in 0usize..40) {
        if Schema::read(&program).is_ok() {
            let longer = [&program[..], &[0]].concat();
            prop_assert_eq!(Schema::read(&longer).err(), Some(ProgramError::Trailing));
            let shorter = &program[..program.len().saturating_sub(1 + cut)];
            prop_assert!(Schema::read(shorter).is_err());
        }
    }
}

#[test]
fn what_does_not_hold_together_is_no_program() {
    let of = |program: &[u8]| Schema::read(program).err();
    assert_eq!(of(&[]), Some(ProgramError::Truncated));
    assert_eq!(of(&[9]), Some(ProgramError::Format { format: 9 }));
    assert_eq!(of(&[AVRO, 1, 99, 0]), Some(ProgramError::Kind { kind: 99 }));
    assert_eq!(of(&[AVRO, 1, 0, 1]), Some(ProgramError::Place { place: 1, count: 1 }));
    assert_eq!(of(&[AVRO, 0xff, 0xff, 0xff, 0xff, 0x7f, 0]), Some(ProgramError::Number));
    assert_eq!(of(&[AVRO, 0xff, 0xff, 0x03, 0]), Some(ProgramError::Truncated));
    let many = [&[AVRO, 0xc1, 0x9a, 0x0c][..], &[0; 200_002]].concat();
    assert_eq!(of(&many), Some(ProgramError::Parts));
}

#[test]
fn what_follows_the_id_in_a_header_is_protobufs_alone() {
    let schema = Schema::read(&[AVRO, 1, 0, 0]).unwrap();
    assert_eq!(schema.check(Some(&[]), &[]), Ok(()));
    assert!(schema.check(Some(&[0]), &[]).is_err());
}
