//! What a crash or a flipped bit has left of the leader epochs: their file is compared with the batches.

use barnabas_protocol::batch::BatchHeader;
use barnabas_protocol::{LeaderEpoch, Offset};

use crate::batch_scan::ScanError;
use crate::checkpoints::{self, LEADER_EPOCHS};
use crate::error::{At, LogError};
use crate::leader_epochs::LeaderEpochs;
use crate::log::Log;
use crate::place::Place;

/// Epoch of batches that were written before there were epochs.
pub(crate) const OLD_FORMAT: LeaderEpoch = -1;
impl Log {
    /// Whether the batches agree with the leader epochs: those on both sides of where one begins, and the last.
    pub(crate) fn leader_epochs_agree(&self) -> Result<bool, LogError> {
        let starts = self.epochs.entries().iter().map(|entry| entry.start_offset);
        for start in starts.chain([self.log_end_offset]) {
            if start > self.log_end_offset {
                return Ok(false);
            }
            // What lies before the log's start is not told any more.
            let sides = [start, start - 1].into_iter().filter(|offset| *offset >= self.log_start_offset);
            for offset in sides {
                let Some(header) = self.header_at(offset)? else { continue };
                if offset == start && header.base_offset < start && start > self.log_start_offset {
                    return Ok(false); // Epochs begin with batches.
                }
                let told = self.epochs.epoch_for_offset(header.base_offset.max(self.log_start_offset));
                if told != Some(header.partition_leader_epoch) && header.partition_leader_epoch != OLD_FORMAT
                {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Header of the first batch that ends at `offset` or behind it; None when there is none, or it is damaged.
    fn header_at(&self, offset: Offset) -> Result<Option<BatchHeader>, LogError> {
        let first = self.segment_index(offset).unwrap_or(0);
        for segment in &self.segments[first..] {
            match segment.find(&self.place, offset) {
                Ok(None) => {}
                Ok(Some((_, header))) => return Ok(Some(header)),
                Err(LogError::Corrupt { .. }) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Compares the leader epochs that the file tells with the batches, and takes what is right.
    pub(crate) fn settle_leader_epochs(
        &mut self,
        read: Option<&LeaderEpochs>,
        clean: bool,
    ) -> Result<(), LogError> {
        // A crash may also have left the file empty.
        let told = read.filter(|read| read.latest().is_some());
        if self.size() == 0 || (told.is_some() && self.leader_epochs_agree()?) {
            // Recovery may have found newer ones in the batches.
            return if read == Some(&self.epochs) { Ok(()) } else { self.write_leader_epochs() };
        }
        let (found, consistent) = self.leader_epochs_of_batches()?;
        let mended = match told {
            // After a clean stop one of the two has a flipped bit; if not the file, then a batch.
            Some(_) if clean => consistent && self.epochs_file_has_flipped(&found)?,
            Some(_) => consistent,
            None => true,
        };
        if mended {
            log::warn!("{}: the leader epochs are taken from the batches", self.place.dir.display());
            self.epochs = found;
            self.write_leader_epochs()?;
        }
        Ok(())
    }

    /// Whether the file of the leader epochs is one bit away from what it would be for these.
    fn epochs_file_has_flipped(&self, epochs: &LeaderEpochs) -> Result<bool, LogError> {
        let path = self.place.dir.join(LEADER_EPOCHS);
        let (file, right) =
            (self.place.disk().read(&path).at("read", &path)?, checkpoints::format_epochs(epochs));
        let bits = file.iter().zip(right.bytes()).map(|(file, right)| (file ^ right).count_ones());
        Ok(file.len() == right.len() && bits.sum::<u32>() == 1)
    }

    /// The leader epochs as the batches say them, and whether they could all be read and none is older than one
    /// before it.
    fn leader_epochs_of_batches(&self) -> Result<(LeaderEpochs, bool), LogError> {
        let (mut epochs, mut consistent, mut next_offset) = (LeaderEpochs::default(), true, 0);
        for segment in self.segments.iter().filter(|segment| segment.size > 0) {
            let mut scan = segment.scan(&self.place, 0)?;
            loop {
                let header = match scan.next_header() {
                    Ok(Some((_, header))) => header,
                    Ok(None) => break,
                    Err(ScanError::Batch(_)) => {
                        consistent = false;
                        break;
                    }
                    Err(error) => return Err(segment.scan_error(&self.place, scan.position(), error)),
                };
                let epoch = header.partition_leader_epoch;
                let older = epoch < OLD_FORMAT || epochs.latest().is_some_and(|latest| epoch < latest.epoch);
                if older || header.base_offset < next_offset {
                    consistent = false;
                } else {
                    epochs.assign(epoch, header.base_offset);
                }
                next_offset = header.next_offset();
            }
        }
        Ok((epochs, consistent))
    }
}

/// Reads the leader epochs; None when the file is damaged: the batches themselves say their epochs.
pub(crate) fn read_epochs(place: &Place) -> Result<Option<LeaderEpochs>, LogError> {
    match checkpoints::read_epochs(place.disk(), &place.dir.join(LEADER_EPOCHS)) {
        Err(error @ LogError::Corrupt { .. }) => {
            log::warn!("{error}; the leader epochs are taken from the batches");
            Ok(None)
        }
        epochs => epochs.map(Some),
    }
}
