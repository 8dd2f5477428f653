//! Segments whose offsets go beyond `i32` of their base offset. Old releases of Apache Kafka could write such
//! by compaction; nothing in them can be indexed. As Kafka does, they are split where the log is opened.
//!
//! A split makes the new segment's file, gives it its name, and cuts the old one, each durable before the
//! next begins. A crash in between leaves batches in both: those of the old segment are cut, because the new
//! one has them.

use barnabas_disk::Open;
use barnabas_protocol::{Millis, Offset};

use crate::batch_scan::ScanError;
use crate::error::{At, LogError};
use crate::log::Log;
use crate::place::{CLEANED_LOG, LOG};
use crate::segment::Segment;

/// Bytes that are copied at once.
const COPY_BYTES: usize = 1 << 20;

impl Log {
    /// The first segment with an offset that it can't hold. `end` is where the log ends, if that is known.
    /// Reads only segments that can be such.
    pub(crate) fn first_overflowing(&self, end: Option<Offset>) -> Result<Option<usize>, LogError> {
        for (index, segment) in self.segments.iter().enumerate() {
            let end = self.segments.get(index + 1).map(|next| next.base_offset).or(end);
            let suspicious = segment.size > 0 && end.is_some_and(|end| !segment.can_hold(end - 1));
            if suspicious && self.overflows(segment)? {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    fn overflows(&self, segment: &Segment) -> Result<bool, LogError> {
        let mut scan = segment.scan(&self.place, 0)?;
        loop {
            let position = scan.position();
            match scan.next_header() {
                Ok(Some((_, header))) if !segment.can_hold(header.last_offset()) => return Ok(true),
                Ok(Some(_)) => {}
                Ok(None) | Err(ScanError::Batch(_)) => return Ok(false),
                Err(error) => return Err(segment.scan_error(&self.place, position, error)),
            }
        }
    }

    /// Moves what a segment holds from `position` on, where the batch with `base_offset` begins, to a segment
    /// of its own. The old one is being recovered and complete up to there; `length` is that of its file.
    pub(crate) fn split_off(
        &mut self,
        index: usize,
        (position, length): (u64, u64),
        base_offset: Offset,
        now: Millis,
    ) -> Result<(), LogError> {
        let (place, segment) = (&self.place, &self.segments[index]);
        let path = segment.path(place);
        let has_it = self.segments.get(index + 1).is_some_and(|next| next.base_offset <= base_offset);
        log::warn!("{}: offset {base_offset} is too far from its base; splitting it there", path.display());
        if !has_it {
            let cleaned = place.path(base_offset, CLEANED_LOG);
            place.remove(&cleaned)?;
            let (from, to) = (segment.file(place)?, place.disk().open(&cleaned, Open::CreateNew));
            let to = to.at("create", &cleaned)?;
            let mut buffer = vec![0; COPY_BYTES];
            let mut copied = 0;
            while position + copied < length {
                let count = COPY_BYTES.min((length - position - copied) as usize);
                from.read_exact_at(&mut buffer[..count], position + copied).at("read", &path)?;
                to.write_all_at(&buffer[..count], copied).at("write", &cleaned)?;
                copied += count as u64;
            }
            to.sync_data().at("sync", &cleaned)?;
            place.rename(&cleaned, &place.path(base_offset, LOG))?;
            place.disk().sync_dir(&place.dir).at("sync", &place.dir)?;
            self.segments.insert(index + 1, Segment::existing(base_offset, copied, now));
        }
        let (place, segment) = (&self.place, &mut self.segments[index]);
        segment.cut(place, position, now)?;
        segment.file(place)?.sync_data().at("sync", &path)
    }
}
