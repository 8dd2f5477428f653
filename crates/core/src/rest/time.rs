//! Times as API v3 has them: RFC 3339, and milliseconds since the Unix epoch.

use crate::json::Reader;

/// The end of the year 9999.
const MILLISECONDS_MAX: i64 = 253_402_300_799_999;
const DAY_MS: i64 = 86_400_000;

/// The time of a record, if the request has one: a number, or a text as UTC is mostly written. None where it is
/// something else.
pub(super) fn timestamp(reader: &mut Reader<'_>) -> Option<Option<i64>> {
    if reader.word("null").is_some() {
        return Some(None);
    }
    let mut digits = Vec::new();
    let found = match reader.clone().number(&mut digits) {
        Some(()) => {
            reader.skip()?;
            std::str::from_utf8(&digits).ok()?.parse().ok()?
        }
        None => milliseconds(reader.raw_string()?.0)?,
    };
    (0..=MILLISECONDS_MAX).contains(&found).then_some(Some(found))
}

/// A text as `2021-02-05T19:14:42Z`, with no digits of seconds behind a point, three or six.
fn milliseconds(text: &str) -> Option<i64> {
    let (moment, fraction) = text.strip_suffix('Z')?.split_at_checked("2021-02-05T19:14:42".len())?;
    let fraction = match fraction.len() {
        0 => 0,
        4 | 7 => number(fraction.strip_prefix('.')?)? / if fraction.len() == 7 { 1000 } else { 1 },
        _ => return None,
    };
    let signs = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    signs.into_iter().all(|(at, sign)| moment.as_bytes()[at] == sign).then_some(())?;
    let part = |begin: usize, end: usize| number(moment.get(begin..end)?);
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
    let days = days(year, month, day);
    let is_time = year >= 1970 && hour < 24 && minute < 60 && second < 60;
    // A date that is none comes back as another.
    (is_time && date(days) == (year, month, day)).then_some(())?;
    Some(days * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + fraction)
}

fn number(digits: &str) -> Option<i64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Milliseconds since the Unix epoch as RFC 3339 has them, without a fraction where it is none.
pub(super) struct IsoTime(pub(super) i64);

impl std::fmt::Display for IsoTime {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let milliseconds = self.0.clamp(0, MILLISECONDS_MAX);
        let (days, rest) = (milliseconds / DAY_MS, milliseconds % DAY_MS);
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

/// The day since the Unix epoch with this date, which must not be before it: [`date`] the other way round.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month_from_march) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
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

    #[test]
    fn times_are_read_as_python_reads_them() {
        for (text, milliseconds) in [
            (r#""1970-01-01T00:00:00Z""#, Some(0)),
            (r#""2000-02-29T00:00:00.001Z""#, Some(951_782_400_001)),
            (r#""2026-11-22T01:50:45.120999Z""#, Some(1_795_312_245_120)),
            (r#""9999-12-31T23:59:59.999Z""#, Some(MILLISECONDS_MAX)),
            ("1795312245120", Some(1_795_312_245_120)),
            ("253402300800000", None),
            ("1.0", None),
            ("-1", None),
            ("true", None),
            (r#""1969-12-31T23:59:59Z""#, None),
            (r#""2026-02-29T00:00:00Z""#, None),
            (r#""2026-00-01T00:00:00Z""#, None),
            (r#""2026-13-01T00:00:00Z""#, None),
            (r#""2026-01-00T00:00:00Z""#, None),
            (r#""2026-01-01T24:00:00Z""#, None),
            (r#""2026-01-01T00:00:60Z""#, None),
            (r#""2026-01-01 00:00:00Z""#, None),
            (r#""2026-01-01T00:00:00""#, None),
            (r#""2026-01-01T00:00:00.12Z""#, None),
            (r#""2026-01-01T00:00:00+00:00""#, None),
            (r#""2026-01-01T00:00:+1Z""#, None),
            (r#""2026é1-01T00:00:00Z""#, None),
        ] {
            assert_eq!(timestamp(&mut Reader::new(text)), milliseconds.map(Some), "{text}");
        }
        assert_eq!(timestamp(&mut Reader::new("null")), Some(None));
    }

    #[test]
    fn every_day_is_found_by_its_date() {
        for day in 0..=MILLISECONDS_MAX / DAY_MS {
            let (year, month, day_of_month) = date(day);
            assert_eq!(days(year, month, day_of_month), day);
        }
    }
}
