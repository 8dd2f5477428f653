//! What a run found, by name.

use std::fmt::Write;

/// Named numbers in the order in which they were added.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<(String, f64)>);

impl Figures {
    /// Adds one.
    pub(crate) fn add(&mut self, name: &str, value: f64) {
        self.0.push((name.to_owned(), value));
    }

    /// Adds quantiles of `microseconds` as milliseconds, with `prefix` before each name; nothing when empty.
    pub(crate) fn add_quantiles(&mut self, prefix: &str, mut microseconds: Vec<u32>) {
        microseconds.sort_unstable();
        let Some(last) = microseconds.len().checked_sub(1) else { return };
        for (name, quantile) in [("p50", 0.5), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)] {
            let place = ((microseconds.len() as f64 * quantile) as usize).min(last);
            self.add(&format!("{prefix}_{name}_ms"), f64::from(microseconds[place]) / 1000.0);
        }
    }

    /// One line of JSON.
    pub(crate) fn to_json(&self) -> String {
        let mut text = String::from("{");
        for (index, (name, value)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            // A division by nothing is no number, and JSON knows none of its kind.
            let value = if value.is_finite() { *value } else { 0.0 };
            // Writing to a String can't fail.
            let _ = write!(text, "{comma}\"{name}\": {value}");
        }
        text.push('}');
        text
    }
}

/// Processor seconds that this process has taken so far.
pub(crate) fn cpu_seconds() -> f64 {
    // SAFETY: all zeros is a valid rusage, which the call then fills.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_milliseconds_and_json_is_flat() {
        let mut figures = Figures::default();
        figures.add_quantiles("ack", (1..=1000).map(|n| n * 1000).collect());
        figures.add("none", f64::NAN);
        let text =
            r#"{"ack_p50_ms": 501, "ack_p99_ms": 991, "ack_p999_ms": 1000, "ack_max_ms": 1000, "none": 0}"#;
        assert_eq!(figures.to_json(), text);
    }
}
