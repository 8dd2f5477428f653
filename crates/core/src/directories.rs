//! The log directories of a node: formatted on first use, refused when they are somebody else's.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use barnabas_disk::{Disk, Lock};
use barnabas_log::{lock, DirectoryError, LogManager, LogManagerSettings, MetaProperties, LOCK};
use barnabas_protocol::{Millis, Uuid};
use barnabas_raft::{FormatOptions, RaftError, ReplicaKey, Voter, VoterEndpoint, METADATA_DIRECTORY};

use crate::settings::NodeSettings;
use crate::uuid::random_uuid;

/// What may stand in a directory that is about to be formatted: traces of a format that was cut short, and what
/// file systems put there.
const HARMLESS: [&str; 5] =
    [LOCK, "lost+found", "bootstrap.checkpoint", METADATA_DIRECTORY, ".kafka_cleanshutdown"];

/// Why directories can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectoriesError {
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    #[error(transparent)]
    Raft(#[from] RaftError),
    #[error("{} can't be {action}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
    #[error(
        "{} holds other files ({name}, for one) and no meta.properties: name an empty directory, or one of Kafka's",
        path.display()
    )]
    Foreign { path: PathBuf, name: String },
    #[error("the operating system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    #[error(
        "the log directories belong to different clusters, {first} and {second}: name those of one cluster"
    )]
    Clusters { first: String, second: String },
}

impl DirectoriesError {
    /// Whether the disk refuses what is there already.
    fn is_offline(&self) -> bool {
        matches!(self, Self::Directory(DirectoryError::Log(error)) if error.is_storage_failure())
    }
}

/// The directories, taken for this node.
pub(crate) struct Directories {
    pub(crate) logs: LogManager,
    pub(crate) cluster_id: String,
    /// Id of the directory that holds the metadata log.
    pub(crate) metadata_directory: Uuid,
    /// Holds the metadata log's directory when it is not one of `log.dirs`, which lock themselves.
    pub(crate) metadata_lock: Option<Box<dyn Lock>>,
}

/// Takes the directories of `settings`, formatting those that are new; `endpoints`: where the controller listens.
pub(crate) fn open(
    disk: &Arc<dyn Disk>,
    settings: &NodeSettings,
    endpoints: &[VoterEndpoint],
    log_settings: LogManagerSettings,
    now: Millis,
) -> Result<Directories, DirectoriesError> {
    let mut paths = settings.log_dirs.clone();
    if !paths.contains(&settings.metadata_log_dir) {
        paths.push(settings.metadata_log_dir.clone());
    }
    let mut known: Option<String> = None;
    let mut new = Vec::new();
    for path in &paths {
        let found = match prepare(&**disk, path) {
            // As in Kafka: the others do without it, and it is looked after from time to time.
            Err(error) if error.is_offline() && *path != settings.metadata_log_dir => continue,
            found => found?,
        };
        match found {
            None => new.push(path.clone()),
            Some(found) => match &known {
                Some(first) if *first != found.cluster_id => {
                    return Err(DirectoriesError::Clusters { first: first.clone(), second: found.cluster_id })
                }
                _ => known = Some(found.cluster_id),
            },
        }
    }
    let cluster_id = match known {
        Some(known) => known,
        None => random_uuid()?.to_string(),
    };
    // Kept from the format on: of two first starts at once, one serves.
    let mut held = BTreeMap::new();
    for path in new {
        let lock = format(&**disk, &path, settings, endpoints, &cluster_id, now)?;
        held.insert(path, lock);
    }
    let metadata_directory = match MetaProperties::read(&**disk, &settings.metadata_log_dir)? {
        Some(found) => found.directory_id,
        None => return Err(DirectoryError::NotFormatted { path: settings.metadata_log_dir.clone() }.into()),
    };
    let log_settings = LogManagerSettings { cluster_id: cluster_id.clone(), ..log_settings };
    let metadata_lock = match settings.log_dirs.contains(&settings.metadata_log_dir) {
        true => None,
        false => Some(match held.remove(&settings.metadata_log_dir) {
            Some(lock) => lock,
            None => lock(&**disk, &settings.metadata_log_dir)?,
        }),
    };
    let logs = LogManager::open(disk.clone(), &settings.log_dirs, log_settings, held)?;
    Ok(Directories { logs, cluster_id, metadata_directory, metadata_lock })
}

/// What a directory says of itself, which is made when it is not there; None: it is to be formatted.
fn prepare(disk: &dyn Disk, path: &Path) -> Result<Option<MetaProperties>, DirectoriesError> {
    // Not there, or on a disk that does not even say so: the two look alike to `exists`.
    let missing = |error: std::io::Error| error.kind() == ErrorKind::NotFound;
    if !disk.exists(path) && disk.list(path).is_err_and(missing) {
        let created = disk.create_dir_all_synced(path);
        created.map_err(|source| DirectoriesError::Io {
            action: "created",
            path: path.to_path_buf(),
            source,
        })?;
    }
    Ok(MetaProperties::read(disk, path)?)
}

/// A file that no format has left behind, not even one that was cut short.
fn foreign(disk: &dyn Disk, path: &Path) -> std::io::Result<Option<String>> {
    let entries = disk.list(path)?;
    if let Some(entry) = entries.iter().find(|entry| !HARMLESS.contains(&entry.name.as_str())) {
        return Ok(Some(entry.name.clone()));
    }
    if !entries.iter().any(|entry| entry.name == METADATA_DIRECTORY) {
        return Ok(None);
    }
    // The log comes after the format. Formatting over one would make its own node a stranger to its quorum.
    let metadata = disk.list(&path.join(METADATA_DIRECTORY))?;
    let log = metadata.iter().find(|entry| entry.name.ends_with(".log"));
    Ok(log.map(|entry| format!("{METADATA_DIRECTORY}/{}", entry.name)))
}

fn format(
    disk: &dyn Disk,
    path: &Path,
    settings: &NodeSettings,
    endpoints: &[VoterEndpoint],
    cluster_id: &str,
    now: Millis,
) -> Result<Box<dyn Lock>, DirectoriesError> {
    let read = |source| DirectoriesError::Io { action: "read", path: path.to_path_buf(), source };
    // Two first starts at once must not format over one another: the other may have been quicker, and what
    // looks foreign may be its files. Only a directory that some node has taken before is locked before it is
    // known to be one of ours: nothing is left in others' directories.
    if let Some(name) = foreign(disk, path).map_err(read)? {
        let entries = disk.list(path).map_err(read)?;
        if !entries.iter().any(|entry| entry.name == LOCK) {
            return Err(DirectoriesError::Foreign { path: path.to_path_buf(), name });
        }
    }
    let lock = lock(disk, path)?;
    if MetaProperties::read(disk, path)?.is_some() {
        return Err(DirectoryError::InUse { path: path.to_path_buf() }.into());
    }
    if let Some(name) = foreign(disk, path).map_err(read)? {
        return Err(DirectoriesError::Foreign { path: path.to_path_buf(), name });
    }
    let directory_id = random_uuid()?;
    if path == settings.metadata_log_dir {
        let voter = Voter {
            key: ReplicaKey { id: settings.node_id, directory_id },
            endpoints: endpoints.to_vec(),
            kraft_versions: (0, 1),
        };
        let features =
            settings.bootstrap_features.iter().map(|(name, level)| (name.clone(), *level)).collect();
        barnabas_raft::format(disk, path, &FormatOptions { voter, features, records: Vec::new() }, now)?;
    }
    // Last: a directory without it counts as not formatted, so that a crash in between does no harm.
    let meta = MetaProperties { cluster_id: cluster_id.to_string(), node_id: settings.node_id, directory_id };
    meta.write(disk, path).map_err(DirectoryError::from)?;
    Ok(lock)
}
