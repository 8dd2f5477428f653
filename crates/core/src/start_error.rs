//! Why a node did not start, as an exception of `barnabas.server.errors`.

use barnabas_log::DirectoryError;
use barnabas_net::BindError;
use pyo3::prelude::*;

use crate::directories::DirectoriesError;
use crate::metadata::describe;
use crate::running::StartError;

/// The exception for the cause.
pub(crate) fn start_error(py: Python<'_>, error: StartError) -> PyErr {
    let class = match &error {
        StartError::Bind(BindError::AddressInUse { .. }) => "AddressInUse",
        StartError::Bind(_) => "AddressUnusable",
        StartError::Raft(error) | StartError::Directories(DirectoriesError::Raft(error)) => {
            if error.is_storage_failure() {
                "DirectoryUnusable"
            } else {
                "MetadataUnreadable"
            }
        }
        StartError::Directory(error) | StartError::Directories(DirectoriesError::Directory(error)) => {
            directory_class(error)
        }
        StartError::Directories(DirectoriesError::Clusters { .. }) => "WrongCluster",
        StartError::Directories(_) => "DirectoryUnusable",
        StartError::System(_) | StartError::Settings(_) => "StartError",
    };
    let message = describe(&error);
    let made = py
        .import("barnabas.server.errors")
        .and_then(|module| module.getattr(class))
        .and_then(|class| class.call1((message,)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

fn directory_class(error: &DirectoryError) -> &'static str {
    match error {
        DirectoryError::ClusterId { .. } | DirectoryError::NodeId { .. } => "WrongCluster",
        DirectoryError::InUse { .. } => "DirectoryInUse",
        _ => "DirectoryUnusable",
    }
}
