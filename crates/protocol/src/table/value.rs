//! Messages as trees of values: what tests, fuzzers and tools build when they need no type.

use super::{Build, Default, Field, Source, Struct, Type};
use crate::types::Uuid;
use crate::wire::{DecodeError, EncodeError};

/// A value of any message.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Null.
    Null,
    /// A bool.
    Bool(bool),
    /// An integer of any size.
    Integer(i64),
    /// A float.
    Float(f64),
    /// An id.
    Uuid(Uuid),
    /// Text.
    String(String),
    /// Bytes or record batches.
    Bytes(Vec<u8>),
    /// An array.
    Array(Vec<Value>),
    /// A struct: its fields in the order of the table.
    Struct(Vec<Value>),
}

impl Value {
    /// The default of a field.
    pub fn default_of(field: &Field) -> Value {
        match field.default {
            Default::Null => Value::Null,
            Default::True => Value::Bool(true),
            Default::Integer(value) => Value::Integer(value),
            Default::Plain if field.array => Value::Array(Vec::new()),
            Default::Plain => match field.kind {
                Type::Bool => Value::Bool(false),
                Type::Float64 => Value::Float(0.0),
                Type::Uuid => Value::Uuid(Uuid::ZERO),
                Type::String => Value::String(String::new()),
                Type::Bytes | Type::Records => Value::Bytes(Vec::new()),
                Type::Struct(schema) => Value::defaults(schema),
                _ => Value::Integer(0),
            },
        }
    }

    /// A struct of defaults.
    pub fn defaults(schema: &Struct) -> Value {
        Value::Struct(schema.fields.iter().map(Value::default_of).collect())
    }
}

/// Builds [`Value`]s.
#[derive(Debug)]
pub struct Trees;

impl<'a> Build<'a> for Trees {
    type Value = Value;
    type Struct = (&'static Struct, Vec<Value>);
    type Array = Vec<Value>;
    type Error = DecodeError;

    fn null(&mut self) -> Result<Value, DecodeError> {
        Ok(Value::Null)
    }
    fn bool(&mut self, value: bool) -> Result<Value, DecodeError> {
        Ok(Value::Bool(value))
    }
    fn integer(&mut self, value: i64) -> Result<Value, DecodeError> {
        Ok(Value::Integer(value))
    }
    fn float(&mut self, value: f64) -> Result<Value, DecodeError> {
        Ok(Value::Float(value))
    }
    fn uuid(&mut self, value: Uuid) -> Result<Value, DecodeError> {
        Ok(Value::Uuid(value))
    }
    fn string(&mut self, value: &'a str) -> Result<Value, DecodeError> {
        Ok(Value::String(value.to_owned()))
    }
    fn bytes(&mut self, value: &'a [u8]) -> Result<Value, DecodeError> {
        Ok(Value::Bytes(value.to_vec()))
    }
    fn array(&mut self, length: usize) -> Result<Vec<Value>, DecodeError> {
        Ok(Vec::with_capacity(length))
    }
    fn push(&mut self, array: &mut Vec<Value>, element: Value) -> Result<(), DecodeError> {
        array.push(element);
        Ok(())
    }
    fn finish_array(&mut self, array: Vec<Value>) -> Result<Value, DecodeError> {
        Ok(Value::Array(array))
    }
    fn open(&mut self, schema: &'static Struct) -> Result<Self::Struct, DecodeError> {
        Ok((schema, vec![Value::Null; schema.fields.len()]))
    }
    fn set(&mut self, object: &mut Self::Struct, index: usize, value: Value) -> Result<(), DecodeError> {
        if let Some(slot) = object.1.get_mut(index) {
            *slot = value;
        }
        Ok(())
    }
    fn set_default(&mut self, object: &mut Self::Struct, index: usize) -> Result<(), DecodeError> {
        if let (Some(slot), Some(field)) = (object.1.get_mut(index), object.0.fields.get(index)) {
            *slot = Value::default_of(field);
        }
        Ok(())
    }
    fn close(&mut self, object: Self::Struct) -> Result<Value, DecodeError> {
        Ok(Value::Struct(object.1))
    }
}

fn wrong<T>() -> Result<T, EncodeError> {
    Err(EncodeError::Type { field: "value" })
}

impl Source for &Value {
    type Error = EncodeError;

    fn field(&self, _: &'static Struct, index: usize) -> Result<Self, EncodeError> {
        match self {
            Value::Struct(fields) => fields.get(index).map_or_else(wrong, Ok),
            _ => wrong(),
        }
    }
    fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }
    fn bool(&self) -> Result<bool, EncodeError> {
        if let Value::Bool(value) = self {
            return Ok(*value);
        }
        wrong()
    }
    fn integer(&self) -> Result<i64, EncodeError> {
        if let Value::Integer(value) = self {
            return Ok(*value);
        }
        wrong()
    }
    fn float(&self) -> Result<f64, EncodeError> {
        if let Value::Float(value) = self {
            return Ok(*value);
        }
        wrong()
    }
    fn uuid(&self) -> Result<Uuid, EncodeError> {
        if let Value::Uuid(value) = self {
            return Ok(*value);
        }
        wrong()
    }
    fn string<R>(&self, with: impl FnOnce(&str) -> R) -> Result<R, EncodeError> {
        if let Value::String(value) = self {
            return Ok(with(value));
        }
        wrong()
    }
    fn bytes<R>(&self, with: impl FnOnce(&[u8]) -> R) -> Result<R, EncodeError> {
        if let Value::Bytes(value) = self {
            return Ok(with(value));
        }
        wrong()
    }
    fn length(&self) -> Result<usize, EncodeError> {
        if let Value::Array(elements) = self {
            return Ok(elements.len());
        }
        wrong()
    }
    fn element(&self, index: usize) -> Result<Self, EncodeError> {
        match self {
            Value::Array(elements) => elements.get(index).map_or_else(wrong, Ok),
            _ => wrong(),
        }
    }
    fn about(error: EncodeError, field: &'static Field) -> EncodeError {
        match error {
            EncodeError::Type { .. } => EncodeError::Type { field: field.path },
            error => error,
        }
    }
}
