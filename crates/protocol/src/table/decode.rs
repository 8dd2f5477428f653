//! Reading by the tables.

use super::{Field, Schema, Struct, Type};
use crate::types::Uuid;
use crate::wire::{DecodeError, Reader};

/// Builds values from what the bytes hold. Text and bytes borrow from the bytes.
pub trait Build<'a> {
    /// A finished value.
    type Value;
    /// A struct that is being filled.
    type Struct;
    /// An array that is being filled.
    type Array;
    /// Why building failed; the bytes being wrong is one reason.
    type Error: From<DecodeError>;

    /// Null.
    fn null(&mut self) -> Result<Self::Value, Self::Error>;
    /// A bool.
    fn bool(&mut self, value: bool) -> Result<Self::Value, Self::Error>;
    /// An integer of any size.
    fn integer(&mut self, value: i64) -> Result<Self::Value, Self::Error>;
    /// A float.
    fn float(&mut self, value: f64) -> Result<Self::Value, Self::Error>;
    /// An id.
    fn uuid(&mut self, value: Uuid) -> Result<Self::Value, Self::Error>;
    /// Text.
    fn string(&mut self, value: &'a str) -> Result<Self::Value, Self::Error>;
    /// Bytes, or record batches.
    fn bytes(&mut self, value: &'a [u8]) -> Result<Self::Value, Self::Error>;

    /// Begins an array.
    fn array(&mut self, length: usize) -> Result<Self::Array, Self::Error>;
    /// Adds the next element.
    fn push(&mut self, array: &mut Self::Array, element: Self::Value) -> Result<(), Self::Error>;
    /// Ends an array.
    fn finish_array(&mut self, array: Self::Array) -> Result<Self::Value, Self::Error>;

    /// Begins a struct.
    fn open(&mut self, schema: &'static Struct) -> Result<Self::Struct, Self::Error>;
    /// Sets the field at `index`.
    fn set(&mut self, object: &mut Self::Struct, index: usize, value: Self::Value)
        -> Result<(), Self::Error>;
    /// Gives the field at `index` its default: the bytes do not have it.
    fn set_default(&mut self, object: &mut Self::Struct, index: usize) -> Result<(), Self::Error>;
    /// Ends a struct; every field was set exactly once, unless its tag came twice.
    fn close(&mut self, object: Self::Struct) -> Result<Self::Value, Self::Error>;
}

/// Reads one message; what follows it is left.
pub fn decode<'a, B: Build<'a>>(
    schema: &'static Schema,
    version: i16,
    reader: &mut Reader<'a>,
    builder: &mut B,
) -> Result<B::Value, B::Error> {
    if !schema.versions.contains(version) {
        let (lowest, highest) = (schema.versions.lowest, schema.versions.highest);
        return Err(DecodeError::Version { message: schema.name, version, lowest, highest }.into());
    }
    let flexible = schema.flexible.contains(version);
    Walk { version, flexible, reader, builder }.structure(schema.root)
}

/// Reads one message and builds nothing: an error when the bytes are no message of this version.
pub fn validate(schema: &'static Schema, version: i16, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    decode(schema, version, reader, &mut Nothing)
}

struct Walk<'w, 'a, B> {
    version: i16,
    flexible: bool,
    reader: &'w mut Reader<'a>,
    builder: &'w mut B,
}

impl<'a, B: Build<'a>> Walk<'_, 'a, B> {
    fn structure(&mut self, schema: &'static Struct) -> Result<B::Value, B::Error> {
        let mut object = self.builder.open(schema)?;
        for (index, field) in schema.fields.iter().enumerate() {
            if field.tag >= 0 {
                continue;
            }
            if field.is_in(self.version) {
                let value = self.field(field, false)?;
                self.builder.set(&mut object, index, value)?;
            } else {
                self.builder.set_default(&mut object, index)?;
            }
        }
        let seen = if self.flexible { self.tagged(schema, &mut object)? } else { 0 };
        for (tag, &index) in schema.tagged.iter().enumerate() {
            if seen & (1 << tag) == 0 {
                self.builder.set_default(&mut object, index)?;
            }
        }
        self.builder.close(object)
    }

    /// Reads the tagged section; the result has a bit for each tag that was there.
    fn tagged(&mut self, schema: &'static Struct, object: &mut B::Struct) -> Result<u64, B::Error> {
        assert!(schema.tagged.len() <= 64, "more tags in a struct than bits in a word");
        let mut seen = 0u64;
        let mut failed = None;
        let (version, flexible) = (self.version, self.flexible);
        let builder = &mut *self.builder;
        let section = self.reader.tagged_fields(|tag, reader| {
            let Some(&index) = schema.tagged.get(tag as usize) else { return Ok(false) };
            let Some(field) = schema.fields.get(index).filter(|field| field.is_in(version)) else {
                return Ok(false);
            };
            let mut walk = Walk { version, flexible, reader, builder: &mut *builder };
            match walk.field(field, true).and_then(|value| builder.set(object, index, value)) {
                Ok(()) => {
                    seen |= 1 << tag;
                    Ok(true)
                }
                Err(error) => {
                    // The error's own type does not fit through the reader: it waits outside.
                    failed = Some(error);
                    Err(DecodeError::Null { at: 0 })
                }
            }
        });
        match failed {
            Some(error) => Err(error),
            None => {
                section?;
                Ok(seen)
            }
        }
    }

    fn field(&mut self, field: &'static Field, tagged: bool) -> Result<B::Value, B::Error> {
        let flexible = self.flexible && !field.rigid;
        let nullable = field.nullable.contains(self.version);
        if field.array {
            let length = if nullable {
                self.reader.nullable_array_length(flexible, field.element_bytes)?
            } else {
                Some(self.reader.array_length(flexible, field.element_bytes)?)
            };
            let Some(length) = length else { return self.builder.null() };
            let mut array = self.builder.array(length)?;
            for _ in 0..length {
                let element = self.value(field.kind, flexible)?;
                self.builder.push(&mut array, element)?;
            }
            return self.builder.finish_array(array);
        }
        if nullable {
            return self.nullable_value(field.kind, flexible, tagged);
        }
        self.value(field.kind, flexible)
    }

    fn nullable_value(&mut self, kind: Type, flexible: bool, tagged: bool) -> Result<B::Value, B::Error> {
        match kind {
            Type::String => match self.reader.nullable_string(flexible)? {
                Some(value) => self.builder.string(value),
                None => self.builder.null(),
            },
            Type::Bytes | Type::Records => match self.reader.nullable_bytes(flexible)? {
                Some(value) => self.builder.bytes(value),
                None => self.builder.null(),
            },
            Type::Struct(schema) => {
                let present = if tagged { self.reader.uvarint()? != 0 } else { self.reader.present()? };
                if present {
                    self.structure(schema)
                } else {
                    self.builder.null()
                }
            }
            _ => self.value(kind, flexible),
        }
    }

    #[inline]
    fn value(&mut self, kind: Type, flexible: bool) -> Result<B::Value, B::Error> {
        match kind {
            Type::Bool => self.builder.bool(self.reader.bool()?),
            Type::Int8 => self.builder.integer(self.reader.i8()?.into()),
            Type::Int16 => self.builder.integer(self.reader.i16()?.into()),
            Type::Uint16 => self.builder.integer(self.reader.u16()?.into()),
            Type::Int32 => self.builder.integer(self.reader.i32()?.into()),
            Type::Uint32 => self.builder.integer(self.reader.u32()?.into()),
            Type::Int64 => self.builder.integer(self.reader.i64()?),
            Type::Float64 => self.builder.float(self.reader.f64()?),
            Type::Uuid => self.builder.uuid(self.reader.uuid()?),
            Type::String => self.builder.string(self.reader.string(flexible)?),
            Type::Bytes | Type::Records => self.builder.bytes(self.reader.bytes(flexible)?),
            Type::Struct(schema) => self.structure(schema),
        }
    }
}

/// Builds nothing.
struct Nothing;

impl<'a> Build<'a> for Nothing {
    type Value = ();
    type Struct = ();
    type Array = ();
    type Error = DecodeError;

    fn null(&mut self) -> Result<(), DecodeError> {
        Ok(())
    }
    fn bool(&mut self, _: bool) -> Result<(), DecodeError> {
        Ok(())
    }
    fn integer(&mut self, _: i64) -> Result<(), DecodeError> {
        Ok(())
    }
    fn float(&mut self, _: f64) -> Result<(), DecodeError> {
        Ok(())
    }
    fn uuid(&mut self, _: Uuid) -> Result<(), DecodeError> {
        Ok(())
    }
    fn string(&mut self, _: &'a str) -> Result<(), DecodeError> {
        Ok(())
    }
    fn bytes(&mut self, _: &'a [u8]) -> Result<(), DecodeError> {
        Ok(())
    }
    fn array(&mut self, _: usize) -> Result<(), DecodeError> {
        Ok(())
    }
    fn push(&mut self, _: &mut (), _: ()) -> Result<(), DecodeError> {
        Ok(())
    }
    fn finish_array(&mut self, _: ()) -> Result<(), DecodeError> {
        Ok(())
    }
    fn open(&mut self, _: &'static Struct) -> Result<(), DecodeError> {
        Ok(())
    }
    fn set(&mut self, _: &mut (), _: usize, _: ()) -> Result<(), DecodeError> {
        Ok(())
    }
    fn set_default(&mut self, _: &mut (), _: usize) -> Result<(), DecodeError> {
        Ok(())
    }
    fn close(&mut self, _: ()) -> Result<(), DecodeError> {
        Ok(())
    }
}
