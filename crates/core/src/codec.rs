//! Python messages to bytes and back, driven by the tables of `barnabas_protocol`.
//!
//! Always true:
//!   a message is decoded whole or not at all; every attribute of what is returned is set
//!   errors are ValueError and name the field or the byte

mod classes;
mod objects;
mod source;

use barnabas_net::Request;
use barnabas_protocol::api::ApiKey;
use barnabas_protocol::compression::{self, Compression};
use barnabas_protocol::error_tally::ErrorTally;
use barnabas_protocol::generated::schemas;
use barnabas_protocol::header::encode_response_header;
use barnabas_protocol::table::{self, Schema};
use barnabas_protocol::wire::{DecodeError, EncodeError, Reader, Writer};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyType};

use classes::Classes;

/// Version of the frame round a metadata record.
const METADATA_FRAME_VERSION: u32 = 1;

/// Why a message can't cross.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CodecError {
    /// The bytes are not right.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The message does not fit its version.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The objects of the message would take too much memory.
    #[error("the message takes over {limit} bytes of memory")]
    Memory {
        /// What a message of its size may take.
        limit: usize,
    },
    /// Python refused.
    #[error("{0}")]
    Python(#[from] PyErr),
    /// Python refused, and it is known for which field.
    #[error("{field}: {error}")]
    Field {
        /// `Struct.Field`.
        field: &'static str,
        /// What Python said.
        error: PyErr,
    },
}

impl From<CodecError> for PyErr {
    fn from(error: CodecError) -> PyErr {
        match error {
            CodecError::Python(error) => error,
            other => PyValueError::new_err(other.to_string()),
        }
    }
}

/// The message's bytes in `version`. ValueError names the field that can't be written.
#[pyfunction]
pub(crate) fn encode<'py>(message: &Bound<'py, PyAny>, version: i16) -> PyResult<Bound<'py, PyBytes>> {
    let mut bytes = Vec::with_capacity(128);
    encode_message(message, version, &mut bytes)?;
    Ok(PyBytes::new(message.py(), &bytes))
}

/// Reads exactly one message. ValueError when the bytes are anything else.
#[pyfunction]
pub(crate) fn decode<'py>(
    cls: &Bound<'py, PyType>,
    version: i16,
    data: &[u8],
) -> PyResult<Bound<'py, PyAny>> {
    let schema = schema_of(cls)?;
    let mut reader = Reader::new(data);
    let message = decode_schema(cls.py(), schema, version, &mut reader)?;
    reader.finish().map_err(CodecError::from)?;
    Ok(message)
}

/// Decompresses with one of Kafka's codecs (1 gzip, 2 snappy, 3 lz4, 4 zstd); ValueError when the data is
/// damaged or holds more than `bytes_max`.
#[pyfunction]
pub(crate) fn decompress<'py>(
    py: Python<'py>,
    codec: i8,
    data: &[u8],
    bytes_max: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    let mut out = Vec::new();
    Compression::from_id(codec)
        .and_then(|codec| compression::decompress(codec, data, bytes_max, &mut out))
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(PyBytes::new(py, &out))
}

/// The body of a request as a Python message. What follows the message is ignored, as Apache Kafka does.
pub(crate) fn decode_request(py: Python<'_>, api_key: i16, version: i16, body: &[u8]) -> PyResult<Py<PyAny>> {
    let Some(api) = ApiKey::from_code(api_key) else {
        return Err(PyValueError::new_err(format!("API key {api_key} is not known")));
    };
    let message = decode_schema(py, schemas::request(api), version, &mut Reader::new(body))?;
    Ok(message.unbind())
}

/// A response to `request`, header and body, and which error codes count in it.
pub(crate) fn encode_response(
    request: &Request,
    message: &Bound<'_, PyAny>,
) -> PyResult<(Vec<u8>, ErrorTally)> {
    let api = ApiKey::from_code(request.api_key);
    let api = api.ok_or_else(|| PyValueError::new_err("an API that nobody knows"))?;
    let mut writer = Writer::new();
    encode_response_header(&mut writer, api, request.api_version, request.correlation_id);
    let mut bytes = writer.into_bytes();
    let errors = encode_message(message, request.api_version, &mut bytes)?;
    Ok((bytes, errors))
}

/// Appends the message's bytes in `version`, and says which error codes count in it; on an error nothing is
/// appended.
pub(crate) fn encode_message(
    message: &Bound<'_, PyAny>,
    version: i16,
    out: &mut Vec<u8>,
) -> PyResult<ErrorTally> {
    append(message, out, |schema, _| Ok((schema, version)))
}

/// Appends a metadata record in its frame: frame version, type, version, body. On an error nothing is appended.
pub(crate) fn encode_metadata_record(
    record: &Bound<'_, PyAny>,
    version: i16,
    out: &mut Vec<u8>,
) -> PyResult<()> {
    append(record, out, |schema, writer| {
        if schema.kind != table::Kind::Metadata {
            return Err(PyTypeError::new_err(format!("{} is no metadata record", schema.name)));
        }
        writer.uvarint(METADATA_FRAME_VERSION);
        writer.uvarint(schema.key as u32);
        writer.uvarint(version as u32);
        Ok((schema, version))
    })?;
    Ok(())
}

fn append(
    message: &Bound<'_, PyAny>,
    out: &mut Vec<u8>,
    before: impl FnOnce(&'static Schema, &mut Writer) -> PyResult<(&'static Schema, i16)>,
) -> PyResult<ErrorTally> {
    let schema = schema_of(&message.get_type())?;
    let classes = Classes::of(message.py(), schema)?;
    let length = out.len();
    let mut writer = Writer::append_to(std::mem::take(out));
    let result = before(schema, &mut writer).map_err(CodecError::from).and_then(|(schema, version)| {
        table::encode(schema, version, &source::Object { value: message.clone(), classes }, &mut writer)
    });
    let errors = std::mem::take(&mut writer.errors);
    *out = writer.into_bytes();
    match result {
        Ok(()) => Ok(errors),
        Err(error) => {
            out.truncate(length);
            Err(error.into())
        }
    }
}

fn decode_schema<'py>(
    py: Python<'py>,
    schema: &'static Schema,
    version: i16,
    reader: &mut Reader<'_>,
) -> PyResult<Bound<'py, PyAny>> {
    let classes = Classes::of(py, schema)?;
    let mut objects = objects::Objects::new(py, classes, reader.remaining());
    Ok(table::decode(schema, version, reader, &mut objects)?)
}

/// The table of a generated message class.
fn schema_of(cls: &Bound<'_, PyType>) -> PyResult<&'static Schema> {
    let name = cls.name()?;
    if let Some(schema) = Schema::named(name.to_str()?) {
        if Classes::of(cls.py(), schema)?.is_root(cls) {
            return Ok(schema);
        }
    }
    Err(PyTypeError::new_err(format!("{name} is no message of the protocol")))
}
