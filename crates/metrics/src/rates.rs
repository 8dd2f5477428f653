//! How fast counters run, known only from looking at them now and then: nobody ticks while nobody looks.

use std::collections::HashMap;

use crate::distribution::Distribution;

/// Seconds on a clock that never goes back.
pub type Moment = f64;

/// Rates of one counter, per second.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Speed {
    /// Since it was seen first.
    pub mean: f64,
    /// The last minute's, older ones counting less and less: an exponentially weighted mean, as Kafka's meters.
    pub one_minute: f64,
    /// The same over five minutes.
    pub five_minutes: f64,
    /// The same over fifteen minutes.
    pub fifteen_minutes: f64,
}

#[derive(Debug)]
struct Meter {
    began: Moment,
    begun_with: u64,
    at: Moment,
    count: u64,
    speed: Speed,
    seen: bool,
}

/// The counters that were looked at last time.
#[derive(Debug)]
pub struct Rates {
    start: Moment,
    meters: HashMap<String, Meter>,
}

impl Rates {
    /// Counters that are seen later are taken to have been 0 at `start`.
    pub fn new(start: Moment) -> Rates {
        Rates { start, meters: HashMap::new() }
    }

    /// The rates of the counter `name`, which is at `count` now.
    pub fn look(&mut self, name: &str, count: u64, now: Moment) -> Speed {
        let began = self.start;
        let fresh =
            || Meter { began, begun_with: 0, at: began, count: 0, speed: Speed::default(), seen: true };
        self.meters.entry(name.to_owned()).or_insert_with(fresh).look(count, now)
    }

    /// Forgets counters that nobody has looked at since the last call: theirs are gone.
    pub fn forget_unseen(&mut self) {
        self.meters.retain(|_, meter| std::mem::take(&mut meter.seen));
    }
}

impl Meter {
    fn look(&mut self, count: u64, now: Moment) -> Speed {
        self.seen = true;
        if count < self.count {
            // A counter of this name began anew.
            (self.began, self.begun_with, self.count) = (self.at, 0, 0);
        }
        let elapsed = now - self.at;
        if elapsed > 0.0 {
            let rate = (count - self.count) as f64 / elapsed;
            let approach =
                |old: f64, minutes: f64| old + (rate - old) * (1.0 - (-elapsed / (60.0 * minutes)).exp());
            self.speed = Speed {
                mean: (count - self.begun_with) as f64 / (now - self.began),
                one_minute: approach(self.speed.one_minute, 1.0),
                five_minutes: approach(self.speed.five_minutes, 5.0),
                fifteen_minutes: approach(self.speed.fifteen_minutes, 15.0),
            };
            (self.at, self.count) = (now, count);
        }
        self.speed
    }
}

/// The least that a window of recent sizes spans, in seconds, when somebody looks often enough.
const WINDOW_SECONDS: f64 = 60.0;

#[derive(Debug)]
struct Window {
    older: Distribution,
    newer: Distribution,
    turned: Moment,
    seen: bool,
}

/// The recent part of histograms: what came in the last one to two minutes, or since somebody looked last.
#[derive(Debug, Default)]
pub struct Windows(HashMap<String, Window>);

impl Windows {
    /// The recent part of the histogram `name`, which has counted `all` by now.
    pub fn look(&mut self, name: &str, all: &Distribution, now: Moment) -> Distribution {
        let nothing = Distribution::default;
        let fresh = || Window { older: nothing(), newer: nothing(), turned: now, seen: true };
        let window = self.0.entry(name.to_owned()).or_insert_with(fresh);
        window.seen = true;
        let recent = all.since(&window.older);
        if now - window.turned >= WINDOW_SECONDS {
            window.older = std::mem::replace(&mut window.newer, all.clone());
            window.turned = now;
        }
        recent
    }

    /// Forgets histograms that nobody has looked at since the last call.
    pub fn forget_unseen(&mut self) {
        self.0.retain(|_, window| std::mem::take(&mut window.seen));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::Histogram;

    #[test]
    fn steady_counter_has_its_rate_in_all_windows_after_a_while() {
        let mut rates = Rates::new(0.0);
        for minute in 1..=120 {
            rates.look("steady", minute * 600, minute as f64 * 60.0);
        }
        let speed = rates.look("steady", 72_000, 7_200.0);
        for rate in [speed.mean, speed.one_minute, speed.five_minutes, speed.fifteen_minutes] {
            assert!((rate - 10.0).abs() < 0.01, "{speed:?}");
        }
    }

    #[test]
    fn how_often_somebody_looks_makes_no_difference() {
        let (mut often, mut once) = (Rates::new(0.0), Rates::new(0.0));
        for second in 1..=60 {
            often.look("a", second * 5, second as f64);
        }
        let (often, once) = (often.look("a", 300, 60.0), once.look("a", 300, 60.0));
        assert!((often.one_minute - once.one_minute).abs() < 1e-9);
        assert!((once.one_minute - 5.0 * (1.0 - (-1.0_f64).exp())).abs() < 1e-9);
    }

    #[test]
    fn counter_that_begins_anew_is_never_negative() {
        let mut rates = Rates::new(0.0);
        rates.look("a", 100, 1.0);
        let speed = rates.look("a", 10, 2.0);
        assert!(speed.one_minute > 0.0 && speed.mean == 10.0, "{speed:?}");
    }

    #[test]
    fn counters_that_are_gone_are_forgotten() {
        let mut rates = Rates::new(0.0);
        rates.look("a", 1, 1.0);
        rates.forget_unseen();
        rates.look("b", 1, 2.0);
        rates.forget_unseen();
        assert_eq!(rates.meters.keys().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn window_forgets_what_is_two_minutes_old() {
        let (histogram, mut windows) = (Histogram::default(), Windows::default());
        histogram.record(1_000);
        let mut counts = Vec::new();
        for minute in 0..4 {
            let now = f64::from(minute) * 60.0;
            counts.push(windows.look("a", &histogram.distribution(), now).count());
        }
        assert_eq!(counts, [1, 1, 1, 0]);
    }
}
