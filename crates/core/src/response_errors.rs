//! How often each error code stood in responses, by API: Kafka's ErrorsPerSec.
//!
//! Always true:
//!   while no more threads answer than the table has parts, none of them writes to what another one writes to
//!   a response is counted once, when it is given to the network; one that has none, when its connection is closed

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::OnceLock;

use barnabas_metrics::SharedCounter;
use barnabas_protocol::api::ApiKey;
use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::error_tally::ErrorTally;

/// API keys that are counted; Kafka's end below 100.
const API_KEYS: usize = 128;
/// Threads that count without contention: the reactors, by default three, and Python's.
const PARTS: usize = 8;

/// Threads that have counted.
static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Which part of every table this thread adds to.
    static PART: usize = THREADS.fetch_add(1, Ordering::Relaxed) % PARTS;
}

/// The counters of all APIs.
#[derive(Debug, Default)]
pub(crate) struct ResponseErrors([Part; PARTS]);

/// What some threads have counted; `repr(align)` keeps two parts off one cache line.
#[derive(Debug)]
#[repr(align(128))]
struct Part([OnceLock<Box<Codes>>; API_KEYS]);

/// The counters of one API, by [`ErrorCode::place`].
#[derive(Debug)]
struct Codes([SharedCounter; ErrorCode::COUNT]);

impl Default for Part {
    fn default() -> Part {
        Part([const { OnceLock::new() }; API_KEYS])
    }
}

impl Default for Codes {
    fn default() -> Codes {
        Codes([const { SharedCounter::new() }; ErrorCode::COUNT])
    }
}

impl ResponseErrors {
    /// Counts the codes of one response.
    pub(crate) fn note(&self, api_key: i16, errors: &ErrorTally) {
        let part = PART.with(|part| self.0.get(*part));
        let key = usize::try_from(api_key).ok();
        let Some(codes) = part.zip(key).and_then(|(part, key)| part.0.get(key)) else { return };
        let codes = codes.get_or_init(Box::default);
        for (code, count) in errors.counts() {
            if let Some(counter) = codes.0.get(code.place()) {
                counter.add(count);
            }
        }
    }

    /// The codes that responses of an API had, with how often.
    pub(crate) fn of(&self, api: ApiKey) -> Vec<(ErrorCode, u64)> {
        let key = usize::try_from(api.code()).unwrap_or(API_KEYS);
        let parts: Vec<&Codes> =
            self.0.iter().filter_map(|part| Some(part.0.get(key)?.get()?.as_ref())).collect();
        let sum = |code: ErrorCode| {
            parts.iter().filter_map(|codes| codes.0.get(code.place())).map(SharedCounter::get).sum()
        };
        ErrorCode::all().map(|code| (code, sum(code))).filter(|(_, count)| *count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(codes: &[i16]) -> ErrorTally {
        let mut tally = ErrorTally::default();
        codes.iter().for_each(|code| tally.note(*code));
        tally
    }

    #[test]
    fn what_many_threads_count_comes_together_by_api_and_code() {
        let errors = ResponseErrors::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * PARTS {
                scope.spawn(|| {
                    errors.note(ApiKey::Produce.code(), &tally(&[0, 0, 3]));
                    errors.note(ApiKey::Fetch.code(), &tally(&[-1]));
                });
            }
        });
        let threads = 2 * PARTS as u64;
        let produced = [(ErrorCode::NONE, 2 * threads), (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, threads)];
        assert_eq!(errors.of(ApiKey::Produce), produced);
        assert_eq!(errors.of(ApiKey::Fetch), [(ErrorCode::UNKNOWN_SERVER_ERROR, threads)]);
        assert!(errors.of(ApiKey::Metadata).is_empty());
        errors.note(i16::MIN, &tally(&[0]));
        errors.note(i16::MAX, &tally(&[0]));
    }
}
