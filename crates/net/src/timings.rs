//! Where the time of requests goes.
//!
//! A request is received, waits for its turn (queue), is handled, may wait for others or for Python (waiting), is
//! answered and sent. The clock is read once when a request was handled and once when responses were sent: what
//! ends one request begins the next.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use barnabas_protocol::api::ApiKey;

use crate::metrics::ReactorMetrics;
use crate::service::Peer;

/// APIs whose clients ask to be kept waiting: Fetch, JoinGroup, SyncGroup, ShareFetch. Their waiting is not slow.
const WAITS_BY_DESIGN: [i16; 4] = [1, 11, 14, 78];
/// Lines about slow requests that a reactor writes in a second; more are counted.
const LINES_PER_SECOND: u32 = 10;

/// One request's moments, on the reactor's clock.
#[derive(Debug, Clone, Copy)]
struct Moments {
    api_key: i16,
    api_version: i16,
    bytes: usize,
    received: Duration,
    began: Duration,
    handled: Duration,
    answered: Duration,
}

/// The moments of one connection's requests.
#[derive(Debug, Default)]
pub(crate) struct Timings {
    in_hand: Option<Moments>,
    /// Whether the request in hand is counted among those that wait.
    waits: bool,
    /// Answered, and not wholly sent.
    unsent: Vec<Moments>,
}

impl Timings {
    /// A request goes to the service.
    pub(crate) fn begin(&mut self, key: (i16, i16), bytes: usize, received: Duration, now: Duration) {
        let (api_key, api_version) = key;
        let (began, handled, answered) = (now, now, now);
        self.in_hand = Some(Moments { api_key, api_version, bytes, received, began, handled, answered });
    }

    /// The service has returned.
    pub(crate) fn handled(&mut self, now: Duration) {
        if let Some(moments) = &mut self.in_hand {
            moments.handled = now;
        }
    }

    /// The request in hand waits for somebody else.
    pub(crate) fn wait(&mut self, metrics: &ReactorMetrics) {
        if let Some(moments) = self.in_hand.filter(|_| !self.waits) {
            self.waits = true;
            metrics.api(moments.api_key, |api| api.waits_begun.add(1));
        }
    }

    /// The request in hand is answered; its response is still to be sent.
    pub(crate) fn answer(&mut self, now: Duration, metrics: &ReactorMetrics) {
        self.end_wait(metrics);
        if let Some(moments) = self.in_hand.take() {
            self.unsent.push(Moments { answered: now, ..moments });
        }
    }

    /// Whether responses are under way.
    pub(crate) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// All responses were sent.
    pub(crate) fn sent(&mut self, now: Duration, metrics: &ReactorMetrics, slow: &mut SlowLog, who: Who<'_>) {
        for moments in self.unsent.drain(..) {
            moments.note(now, metrics, slow, who);
        }
    }

    /// The connection is gone.
    pub(crate) fn close(&mut self, metrics: &ReactorMetrics) {
        self.end_wait(metrics);
        self.in_hand = None;
    }

    fn end_wait(&mut self, metrics: &ReactorMetrics) {
        if let Some(moments) = self.in_hand.filter(|_| std::mem::take(&mut self.waits)) {
            metrics.api(moments.api_key, |api| api.waits_ended.add(1));
        }
    }
}

/// Who has asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Who<'a> {
    pub(crate) peer: &'a Peer,
    pub(crate) client_id: Option<&'a str>,
}

impl Moments {
    fn note(&self, sent: Duration, metrics: &ReactorMetrics, slow: &mut SlowLog, who: Who<'_>) {
        let micros = |to: Duration, from: Duration| to.saturating_sub(from).as_micros() as u64;
        let total = micros(sent, self.received);
        let waiting = micros(self.answered, self.handled);
        let counted =
            if WAITS_BY_DESIGN.contains(&self.api_key) { total - waiting.min(total) } else { total };
        let is_slow = slow.limit.is_reached_by(counted);
        let parts = Parts {
            queue: micros(self.began, self.received),
            handling: micros(self.handled, self.began),
            waiting,
            sending: micros(sent, self.answered),
        };
        metrics.api(self.api_key, |api| {
            api.total.record(total);
            api.local.record(parts.handling);
            // Zeros are the rule here: readers know how many there were.
            for (histogram, part) in
                [(&api.queue, parts.queue), (&api.remote, parts.waiting), (&api.send, parts.sending)]
            {
                if part > 0 {
                    histogram.record(part);
                }
            }
            api.bytes.record(self.bytes as u64);
            api.slow.add(u64::from(is_slow));
        });
        if is_slow {
            slow.write(self, total, &parts, sent, who);
        }
    }
}

/// Microseconds of one request.
#[derive(Debug)]
struct Parts {
    queue: u64,
    handling: u64,
    waiting: u64,
    sending: u64,
}

/// How long a request takes that is slow: read by all reactors, and hardly ever written.
#[derive(Debug)]
pub(crate) struct SlowLimit(AtomicU64);

impl SlowLimit {
    pub(crate) fn new(limit: Option<Duration>) -> SlowLimit {
        let made = SlowLimit(AtomicU64::new(u64::MAX));
        made.set(limit);
        made
    }

    /// From now on; None: nothing is slow.
    pub(crate) fn set(&self, limit: Option<Duration>) {
        self.0.store(limit.map_or(u64::MAX, |limit| limit.as_micros() as u64), Ordering::Relaxed);
    }

    fn is_reached_by(&self, micros: u64) -> bool {
        micros >= self.0.load(Ordering::Relaxed)
    }
}

/// Writes a line about each slow request, as long as there are not too many.
#[derive(Debug)]
pub(crate) struct SlowLog {
    limit: Arc<SlowLimit>,
    second: Duration,
    lines: u32,
    left_out: u64,
}

impl SlowLog {
    pub(crate) fn new(limit: Arc<SlowLimit>) -> SlowLog {
        SlowLog { limit, second: Duration::ZERO, lines: 0, left_out: 0 }
    }

    fn write(&mut self, moments: &Moments, total: u64, parts: &Parts, now: Duration, who: Who<'_>) {
        if now.saturating_sub(self.second) >= Duration::from_secs(1) {
            (self.second, self.lines) = (now, 0);
        }
        self.lines += 1;
        if self.lines > LINES_PER_SECOND {
            self.left_out += 1;
            return;
        }
        let left_out = match std::mem::take(&mut self.left_out) {
            0 => String::new(),
            count => format!(" ({count} slow requests before this one have no line)"),
        };
        let name = ApiKey::from_code(moments.api_key).map_or("a request of an unknown API", ApiKey::name);
        let millis = |micros: u64| micros as f64 / 1000.0;
        log::warn!(
            "slow request: {name} version {} of {} (client id {:?}, {} bytes) took {:.1} ms: queue {:.1}, \
             handling {:.1}, waiting {:.1}, sending {:.1}{left_out}",
            moments.api_version,
            who.peer.address,
            who.client_id.unwrap_or_default(),
            moments.bytes,
            millis(total),
            millis(parts.queue),
            millis(parts.handling),
            millis(parts.waiting),
            millis(parts.sending),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{ApiTotals, NetworkMetrics};

    const FETCH: i16 = 1;
    const PRODUCE: i16 = 0;

    struct Rig {
        metrics: Arc<ReactorMetrics>,
        slow: SlowLog,
        timings: Timings,
        peer: Peer,
    }

    fn rig(slow_ms: u64) -> Rig {
        let address = ([127, 0, 0, 1], 9).into();
        Rig {
            metrics: Arc::default(),
            slow: SlowLog::new(Arc::new(SlowLimit::new(Some(Duration::from_millis(slow_ms))))),
            timings: Timings::default(),
            peer: Peer { connection: 1, number: 1, listener: "PLAINTEXT".into(), address, local: address },
        }
    }

    impl Rig {
        /// A request that is received at 0 and handled, parked, answered and sent at these milliseconds.
        fn request(&mut self, api_key: i16, began: u64, handled: u64, answered: u64, sent: u64) {
            let ms = Duration::from_millis;
            self.timings.begin((api_key, 9), 100, ms(0), ms(began));
            self.timings.handled(ms(handled));
            if answered > handled {
                self.timings.wait(&self.metrics);
            }
            self.timings.answer(ms(answered), &self.metrics);
            assert!(self.timings.has_unsent());
            let who = Who { peer: &self.peer, client_id: None };
            self.timings.sent(ms(sent), &self.metrics, &mut self.slow, who);
            assert!(!self.timings.has_unsent());
        }

        fn totals(&self, api_key: i16) -> ApiTotals {
            let all = NetworkMetrics { reactors: vec![self.metrics.clone()], acceptor: Arc::default() };
            all.apis().into_iter().find(|(key, _)| *key == api_key).unwrap().1
        }
    }

    #[test]
    fn time_is_told_apart() {
        let mut rig = rig(1_000);
        rig.request(PRODUCE, 1, 3, 10, 14);
        let totals = rig.totals(PRODUCE);
        let sums =
            [&totals.total, &totals.queue, &totals.local, &totals.remote, &totals.send].map(|one| one.sum());
        assert_eq!(sums, [14_000, 1_000, 2_000, 7_000, 4_000]);
        assert_eq!((totals.bytes.sum(), totals.waiting, totals.slow), (100, 0, 0));
    }

    #[test]
    fn zeros_that_nobody_recorded_count_in_the_sums() {
        let mut rig = rig(1_000);
        rig.request(PRODUCE, 0, 2, 2, 2);
        rig.request(PRODUCE, 5, 6, 6, 6);
        let totals = rig.totals(PRODUCE);
        assert_eq!((totals.queue.count(), totals.queue.sum()), (2, 5_000));
        assert_eq!((totals.remote.count(), totals.remote.sum()), (2, 0));
    }

    #[test]
    fn what_a_client_wants_to_wait_for_is_not_slow() {
        let mut rig = rig(100);
        rig.request(FETCH, 0, 1, 500, 501);
        assert_eq!(rig.totals(FETCH).slow, 0);
        rig.request(FETCH, 0, 100, 500, 501);
        rig.request(PRODUCE, 0, 1, 99, 100);
        rig.request(PRODUCE, 0, 1, 99, 99);
        assert_eq!((rig.totals(FETCH).slow, rig.totals(PRODUCE).slow), (1, 1));
    }

    #[test]
    fn who_waits_when_the_connection_closes_waits_no_more() {
        let mut rig = rig(100);
        rig.timings.begin((FETCH, 9), 1, Duration::ZERO, Duration::ZERO);
        rig.timings.wait(&rig.metrics);
        rig.timings.wait(&rig.metrics);
        assert_eq!(rig.totals(FETCH).waiting, 1);
        rig.timings.close(&rig.metrics);
        assert_eq!(rig.totals(FETCH).waiting, 0);
    }

    #[test]
    fn lines_are_few_however_many_requests_are_slow() {
        let mut rig = rig(1);
        for _ in 0..50 {
            rig.request(PRODUCE, 0, 5, 5, 5_000);
        }
        assert_eq!((rig.slow.lines, rig.slow.left_out), (50, 40));
        rig.request(PRODUCE, 0, 5, 5, 6_001);
        assert_eq!((rig.slow.lines, rig.slow.left_out), (1, 0));
    }
}
