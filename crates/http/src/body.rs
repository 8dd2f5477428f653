//! Bodies of requests: read whole, within bounds of size, time and memory.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use crate::refusal::Refusal;
use crate::settings::HttpSettings;

/// Bytes that all bodies together may take.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicUsize,
    bytes_max: usize,
}

impl Budget {
    pub(crate) fn new(bytes_max: usize) -> Arc<Budget> {
        Arc::new(Budget { used: AtomicUsize::new(0), bytes_max })
    }

    /// A charge of nothing, to grow with a body.
    pub(crate) fn charge(self: &Arc<Self>) -> Charge {
        Charge { budget: self.clone(), bytes: 0 }
    }
}

/// What one body takes of the budget; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Charge {
    /// Gives some of it back.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.budget.used.fetch_sub(bytes, Ordering::Relaxed);
        self.bytes -= bytes;
    }

    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        let before = self.budget.used.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        if before + bytes > self.budget.bytes_max {
            return Err(Refusal::Busy);
        }
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Bytes of a refused body that are read and thrown away: a client that is cut off while it sends may never see
/// why it was refused.
const DISCARDED_MAX: usize = 64 * 1024 * 1024;
/// Silence after which no more of a refused body is waited for.
const DISCARD_SILENCE_MAX: Duration = Duration::from_millis(500);

/// The whole body. `asks_first`: the client sends it only when it is asked for (`Expect: 100-continue`).
pub(crate) async fn read(
    mut body: Incoming,
    asks_first: bool,
    settings: &HttpSettings,
    charge: &mut Charge,
) -> Result<Bytes, Refusal> {
    let limit = settings.body_bytes_max;
    let seconds = settings.body_time_max.as_secs();
    // A length that is said to be too much costs nothing; one that is small enough may be a lie.
    let read = match body.size_hint().lower() > limit as u64 {
        true => Err(Refusal::BodyTooLarge { limit }),
        false => {
            match tokio::time::timeout(settings.body_time_max, collect(&mut body, limit, charge)).await {
                Ok(collected) => collected,
                Err(_) => Err(Refusal::BodyTooSlow { seconds }),
            }
        }
    };
    if matches!(read, Err(Refusal::BodyTooLarge { .. } | Refusal::Busy)) && !asks_first {
        discard(&mut body).await;
    }
    read
}

async fn collect(body: &mut Incoming, limit: usize, charge: &mut Charge) -> Result<Bytes, Refusal> {
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Refusal::BodyBroken)?.into_data() else { continue };
        if first.len().max(whole.len()) + data.len() > limit {
            return Err(Refusal::BodyTooLarge { limit });
        }
        charge.grow(data.len())?;
        // Most bodies come in one piece, which is taken as it is.
        if first.is_empty() && whole.is_empty() {
            first = data;
            continue;
        }
        whole.extend_from_slice(&std::mem::take(&mut first));
        whole.extend_from_slice(&data);
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

async fn discard(body: &mut Incoming) {
    let mut discarded = 0;
    while discarded < DISCARDED_MAX {
        match tokio::time::timeout(DISCARD_SILENCE_MAX, body.frame()).await {
            Ok(Some(Ok(frame))) => discarded += frame.data_ref().map_or(0, Bytes::len),
            _ => return,
        }
    }
}
