//! Counters and histograms that cost nothing to write, and the text that Prometheus reads.
//!
//! Always true:
//!   a [`Counter`] and a [`Histogram`] have one writer at a time, so that writing takes no locked instruction;
//!   anybody may read them
//!   a histogram's size does not depend on what it counts
//!   the exposition names each family once, with all its samples together

mod counter;
mod distribution;
mod exposition;
mod histogram;
mod rates;

pub use counter::{Counter, SharedCounter};
pub use distribution::Distribution;
pub use exposition::{Exposition, Kind, Labels};
pub use histogram::Histogram;
pub use rates::{Moment, Rates, Speed, Windows};

/// Scale of what was counted in microseconds and is shown in milliseconds.
pub const MICROS_IN_MILLIS: f64 = 1e-3;
