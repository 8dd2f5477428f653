//! Whether bytes are a value of a schema: of Avro or Protobuf.
//!
//! A schema comes as a *program*, which `barnabas.serde.programs` makes of its text and all that it refers to: a
//! table of types that name each other by their places in it.
//!
//! Always true:
//!   whatever the program and the bytes are, nothing panics; a program that does not hold together is refused
//!   a value is walked over in time that its size bounds, and on a stack that [`avro::DEPTH_MAX`] or
//!   [`protobuf::DEPTH_MAX`] bounds; no object is made of it
//!   a value passes only if the walk has ended with its last byte

pub mod avro;
mod input;
mod program;
pub mod protobuf;

use avro::Avro;
use program::Program;
use protobuf::Protobuf;

pub use input::Misfit;
pub use program::ProgramError;

/// The first byte of a program.
const AVRO: u8 = 1;
const PROTOBUF: u8 = 2;

/// What values are held against.
#[derive(Debug)]
pub enum Schema {
    /// Of Avro.
    Avro(Avro),
    /// A file of Protobuf.
    Protobuf(Protobuf),
}

impl Schema {
    /// Reads a program.
    pub fn read(program: &[u8]) -> Result<Schema, ProgramError> {
        let mut program = Program::new(program);
        let schema = match program.byte()? {
            AVRO => Schema::Avro(Avro::read(&mut program)?),
            PROTOBUF => Schema::Protobuf(Protobuf::read(&mut program)?),
            format => return Err(ProgramError::Format { format }),
        };
        program.end()?;
        Ok(schema)
    }

    /// Types and fields, which memory is taken for: some 30 bytes each.
    pub fn parts(&self) -> usize {
        match self {
            Schema::Avro(schema) => schema.parts(),
            Schema::Protobuf(schema) => schema.parts(),
        }
    }

    /// Holds `payload`, what follows a schema's id, against it. `in_header` is what follows the id instead where
    /// that stands in a header of the record: there Protobuf says which message of the file it is.
    pub fn check(&self, in_header: Option<&[u8]>, payload: &[u8]) -> Result<(), Misfit> {
        match self {
            Schema::Protobuf(schema) => schema.check(in_header, payload),
            _ if in_header.is_some_and(|rest| !rest.is_empty()) => {
                Err(Misfit { at: 0, what: "bytes follow the id in the header" })
            }
            Schema::Avro(schema) => schema.check(payload),
        }
    }
}

#[cfg(test)]
mod tests;
