//! Finalized features: the levels that the whole cluster has agreed on.

use std::sync::Arc;

use imbl::OrdMap;

use crate::metadata_version::{MetadataVersion, FEATURE};

/// The finalized levels. `kraft.version` is not among them: it lives in control records of the log.
#[derive(Debug, Clone, Default)]
pub struct FeaturesImage {
    levels: OrdMap<Arc<str>, i16>,
}

impl FeaturesImage {
    /// Level of a feature; 0 when it is off.
    pub fn level(&self, name: &str) -> i16 {
        self.levels.get(name).copied().unwrap_or(0)
    }

    /// The level of `metadata.version`; the minimum as long as none is recorded.
    pub fn metadata_version(&self) -> MetadataVersion {
        self.levels.get(FEATURE).map_or(MetadataVersion::MINIMUM, |level| MetadataVersion(*level))
    }

    /// Features that are on, with their levels, in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, i16)> {
        self.levels.iter().map(|(name, level)| (name, *level))
    }

    pub(crate) fn map(&self) -> &OrdMap<Arc<str>, i16> {
        &self.levels
    }

    /// Sets a level; 0 removes the feature.
    pub(crate) fn set(&mut self, name: &str, level: i16) {
        if level == 0 {
            self.levels.remove(name);
        } else {
            self.levels.insert(name.into(), level);
        }
    }
}
