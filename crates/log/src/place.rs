//! Where the files of one log are, and what they are called.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use barnabas_disk::{Disk, Open, OpenFiles};
use barnabas_protocol::Offset;

use crate::error::{At, LogError};

/// Batches.
pub(crate) const LOG: &str = "log";
/// Offset index.
pub(crate) const INDEX: &str = "index";
/// Time index.
pub(crate) const TIME_INDEX: &str = "timeindex";
/// Aborted transactions.
pub(crate) const TXN_INDEX: &str = "txnindex";
/// Producer state as of the offset in the name.
pub(crate) const SNAPSHOT: &str = "snapshot";
/// Marks a file that waits for its removal.
pub(crate) const DELETED: &str = ".deleted";
/// Marks what compaction is writing.
pub(crate) const CLEANED: &str = ".cleaned";
/// Marks what compaction has written and is putting in place.
pub(crate) const SWAP: &str = ".swap";

/// Batches of a segment that compaction is writing.
pub(crate) const CLEANED_LOG: &str = "log.cleaned";
/// Its offset index.
pub(crate) const CLEANED_INDEX: &str = "index.cleaned";
/// Its time index.
pub(crate) const CLEANED_TIME_INDEX: &str = "timeindex.cleaned";
/// Its aborted transactions.
pub(crate) const CLEANED_TXN_INDEX: &str = "txnindex.cleaned";

/// What is to take the place of a segment's batches.
pub(crate) const SWAP_LOG: &str = "log.swap";
/// Of its offset index.
pub(crate) const SWAP_INDEX: &str = "index.swap";
/// Of its time index.
pub(crate) const SWAP_TIME_INDEX: &str = "timeindex.swap";
/// Of its aborted transactions.
pub(crate) const SWAP_TXN_INDEX: &str = "txnindex.swap";

/// The directory of one log.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) files: Arc<OpenFiles>,
    pub(crate) dir: Arc<Path>,
}

impl Place {
    pub(crate) fn disk(&self) -> &dyn Disk {
        &**self.files.disk()
    }

    /// Path of the file of this kind that belongs to the segment (or snapshot) at `offset`.
    pub(crate) fn path(&self, offset: Offset, kind: &str) -> PathBuf {
        self.dir.join(format!("{offset:020}.{kind}"))
    }

    /// Removes a file; that it is gone already is fine.
    pub(crate) fn remove(&self, path: &Path) -> Result<(), LogError> {
        match self.disk().remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).at("remove", path),
            _ => Ok(()),
        }
    }

    /// Renames a file; that it is not there is fine. Returns whether it was.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<bool, LogError> {
        match self.disk().rename(from, to) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).at("rename", from),
        }
    }

    /// Replaces a small file so that a crash of the process leaves the old or the new content. Nothing is
    /// synced: it is for content that recovery can do without, and the next flush syncs it.
    pub(crate) fn replace_unsynced(&self, path: &Path, content: &[u8]) -> Result<(), LogError> {
        match self.disk().open(path, Open::CreateNew) {
            // Nothing to keep: a crash leaves it empty, as if it were not there.
            Ok(file) => return file.write_all_at(content, 0).at("write", path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).at("create", path),
        }
        let temporary = suffixed(path, ".tmp");
        let mut created = self.disk().open(&temporary, Open::CreateNew);
        if created.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::AlreadyExists) {
            // Left by a crash. Never written over: a power failure could then show its old content as the new.
            self.remove(&temporary)?;
            created = self.disk().open(&temporary, Open::CreateNew);
        }
        created.at("create", &temporary)?.write_all_at(content, 0).at("write", &temporary)?;
        self.disk().rename(&temporary, path).at("rename", &temporary)
    }
}

/// `path` with something added to its last component.
pub(crate) fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Offset and kind of a file that `Place::path` named; None for any other name.
pub(crate) fn parse_name(name: &str) -> Option<(Offset, &str)> {
    let (digits, kind) = name.split_once('.')?;
    let valid = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    Some((valid.then(|| digits.parse().ok())??, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_twenty_digits_are_ours() {
        assert_eq!(parse_name("00000000000000000042.log"), Some((42, "log")));
        assert_eq!(parse_name("00000000000000000042.log.deleted"), Some((42, "log.deleted")));
        assert_eq!(parse_name("00000000000000000042-0000000001.checkpoint"), None);
        assert_eq!(parse_name("partition.metadata"), None);
        assert_eq!(parse_name("+0000000000000000042.log"), None);
    }
}
