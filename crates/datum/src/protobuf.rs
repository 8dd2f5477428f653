//! Protobuf: the wire format of a message, against the fields that its type has.
//!
//! Fields that the type does not have are let in, as every reader lets them; those that it has must come in their
//! own wire type, repeated numbers packed or one by one. Readers would keep others as unknown, and find nothing
//! in the field. What is required must be there.

use crate::input::{Input, Misfit};
use crate::program::{Program, ProgramError};

/// How deep messages and groups may be nested: what Google's readers allow.
pub const DEPTH_MAX: u32 = 100;

/// Bytes of the longest number.
const NUMBER_BYTES_MAX: u32 = 10;
/// Bytes of the longest tag, and of the longest length.
const SHORT_BYTES_MAX: u32 = 5;
/// Places on the way to a message in its file: protoc nests no deeper.
const INDEXES_MAX: u64 = 32;

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH: u64 = 2;
const GROUP_START: u64 = 3;
const GROUP_END: u64 = 4;
const FIXED32: u64 = 5;

const REPEATED: u8 = 1;
const REQUIRED: u8 = 2;

/// The messages of a file, and of those that it imports.
#[derive(Debug)]
pub struct Protobuf {
    messages: Vec<Message>,
    /// The file's own, as they stand in it.
    top: Box<[u32]>,
    parts: usize,
}

#[derive(Debug)]
struct Message {
    /// By their numbers.
    fields: Box<[Field]>,
    /// How many of them are required.
    required: u32,
    /// Messages that stand within it.
    nested: Box<[u32]>,
}

#[derive(Debug, Clone, Copy)]
struct Field {
    number: u64,
    kind: Kind,
    is_repeated: bool,
    /// Which of the required ones it is.
    required: Option<u32>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Varint,
    Fixed64,
    Fixed32,
    Bytes,
    /// That must be UTF-8.
    Text,
    Message(u32),
    Group(u32),
}

impl Protobuf {
    /// ```text
    /// count of messages, then each:
    ///     count of fields, then each: number, kind (a byte), flags (a byte), place of its message if it has one
    ///     places of the messages within it
    /// places of the messages of the file
    /// ```
    pub(crate) fn read(program: &mut Program<'_>) -> Result<Protobuf, ProgramError> {
        let count = program.count()?;
        let messages = (0..count).map(|_| Message::read(program, count)).collect::<Result<_, _>>()?;
        let top = program.places(count)?;
        Ok(Protobuf { messages, top, parts: program.parts() })
    }

    pub(crate) fn parts(&self) -> usize {
        self.parts
    }

    pub(crate) fn check(&self, in_header: Option<&[u8]>, payload: &[u8]) -> Result<(), Misfit> {
        let mut input = Input::new(payload);
        let message = match in_header {
            None => self.named(&mut input)?,
            Some(indexes) => {
                let mut indexes = Input::new(indexes);
                let message = self.named(&mut indexes)?;
                indexes.ends()?;
                message
            }
        };
        Walk { messages: &self.messages, input }.message(message, None, DEPTH_MAX)
    }

    /// The message that indexes lead to: a count and as many places, from the file inwards; 0 alone is the first.
    fn named(&self, input: &mut Input<'_>) -> Result<u32, Misfit> {
        let count = zigzag(input)?;
        if count > INDEXES_MAX {
            return input.misfit("there are too many message indexes");
        }
        let first = if count == 0 { 0 } else { zigzag(input)? };
        let mut message = among(&self.top, first, input)?;
        for _ in 1..count {
            let index = zigzag(input)?;
            message = among(&self.messages[message as usize].nested, index, input)?;
        }
        Ok(message)
    }
}

fn among(messages: &[u32], index: u64, input: &Input<'_>) -> Result<u32, Misfit> {
    match usize::try_from(index).ok().and_then(|index| messages.get(index)) {
        Some(message) => Ok(*message),
        None => input.misfit("the schema has no such message"),
    }
}

/// An index or a count of them: never negative, though it is written as if it could be.
fn zigzag(input: &mut Input<'_>) -> Result<u64, Misfit> {
    match input.varint(SHORT_BYTES_MAX)? {
        value if value & 1 == 0 => Ok(value >> 1),
        _ => input.misfit("a message index is negative"),
    }
}

impl Message {
    fn read(program: &mut Program<'_>, messages: usize) -> Result<Message, ProgramError> {
        let mut required = 0;
        let mut fields = (0..program.count()?)
            .map(|_| Field::read(program, messages, &mut required))
            .collect::<Result<Box<[Field]>, _>>()?;
        fields.sort_by_key(|field| field.number);
        Ok(Message { fields, required, nested: program.places(messages)? })
    }

    /// The field with a number. `next` is where it will be if fields come in the order of their numbers, as
    /// most do.
    #[inline]
    fn field(&self, number: u64, next: &mut usize) -> Option<&Field> {
        let is_it = |at: usize| self.fields.get(at).is_some_and(|field| field.number == number);
        let at = if is_it(*next) {
            *next
        } else if next.checked_sub(1).is_some_and(is_it) {
            *next - 1 // The field before, which is repeated.
        } else {
            self.fields.binary_search_by_key(&number, |field| field.number).ok()?
        };
        *next = at + 1;
        self.fields.get(at)
    }
}

impl Field {
    fn read(program: &mut Program<'_>, messages: usize, required: &mut u32) -> Result<Field, ProgramError> {
        let number = u64::from(program.number()?);
        let (kind, flags) = (program.byte()?, program.byte()?);
        let kind = match kind {
            0 => Kind::Varint,
            1 => Kind::Fixed64,
            2 => Kind::Fixed32,
            3 => Kind::Bytes,
            4 => Kind::Text,
            5 => Kind::Message(program.place(messages)?),
            6 => Kind::Group(program.place(messages)?),
            kind => return Err(ProgramError::Kind { kind }),
        };
        let place = (flags & REQUIRED != 0).then_some(*required);
        *required += u32::from(place.is_some());
        Ok(Field { number, kind, is_repeated: flags & REPEATED != 0, required: place })
    }
}

/// Which required fields have not come yet.
struct Missing {
    /// The first 64.
    first: u64,
    /// The others, which hardly a message has.
    others: Vec<bool>,
}

impl Missing {
    fn of(message: &Message) -> Missing {
        let first = match message.required {
            0 => 0,
            count => u64::MAX >> (64 - count.min(64)),
        };
        Missing { first, others: vec![true; message.required.saturating_sub(64) as usize] }
    }

    fn came(&mut self, required: u32) {
        match required.checked_sub(64) {
            None => self.first &= !(1 << required),
            Some(place) => self.others[place as usize] = false,
        }
    }

    fn is_any(&self) -> bool {
        self.first != 0 || self.others.contains(&true)
    }
}

/// Where the walk over a value is.
struct Walk<'s, 'v> {
    messages: &'s [Message],
    input: Input<'v>,
}

impl<'s> Walk<'s, '_> {
    /// A message, to the end of what is read now; that of a `group` to the group's end. An embedded message that
    /// comes in pieces, as no serializer writes it, must have all that is required in each.
    fn message(&mut self, place: u32, group: Option<u64>, depth: u32) -> Result<(), Misfit> {
        let messages: &'s [Message] = self.messages;
        let message = &messages[place as usize];
        let mut missing = Missing::of(message);
        let mut next = 0;
        loop {
            if group.is_none() && self.input.is_at_end() {
                break;
            }
            let (number, wire) = self.tag()?;
            if wire == GROUP_END {
                self.ended(number, group)?;
                break;
            }
            match message.field(number, &mut next) {
                None => self.unknown(number, wire, depth)?,
                Some(field) => {
                    self.field(field, wire, depth)?;
                    if let Some(required) = field.required {
                        missing.came(required);
                    }
                }
            }
        }
        match missing.is_any() {
            true => self.input.misfit("a message lacks a required field"),
            false => Ok(()),
        }
    }

    fn field(&mut self, field: &Field, wire: u64, depth: u32) -> Result<(), Misfit> {
        match (field.kind, wire) {
            (Kind::Varint, VARINT) => self.input.varint(NUMBER_BYTES_MAX).map(drop),
            (Kind::Fixed64, FIXED64) => self.input.take(8).map(drop),
            (Kind::Fixed32, FIXED32) => self.input.take(4).map(drop),
            (Kind::Bytes, LENGTH) => self.bytes(),
            (Kind::Text, LENGTH) => {
                let size = self.size()?;
                self.input.text(size)
            }
            (Kind::Message(place), LENGTH) => {
                let (size, depth) = (self.size()?, self.deeper(depth)?);
                let end = self.input.narrow(size)?;
                self.message(place, None, depth)?;
                self.input.widen(end)
            }
            (Kind::Group(place), GROUP_START) => {
                let depth = self.deeper(depth)?;
                self.message(place, Some(field.number), depth)
            }
            (kind, LENGTH) if field.is_repeated => self.packed(kind),
            _ => self.input.misfit("a field has another wire type than its own"),
        }
    }

    /// Numbers one after the other, without tags.
    fn packed(&mut self, kind: Kind) -> Result<(), Misfit> {
        let size = self.size()?;
        let whole = match kind {
            Kind::Varint => {
                let end = self.input.narrow(size)?;
                while !self.input.is_at_end() {
                    self.input.varint(NUMBER_BYTES_MAX)?;
                }
                return self.input.widen(end);
            }
            Kind::Fixed64 => 8,
            Kind::Fixed32 => 4,
            Kind::Bytes | Kind::Text | Kind::Message(_) | Kind::Group(_) => {
                return self.input.misfit("a field has another wire type than its own");
            }
        };
        match size % whole {
            0 => self.input.take(size).map(drop),
            _ => self.input.misfit("numbers that are packed end inside one of them"),
        }
    }

    /// A field that the message's type does not have.
    fn unknown(&mut self, number: u64, wire: u64, depth: u32) -> Result<(), Misfit> {
        match wire {
            VARINT => self.input.varint(NUMBER_BYTES_MAX).map(drop),
            FIXED64 => self.input.take(8).map(drop),
            LENGTH => self.bytes(),
            FIXED32 => self.input.take(4).map(drop),
            GROUP_START => {
                let depth = self.deeper(depth)?;
                loop {
                    let (inner, wire) = self.tag()?;
                    if wire == GROUP_END {
                        return self.ended(inner, Some(number));
                    }
                    self.unknown(inner, wire, depth)?;
                }
            }
            _ => self.input.misfit("there is no such wire type"),
        }
    }

    /// Whether the end of group `number` is that of `group`, which is being read.
    fn ended(&self, number: u64, group: Option<u64>) -> Result<(), Misfit> {
        match group == Some(number) {
            true => Ok(()),
            false => self.input.misfit("a group ends that has not begun"),
        }
    }

    fn deeper(&self, depth: u32) -> Result<u32, Misfit> {
        match depth.checked_sub(1) {
            Some(depth) => Ok(depth),
            None => self.input.misfit("the value is nested too deep"),
        }
    }

    fn bytes(&mut self) -> Result<(), Misfit> {
        let size = self.size()?;
        self.input.take(size).map(drop)
    }

    fn size(&mut self) -> Result<u64, Misfit> {
        self.input.varint(SHORT_BYTES_MAX)
    }

    /// Number and wire type of the next field.
    #[inline]
    fn tag(&mut self) -> Result<(u64, u64), Misfit> {
        match self.input.varint(SHORT_BYTES_MAX)? {
            tag @ 8..=0xffff_ffff => Ok((tag >> 3, tag & 7)),
            _ => self.input.misfit("there is no field of such a number"),
        }
    }
}

#[cfg(test)]
mod tests;
