//! Avro: the binary encoding of a value, as its specification has it.
//!
//! What takes no bytes (null, a fixed of size 0, records of nothing else) is taken out of records when the
//! program is read, and a record of one field is that field. So each step of a walk leads to a byte of its own,
//! but for items of arrays that take none, of which [`EMPTY_ITEMS_MAX`] may be in a value.

use crate::input::{Input, Misfit};
use crate::program::{Program, ProgramError};

/// How deep a value may be nested: linked lists are made of such types.
pub const DEPTH_MAX: u32 = 512;
/// Items of arrays that take no bytes, in one value: as many would be made of nothing by whoever reads it.
pub const EMPTY_ITEMS_MAX: u64 = 100_000;

/// Bytes of the longest number.
const LONG_BYTES_MAX: u32 = 10;

/// A schema of Avro.
#[derive(Debug)]
pub struct Avro {
    nodes: Vec<Node>,
    root: u32,
    /// The schema is bytes alone: Confluent's serializers write such values as they are, without their length.
    is_raw: bool,
    parts: usize,
}

/// A type; others are named by their place.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    Text,
    Fixed(u32),
    /// With so many symbols.
    Enum(u32),
    Array(u32),
    Map(u32),
    Union(Box<[u32]>),
    Record(Box<[u32]>),
}

impl Avro {
    /// ```text
    /// count of types, then each: its kind (a byte) and what the kind needs
    /// place of the schema itself
    /// ```
    pub(crate) fn read(program: &mut Program<'_>) -> Result<Avro, ProgramError> {
        let count = program.count()?;
        let nodes = (0..count).map(|_| Node::read(program, count)).collect::<Result<Vec<_>, _>>()?;
        let root = program.place(count)?;
        let is_raw = nodes[root as usize] == Node::Bytes;
        Ok(Avro { nodes, root, is_raw, parts: program.parts() }.shortened())
    }

    /// Without what takes no bytes, and without records of one field.
    fn shortened(mut self) -> Avro {
        let empty = self.empty();
        for node in &mut self.nodes {
            if let Node::Record(fields) = node {
                *fields = fields.iter().copied().filter(|field| !empty[*field as usize]).collect();
            }
        }
        // Of records that lead to themselves alone there are no values; the bound on depth finds that out.
        let shortest = |place: u32| {
            let mut place = place;
            for _ in 0..self.nodes.len() {
                match &self.nodes[place as usize] {
                    Node::Record(fields) if fields.len() == 1 => place = fields[0],
                    _ => break,
                }
            }
            place
        };
        let root = shortest(self.root);
        let nodes = self.nodes.iter().map(|node| node.with_places(&shortest)).collect();
        Avro { nodes, root, ..self }
    }

    pub(crate) fn parts(&self) -> usize {
        self.parts
    }

    /// Which types take no bytes.
    fn empty(&self) -> Vec<bool> {
        let mut empty = vec![false; self.nodes.len()];
        loop {
            let mut is_new = false;
            for (at, node) in self.nodes.iter().enumerate().rev() {
                let is_empty = match node {
                    Node::Null | Node::Fixed(0) => true,
                    Node::Record(fields) => fields.iter().all(|field| empty[*field as usize]),
                    _ => false,
                };
                is_new |= is_empty && !empty[at];
                empty[at] |= is_empty;
            }
            if !is_new {
                return empty;
            }
        }
    }

    pub(crate) fn check(&self, bytes: &[u8]) -> Result<(), Misfit> {
        if self.is_raw {
            return Ok(());
        }
        let mut walk =
            Walk { nodes: &self.nodes, input: Input::new(bytes), empty_items_left: EMPTY_ITEMS_MAX };
        walk.value(self.root, DEPTH_MAX)?;
        walk.input.ends()
    }
}

impl Node {
    fn read(program: &mut Program<'_>, count: usize) -> Result<Node, ProgramError> {
        Ok(match program.byte()? {
            0 => Node::Null,
            1 => Node::Boolean,
            2 => Node::Int,
            3 => Node::Long,
            4 => Node::Float,
            5 => Node::Double,
            6 => Node::Bytes,
            7 => Node::Text,
            8 => Node::Fixed(program.number()?),
            9 => Node::Enum(program.number()?),
            10 => Node::Array(program.place(count)?),
            11 => Node::Map(program.place(count)?),
            12 => Node::Union(program.places(count)?),
            13 => Node::Record(program.places(count)?),
            kind => return Err(ProgramError::Kind { kind }),
        })
    }

    fn with_places(&self, place: &impl Fn(u32) -> u32) -> Node {
        let all = |places: &[u32]| places.iter().map(|each| place(*each)).collect();
        match self {
            Node::Array(items) => Node::Array(place(*items)),
            Node::Map(values) => Node::Map(place(*values)),
            Node::Union(branches) => Node::Union(all(branches)),
            Node::Record(fields) => Node::Record(all(fields)),
            other => other.clone(),
        }
    }

    /// Whether it takes no bytes; what a record has left takes some.
    fn is_empty(&self) -> bool {
        match self {
            Node::Null | Node::Fixed(0) => true,
            Node::Record(fields) => fields.is_empty(),
            _ => false,
        }
    }
}

/// Where the walk over a value is.
struct Walk<'s, 'v> {
    nodes: &'s [Node],
    input: Input<'v>,
    empty_items_left: u64,
}

impl<'s> Walk<'s, '_> {
    fn value(&mut self, place: u32, depth: u32) -> Result<(), Misfit> {
        let nodes: &'s [Node] = self.nodes;
        match &nodes[place as usize] {
            Node::Null => Ok(()),
            Node::Boolean => match self.input.byte()? {
                0 | 1 => Ok(()),
                _ => self.input.misfit("a boolean is neither 0 nor 1"),
            },
            Node::Int => match i32::try_from(self.long()?) {
                Ok(_) => Ok(()),
                Err(_) => self.input.misfit("an int has more than 32 bits"),
            },
            Node::Long => self.long().map(drop),
            Node::Float => self.input.take(4).map(drop),
            Node::Double => self.input.take(8).map(drop),
            Node::Bytes => {
                let size = self.size()?;
                self.input.take(size).map(drop)
            }
            Node::Text => self.text(),
            Node::Fixed(size) => self.input.take(u64::from(*size)).map(drop),
            Node::Enum(symbols) => match self.long()? {
                symbol if (0..i64::from(*symbols)).contains(&symbol) => Ok(()),
                _ => self.input.misfit("an enum has no such symbol"),
            },
            Node::Array(items) => self.blocks(*items, false, self.deeper(depth)?),
            Node::Map(values) => self.blocks(*values, true, self.deeper(depth)?),
            Node::Union(branches) => {
                let branch = usize::try_from(self.long()?).ok().and_then(|branch| branches.get(branch));
                match branch {
                    Some(branch) => self.value(*branch, self.deeper(depth)?),
                    None => self.input.misfit("a union has no such branch"),
                }
            }
            Node::Record(fields) => {
                let depth = self.deeper(depth)?;
                fields.iter().try_for_each(|field| self.value(*field, depth))
            }
        }
    }

    fn deeper(&self, depth: u32) -> Result<u32, Misfit> {
        match depth.checked_sub(1) {
            Some(depth) => Ok(depth),
            None => self.input.misfit("the value is nested too deep"),
        }
    }

    /// The items of an array, or of a map, whose each has its key before it.
    fn blocks(&mut self, items: u32, has_keys: bool, depth: u32) -> Result<(), Misfit> {
        loop {
            match self.long()? {
                0 => return Ok(()),
                count @ 1.. => self.block(count.unsigned_abs(), items, has_keys, depth)?,
                count => {
                    // A block that can be skipped says how long it is.
                    let end = self.size()?.saturating_add(self.input.at() as u64);
                    self.block(count.unsigned_abs(), items, has_keys, depth)?;
                    if self.input.at() as u64 != end {
                        return self.input.misfit("a block has another size than it says");
                    }
                }
            }
        }
    }

    fn block(&mut self, count: u64, items: u32, has_keys: bool, depth: u32) -> Result<(), Misfit> {
        if !has_keys && self.nodes[items as usize].is_empty() {
            return match self.empty_items_left.checked_sub(count) {
                Some(left) => {
                    self.empty_items_left = left;
                    Ok(())
                }
                None => self.input.misfit("too many items of an array take no bytes"),
            };
        }
        for _ in 0..count {
            if has_keys {
                self.text()?;
            }
            self.value(items, depth)?;
        }
        Ok(())
    }

    #[inline]
    fn text(&mut self) -> Result<(), Misfit> {
        let size = self.size()?;
        self.input.text(size)
    }

    #[inline]
    fn size(&mut self) -> Result<u64, Misfit> {
        let size = self.long()?;
        match u64::try_from(size) {
            Ok(size) => Ok(size),
            Err(_) => self.input.misfit("a size is negative"),
        }
    }

    #[inline]
    fn long(&mut self) -> Result<i64, Misfit> {
        let value = self.input.varint(LONG_BYTES_MAX)?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}

#[cfg(test)]
mod tests;
