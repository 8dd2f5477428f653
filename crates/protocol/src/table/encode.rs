//! Writing by the tables.

use super::{Counts, Default, Field, Schema, Struct, Type};
use crate::error::ErrorCode;
use crate::types::Uuid;
use crate::wire::{EncodeError, Writer};

/// A value that can say what it holds. Asked for the wrong thing, it answers with an error.
pub trait Source: Sized {
    /// Why a value can't be written; one that the version can't carry is one reason.
    type Error: From<EncodeError>;

    /// The field at `index` of a struct.
    fn field(&self, schema: &'static Struct, index: usize) -> Result<Self, Self::Error>;
    /// Whether it is null.
    fn is_null(&self) -> bool;
    /// A bool.
    fn bool(&self) -> Result<bool, Self::Error>;
    /// An integer.
    fn integer(&self) -> Result<i64, Self::Error>;
    /// A float.
    fn float(&self) -> Result<f64, Self::Error>;
    /// An id.
    fn uuid(&self) -> Result<Uuid, Self::Error>;
    /// Calls `with` with the text.
    fn string<R>(&self, with: impl FnOnce(&str) -> R) -> Result<R, Self::Error>;
    /// Calls `with` with the bytes.
    fn bytes<R>(&self, with: impl FnOnce(&[u8]) -> R) -> Result<R, Self::Error>;
    /// Number of elements of an array.
    fn length(&self) -> Result<usize, Self::Error>;
    /// An element of an array.
    fn element(&self, index: usize) -> Result<Self, Self::Error>;
    /// Adds to an error which field it is about.
    fn about(error: Self::Error, field: &'static Field) -> Self::Error;
}

/// Appends one message.
pub fn encode<S: Source>(
    schema: &'static Schema,
    version: i16,
    source: &S,
    writer: &mut Writer,
) -> Result<(), S::Error> {
    if !schema.versions.contains(version) {
        let (lowest, highest) = (schema.versions.lowest, schema.versions.highest);
        return Err(EncodeError::Version { message: schema.name, version, lowest, highest }.into());
    }
    Walk { version, flexible: schema.flexible.contains(version) }.structure(schema.root, source, writer)
}

#[derive(Clone, Copy)]
struct Walk {
    version: i16,
    flexible: bool,
}

impl Walk {
    fn structure<S: Source>(
        self,
        schema: &'static Struct,
        object: &S,
        writer: &mut Writer,
    ) -> Result<(), S::Error> {
        if !schema.errors.is_empty() {
            self.count_errors(schema, object, writer)?;
        }
        for (index, field) in schema.fields.iter().enumerate() {
            if !field.is_in(self.version) {
                if !field.ignorable && !is_default(field, &object.field(schema, index)?)? {
                    return Err(EncodeError::NotInVersion { field: field.path, version: self.version }.into());
                }
            } else if field.tag < 0 {
                self.field(field, &object.field(schema, index)?, writer, false)?;
            }
        }
        if self.flexible {
            self.tagged(schema, object, writer)?;
        }
        Ok(())
    }

    /// Notes what counts as error codes of one struct of a response.
    fn count_errors<S: Source>(
        self,
        schema: &'static Struct,
        object: &S,
        writer: &mut Writer,
    ) -> Result<(), S::Error> {
        for counted in schema.errors {
            let Some(field) = schema.fields.get(counted.field) else { continue };
            let code = integer(field, &object.field(schema, counted.field)?)?;
            let counts = match counted.counts {
                Counts::Always => true,
                Counts::Errors => code != ErrorCode::NONE.code(),
                Counts::InVersion => field.is_in(self.version),
                Counts::WhenEmpty(array) => object.field(schema, array)?.length()? == 0,
            };
            if counts {
                writer.errors.note(code);
            }
        }
        Ok(())
    }

    /// Writes the tagged section: the fields that differ from their defaults, by tag.
    fn tagged<S: Source>(
        self,
        schema: &'static Struct,
        object: &S,
        writer: &mut Writer,
    ) -> Result<(), S::Error> {
        let mut present = Vec::new();
        for (tag, &index) in schema.tagged.iter().enumerate() {
            let Some(field) = schema.fields.get(index).filter(|field| field.is_in(self.version)) else {
                continue;
            };
            let value = object.field(schema, index)?;
            if !is_default(field, &value)? {
                present.push((tag as u32, field, value));
            }
        }
        writer.uvarint(present.len() as u32);
        for (tag, field, value) in present {
            let mut failed = None;
            let written = writer.tagged(tag, |writer| {
                if let Err(error) = self.field(field, &value, writer, true) {
                    failed = Some(error);
                }
                Ok(())
            });
            if let Some(error) = failed {
                return Err(error);
            }
            written?;
        }
        Ok(())
    }

    fn field<S: Source>(
        self,
        field: &'static Field,
        value: &S,
        writer: &mut Writer,
        tagged: bool,
    ) -> Result<(), S::Error> {
        let flexible = self.flexible && !field.rigid;
        if value.is_null() {
            if !field.nullable.contains(self.version) {
                return Err(EncodeError::Null { field: field.path, version: self.version }.into());
            }
            match (field.array, field.kind) {
                (false, Type::String) => writer.nullable_string(flexible, None)?,
                (false, Type::Struct(_)) if tagged => writer.uvarint(0),
                (false, Type::Struct(_)) => writer.present(false),
                _ => writer.null_length(flexible),
            }
            return Ok(());
        }
        if field.array {
            let length = value.length().map_err(|error| S::about(error, field))?;
            writer.array_length(flexible, length)?;
            for index in 0..length {
                self.value(field, flexible, &value.element(index)?, writer)?;
            }
            return Ok(());
        }
        if matches!(field.kind, Type::Struct(_)) && field.nullable.contains(self.version) {
            if tagged {
                writer.uvarint(1);
            } else {
                writer.present(true);
            }
        }
        self.value(field, flexible, value, writer)
    }

    #[inline]
    fn value<S: Source>(
        self,
        field: &'static Field,
        flexible: bool,
        value: &S,
        writer: &mut Writer,
    ) -> Result<(), S::Error> {
        let about = |error| S::about(error, field);
        match field.kind {
            Type::Bool => writer.bool(value.bool().map_err(about)?),
            Type::Int8 => writer.i8(integer(field, value)?),
            Type::Int16 => writer.i16(integer(field, value)?),
            Type::Uint16 => writer.u16(integer(field, value)?),
            Type::Int32 => writer.i32(integer(field, value)?),
            Type::Uint32 => writer.u32(integer(field, value)?),
            Type::Int64 => writer.i64(value.integer().map_err(about)?),
            Type::Float64 => writer.f64(value.float().map_err(about)?),
            Type::Uuid => writer.uuid(value.uuid().map_err(about)?),
            Type::String => value.string(|text| writer.string(flexible, text)).map_err(about)??,
            Type::Bytes | Type::Records => {
                value.bytes(|bytes| writer.bytes(flexible, bytes)).map_err(about)??;
            }
            Type::Struct(schema) => self.structure(schema, value, writer)?,
        }
        Ok(())
    }
}

fn integer<S: Source, N: TryFrom<i64>>(field: &'static Field, value: &S) -> Result<N, S::Error> {
    let value = value.integer().map_err(|error| S::about(error, field))?;
    N::try_from(value).map_err(|_| EncodeError::Range { field: field.path, value }.into())
}

/// Whether a field has its default: then a tagged field is not written, and no version loses anything.
fn is_default<S: Source>(field: &'static Field, value: &S) -> Result<bool, S::Error> {
    let about = |error| S::about(error, field);
    if value.is_null() {
        return Ok(field.default == Default::Null);
    }
    if field.default == Default::Null {
        return Ok(false);
    }
    if field.array {
        return Ok(value.length().map_err(about)? == 0);
    }
    match field.kind {
        Type::Bool => Ok(value.bool().map_err(about)? == (field.default == Default::True)),
        Type::Float64 => Ok(value.float().map_err(about)? == 0.0),
        Type::Uuid => Ok(value.uuid().map_err(about)?.is_zero()),
        Type::String => value.string(str::is_empty).map_err(about),
        Type::Bytes | Type::Records => value.bytes(<[u8]>::is_empty).map_err(about),
        Type::Struct(schema) => {
            for (index, nested) in schema.fields.iter().enumerate() {
                if !is_default(nested, &value.field(schema, index)?)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        _ => {
            let default = if let Default::Integer(value) = field.default { value } else { 0 };
            Ok(value.integer().map_err(about)? == default)
        }
    }
}
