//! A codec that is driven by tables: every message, every version, into and out of whatever a caller builds.
//!
//! [`decode`] tells a [`Build`] what it reads; [`encode`] asks a [`Source`] for what it writes. [`validate`]
//! builds nothing. The tables are generated; see [`crate::generated::schemas`].
//!
//! Always true:
//!   structs never contain themselves, so the depth of every value is bounded by its table
//!   nothing is built for an element before its smallest form is known to be among the bytes that remain

mod decode;
mod encode;
mod value;

pub use decode::{decode, validate, Build};
pub use encode::{encode, Source};
pub use value::{Trees, Value};

use crate::generated::schemas;

/// A range of versions, both ends included; empty when `lowest > highest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// The first.
    pub lowest: i16,
    /// The last.
    pub highest: i16,
}

impl Versions {
    /// Whether `version` is in the range.
    #[inline]
    pub fn contains(&self, version: i16) -> bool {
        self.lowest <= version && version <= self.highest
    }
}

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Request of an API.
    Request,
    /// Response of an API.
    Response,
    /// Header of a request or response.
    Header,
    /// Record of the metadata log.
    Metadata,
    /// Key of a coordinator's record.
    CoordinatorKey,
    /// Value of a coordinator's record.
    CoordinatorValue,
    /// Record of the log of tiered storage.
    Tiered,
    /// Everything else: control records, files, what clients exchange.
    Data,
}

/// A message with all its versions.
#[derive(Debug)]
pub struct Schema {
    /// Kafka's name, e.g. `FetchRequest`.
    pub name: &'static str,
    /// Name of its generated module, e.g. `fetch_request`.
    pub module: &'static str,
    /// Place in [`schemas::ALL`].
    pub index: usize,
    /// What it is for.
    pub kind: Kind,
    /// API key, or type of the record; -1 when it has none.
    pub key: i16,
    /// Valid versions.
    pub versions: Versions,
    /// Versions with compact lengths and tagged fields.
    pub flexible: Versions,
    /// The message's own fields.
    pub root: &'static Struct,
    /// All structs of the message by [`Struct::index`]; nested ones first, the root last.
    pub structs: &'static [&'static Struct],
}

/// Fields that belong together.
#[derive(Debug)]
pub struct Struct {
    /// Kafka's name.
    pub name: &'static str,
    /// Place in [`Schema::structs`].
    pub index: usize,
    /// The fields in the order of the wire.
    pub fields: &'static [Field],
    /// For each tag from 0 on, the place of its field in `fields`.
    pub tagged: &'static [usize],
    /// The fields that count as error codes of the response.
    pub errors: &'static [CountedError],
}

/// A field that counts as one of a response's error codes.
#[derive(Debug, Clone, Copy)]
pub struct CountedError {
    /// Its place in [`Struct::fields`].
    pub field: usize,
    /// When it counts.
    pub counts: Counts,
}

/// When an error code counts.
#[derive(Debug, Clone, Copy)]
pub enum Counts {
    /// Always: NONE too, and whether the version has the field or not.
    Always,
    /// When it is not NONE.
    Errors,
    /// When the version has the field.
    InVersion,
    /// When the array at this place of [`Struct::fields`] is empty.
    WhenEmpty(usize),
}

/// One field of a struct.
#[derive(Debug)]
pub struct Field {
    /// Name in snake_case.
    pub name: &'static str,
    /// Kafka's name behind that of the struct, for errors.
    pub path: &'static str,
    /// Versions that have it.
    pub versions: Versions,
    /// Versions in which it may be null.
    pub nullable: Versions,
    /// Its tag, in all its versions; -1 when it has none.
    pub tag: i32,
    /// Type of the value, or of the elements of the array.
    pub kind: Type,
    /// Whether it is an array.
    pub array: bool,
    /// The least number of bytes of one element, in any version.
    pub element_bytes: usize,
    /// Its value where nothing is said.
    pub default: Default,
    /// Whether a value that the version can't carry may get lost.
    pub ignorable: bool,
    /// Whether its length has the old encoding even in flexible versions.
    pub rigid: bool,
}

impl Field {
    /// Whether the field is in the bytes of `version`, in its place or in the tagged section.
    #[inline]
    pub fn is_in(&self, version: i16) -> bool {
        self.versions.contains(version)
    }
}

/// Type of a value.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub enum Type {
    Bool,
    Int8,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Int64,
    Float64,
    Uuid,
    String,
    Bytes,
    Records,
    Struct(&'static Struct),
}

/// The default of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// What its type has: 0, false, empty, a struct of defaults.
    Plain,
    /// Null.
    Null,
    /// True.
    True,
    /// A number.
    Integer(i64),
}

impl Schema {
    /// The message of Kafka's name.
    pub fn named(name: &str) -> Option<&'static Schema> {
        let place = schemas::ALL.binary_search_by(|schema| schema.name.cmp(name)).ok()?;
        schemas::ALL.get(place).copied()
    }
}

#[cfg(test)]
mod tests;
