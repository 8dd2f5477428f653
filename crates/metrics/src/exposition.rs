//! The text format of Prometheus, version 0.0.4, with names as the JMX exporter's defaults give them.
//!
//! A bean `kafka.server:type=BrokerTopicMetrics,name=BytesInPerSec,topic=t` with an attribute `Count` becomes the
//! family `kafka_server_BrokerTopicMetrics_Count` with labels `name` and `topic`: so that dashboards and alerts
//! made for Apache Kafka behind that exporter go on working.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::distribution::Distribution;
use crate::rates::Speed;

/// Label names and values of one sample.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

/// What the samples of a family are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only goes up, while the process lives.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Cumulative buckets, a sum and a count.
    Histogram,
}

#[derive(Debug)]
struct Family {
    kind: Kind,
    help: &'static str,
    samples: String,
}

/// A scrape's text in the making.
#[derive(Debug, Default)]
pub struct Exposition {
    families: BTreeMap<String, Family>,
}

impl Exposition {
    /// Adds a sample; `help` counts when it is the family's first.
    pub fn sample(&mut self, family: &str, kind: Kind, help: &'static str, labels: Labels<'_>, value: f64) {
        let samples = self.family(family, kind, help);
        write_sample(samples, family, labels, value);
    }

    /// A gauge of one of Kafka's beans: `bean` is its domain and type with underscores.
    pub fn value(&mut self, bean: &str, labels: Labels<'_>, value: f64) {
        self.sample(&format!("{bean}_Value"), Kind::Gauge, "Gauges of Kafka's bean, by name.", labels, value);
    }

    /// A meter of one of Kafka's beans.
    pub fn meter(&mut self, bean: &str, labels: Labels<'_>, count: u64, speed: Speed) {
        self.sample(&format!("{bean}_Count"), Kind::Counter, COUNT, labels, count as f64);
        for (attribute, rate) in [
            ("MeanRate", speed.mean),
            ("OneMinuteRate", speed.one_minute),
            ("FiveMinuteRate", speed.five_minutes),
            ("FifteenMinuteRate", speed.fifteen_minutes),
        ] {
            let help = "Events per second of Kafka's bean, by name.";
            self.sample(&format!("{bean}_{attribute}"), Kind::Gauge, help, labels, rate);
        }
    }

    /// A histogram of one of Kafka's beans: how many there were in all, and the sizes of the `recent` ones times
    /// `scale`.
    pub fn histogram(
        &mut self,
        bean: &str,
        labels: Labels<'_>,
        count: u64,
        recent: &Distribution,
        scale: f64,
    ) {
        self.sample(&format!("{bean}_Count"), Kind::Counter, COUNT, labels, count as f64);
        self.sizes(bean, labels, recent, scale);
    }

    /// A histogram's `recent` sizes times `scale`: what one of Kafka's timers has besides its rates.
    pub fn sizes(&mut self, bean: &str, labels: Labels<'_>, recent: &Distribution, scale: f64) {
        for (attribute, size) in [
            ("Min", recent.min()),
            ("Max", recent.max()),
            ("Mean", recent.mean()),
            ("StdDev", recent.standard_deviation()),
            ("50thPercentile", recent.quantile(0.5)),
            ("75thPercentile", recent.quantile(0.75)),
            ("95thPercentile", recent.quantile(0.95)),
            ("98thPercentile", recent.quantile(0.98)),
            ("99thPercentile", recent.quantile(0.99)),
            ("999thPercentile", recent.quantile(0.999)),
        ] {
            let help = "Sizes of the last minutes in Kafka's bean, by name.";
            self.sample(&format!("{bean}_{attribute}"), Kind::Gauge, help, labels, size * scale);
        }
    }

    /// A histogram in Prometheus's own form: cumulative counts up to each of `bounds`, which are powers of two
    /// before they are multiplied by `scale`.
    pub fn buckets(
        &mut self,
        family: &str,
        help: &'static str,
        labels: Labels<'_>,
        all: &Distribution,
        bounds: &[u64],
        scale: f64,
    ) {
        let samples = self.family(family, Kind::Histogram, help);
        let name = format!("{family}_bucket");
        let mut write = |bound: &str, count: u64| {
            let labels: Vec<(&str, &str)> = labels.iter().copied().chain([("le", bound)]).collect();
            write_sample(samples, &name, &labels, count as f64);
        };
        for bound in bounds {
            write(&(*bound as f64 * scale).to_string(), all.below(*bound));
        }
        write("+Inf", all.count());
        write_sample(samples, &format!("{family}_sum"), labels, all.sum() as f64 * scale);
        write_sample(samples, &format!("{family}_count"), labels, all.count() as f64);
    }

    fn family(&mut self, family: &str, kind: Kind, help: &'static str) -> &mut String {
        let fresh = || Family { kind, help, samples: String::new() };
        &mut self.families.entry(family.to_owned()).or_insert_with(fresh).samples
    }

    /// Names of the families there are.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.families.keys().map(String::as_str)
    }

    /// The text.
    pub fn into_text(self) -> String {
        let size = self.families.values().map(|family| family.samples.len() + 160).sum();
        let mut text = String::with_capacity(size);
        for (name, Family { kind, help, samples }) in &self.families {
            let kind = match kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            // Writing to a String can't fail.
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{samples}");
        }
        text
    }
}

const COUNT: &str = "Events of Kafka's bean since the start, by name.";

fn write_sample(samples: &mut String, name: &str, labels: Labels<'_>, value: f64) {
    samples.push_str(name);
    for (index, (label, text)) in labels.iter().enumerate() {
        samples.push(if index == 0 { '{' } else { ',' });
        samples.push_str(label);
        samples.push_str("=\"");
        for character in text.chars() {
            match character {
                '\\' => samples.push_str("\\\\"),
                '"' => samples.push_str("\\\""),
                '\n' => samples.push_str("\\n"),
                other => samples.push(other),
            }
        }
        samples.push('"');
    }
    if !labels.is_empty() {
        samples.push('}');
    }
    // Writing to a String can't fail.
    let _ = writeln!(samples, " {value}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::Histogram;

    #[test]
    fn families_stand_together_whatever_the_order_of_samples() {
        let mut exposition = Exposition::default();
        exposition.value("kafka_server_ReplicaManager", &[("name", "LeaderCount")], 3.0);
        exposition.sample("barnabas_up", Kind::Gauge, "Whether it runs.", &[], 1.0);
        exposition.value("kafka_server_ReplicaManager", &[("name", "PartitionCount")], 4.5);
        let text = "# HELP barnabas_up Whether it runs.\n\
                    # TYPE barnabas_up gauge\n\
                    barnabas_up 1\n\
                    # HELP kafka_server_ReplicaManager_Value Gauges of Kafka's bean, by name.\n\
                    # TYPE kafka_server_ReplicaManager_Value gauge\n\
                    kafka_server_ReplicaManager_Value{name=\"LeaderCount\"} 3\n\
                    kafka_server_ReplicaManager_Value{name=\"PartitionCount\"} 4.5\n";
        assert_eq!(exposition.into_text(), text);
    }

    #[test]
    fn label_values_are_escaped() {
        let mut exposition = Exposition::default();
        exposition.sample("a", Kind::Gauge, "h", &[("x", "a\\b\"c\nd"), ("y", "é")], 0.0);
        assert!(exposition.into_text().ends_with("a{x=\"a\\\\b\\\"c\\nd\",y=\"é\"} 0\n"));
    }

    #[test]
    fn buckets_are_cumulative_and_end_with_all() {
        let histogram = Histogram::default();
        for size in [1, 100, 3_000, 5_000_000] {
            histogram.record(size);
        }
        let mut exposition = Exposition::default();
        let all = histogram.distribution();
        exposition.buckets("seconds", "h", &[("request", "Fetch")], &all, &[1 << 10, 1 << 20], 1e-6);
        let text = exposition.into_text();
        for line in [
            "seconds_bucket{request=\"Fetch\",le=\"0.001024\"} 2",
            "seconds_bucket{request=\"Fetch\",le=\"1.048576\"} 3",
            "seconds_bucket{request=\"Fetch\",le=\"+Inf\"} 4",
            "seconds_count{request=\"Fetch\"} 4",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
