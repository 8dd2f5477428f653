//! Rust's log lines on their way to Python's `logging`, which is one for the process as well.

use std::sync::{Arc, Once, Weak};

use parking_lot::Mutex;

use crate::inbox::{Event, Inbox};

/// Inboxes of the nodes in this process: a line goes to the first that is alive.
static INBOXES: Mutex<Vec<Weak<Inbox>>> = Mutex::new(Vec::new());
static ONCE: Once = Once::new();

struct Forward;

impl log::Log for Forward {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let inbox = INBOXES.lock().iter().find_map(Weak::upgrade);
        if let Some(inbox) = inbox {
            inbox.tell(Event::Log {
                level: record.level(),
                target: record.target().to_string(),
                message: record.args().to_string(),
            });
        }
    }

    fn flush(&self) {}
}

/// Sends lines to this inbox for as long as it lives.
pub(crate) fn forward_to(inbox: &Arc<Inbox>) {
    ONCE.call_once(|| {
        // Somebody else in the process may have set a logger: theirs stays.
        if log::set_logger(&Forward).is_ok() {
            log::set_max_level(log::LevelFilter::Info);
        }
    });
    let mut inboxes = INBOXES.lock();
    inboxes.retain(|inbox| inbox.strong_count() > 0);
    inboxes.push(Arc::downgrade(inbox));
}
