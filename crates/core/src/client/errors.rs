//! What Python raises for what can go wrong in a client.

use barnabas_client::ClientError;
use barnabas_protocol::error::ErrorCode;
use pyo3::prelude::*;

/// The exception of an error.
pub(crate) fn raised(py: Python<'_>, error: &ClientError) -> PyErr {
    match exception(py, error) {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// The exception of an error, as an object.
pub(crate) fn exception<'py>(py: Python<'py>, error: &ClientError) -> PyResult<Bound<'py, PyAny>> {
    let module = py.import("barnabas.errors")?;
    let text = error.to_string();
    let of_code = |code: ErrorCode| {
        module.getattr("KafkaError")?.call_method1("for_code", (code.code(), text.as_str()))
    };
    match error {
        ClientError::Broker { code, .. } => of_code(*code),
        ClientError::RecordTooLarge { .. } => of_code(ErrorCode::MESSAGE_TOO_LARGE),
        ClientError::NoPartition { .. } => of_code(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        ClientError::Corrupt(_) => of_code(ErrorCode::CORRUPT_MESSAGE),
        ClientError::Pattern(_) => of_code(ErrorCode::INVALID_REGULAR_EXPRESSION),
        ClientError::NoGroup => of_code(ErrorCode::INVALID_GROUP_ID),
        ClientError::Timeout(_) => module.getattr("ClientTimeout")?.call1((text,)),
        ClientError::Aborted => module.getattr("TransactionAborted")?.call1((text,)),
        ClientError::BufferFull { .. } => module.getattr("BufferFull")?.call1((text,)),
        ClientError::Truncated { divergent, .. } => {
            module.getattr("LogTruncation")?.call1((text, *divergent))
        }
        ClientError::NoOffset { .. } => module.getattr("NoOffset")?.call1((text,)),
        ClientError::Tls(_) => module.getattr("TlsFailed")?.call1((text,)),
        ClientError::Closed => module.getattr("ClientClosed")?.call1((text,)),
        ClientError::Io(_) => module.getattr("BarnabasError")?.call1((text,)),
    }
}
