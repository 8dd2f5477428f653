//! What is told of a record: the body of API v3, as Python writes it.

use std::fmt::Write;

use super::plain::{Part, PlainRecord};
use crate::clock;

/// Room for the end of a reply.
const TAIL_BYTES: usize = 160;

/// Where a record lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delivered {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// When it was appended, where the topic stamps records; else -1.
    pub(crate) timestamp: i64,
}

/// What the reply to a record says besides where it lies.
pub(crate) struct Told {
    /// When it was made, in milliseconds since the Unix epoch.
    pub(super) timestamp: i64,
    key: Option<Size>,
    value: Option<Size>,
}

/// The type and the size of a key or value; None is null.
type Size = Option<(&'static str, usize)>;

impl Told {
    /// Of a record that is made now.
    pub(super) fn now(record: &PlainRecord) -> Told {
        let size = |part: &Part| part.0.as_ref().map(|(kind, bytes)| (kind.name(), bytes.len()));
        let (key, value) = (record.key.as_ref().map(size), record.value.as_ref().map(size));
        Told { timestamp: clock::now(), key, value }
    }

    /// The reply, which begins with `head`.
    pub(super) fn body(&self, head: &str, delivered: Delivered) -> Vec<u8> {
        let Delivered { partition, offset, timestamp } = delivered;
        let time = IsoTime(if timestamp >= 0 { timestamp } else { self.timestamp });
        let mut text = String::with_capacity(head.len() + TAIL_BYTES);
        text.push_str(head);
        // Writing to a String can't fail.
        let _ = write!(text, "{partition},\"offset\":{offset},\"timestamp\":\"{time}\"");
        for (name, part) in [("key", &self.key), ("value", &self.value)] {
            let _ = match part {
                Some(Some((kind, size))) => {
                    write!(text, ",\"{name}\":{{\"type\":\"{kind}\",\"size\":{size}}}")
                }
                Some(None) => write!(text, ",\"{name}\":{{\"type\":null,\"size\":0}}"),
                None => Ok(()),
            };
        }
        text.push('}');
        text.into_bytes()
    }
}

/// Milliseconds since the Unix epoch as RFC 3339 has them, without a fraction where it is none.
struct IsoTime(i64);

impl std::fmt::Display for IsoTime {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        /// The end of the year 9999.
        const MILLISECONDS_MAX: i64 = 253_402_300_799_999;
        let milliseconds = self.0.clamp(0, MILLISECONDS_MAX);
        let (days, rest) = (milliseconds / 86_400_000, milliseconds % 86_400_000);
        let (year, month, day) = date(days);
        let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
        write!(formatter, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        match rest % 1000 {
            0 => formatter.write_str("Z"),
            fraction => write!(formatter, ".{fraction:03}Z"),
        }
    }
}

/// Year, month and day of a day since the Unix epoch, which must not be before it. Years begin with March here, so
/// that a leap day is the last of its year; 400 of them have 146,097 days.
fn date(days: i64) -> (i64, i64, i64) {
    let since_march_of_0 = days + 719_468;
    let (era, day_of_era) = (since_march_of_0 / 146_097, since_march_of_0 % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_python_tells_them() {
        for (milliseconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (951_868_800_001, "2000-03-01T00:00:00.001Z"),
            (1_795_312_245_120, "2026-11-22T01:50:45.120Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
            (i64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(IsoTime(milliseconds).to_string(), text);
        }
    }
}
