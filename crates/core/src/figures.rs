//! What only Python knows and `/metrics` shows: asked for when somebody asks, and as it was told last when
//! Python takes its time.

use std::time::Duration;

use barnabas_metrics::{Exposition, Kind};
use parking_lot::{Condvar, Mutex};

use crate::inbox::{Event, Inbox};

/// How long a page waits for Python.
const WAIT_MAX: Duration = Duration::from_millis(200);
const HELP: &str = "What coordinators know, as Kafka's bean has it.";

/// Family, label names and values, value.
pub(crate) type Figure = (String, Vec<(String, String)>, f64);

#[derive(Debug, Default)]
pub(crate) struct Figures {
    state: Mutex<State>,
    told: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Python has been asked and has not told yet: it is asked once, however many ask here.
    asked: bool,
    figures: Vec<Figure>,
}

impl Figures {
    /// Python tells.
    pub(crate) fn tell(&self, figures: Vec<Figure>) {
        *self.state.lock() = State { asked: false, figures };
        self.told.notify_all();
    }

    /// Adds them, asked for anew.
    pub(crate) fn expose(&self, inbox: &Inbox, to: &mut Exposition) {
        let mut state = self.state.lock();
        if !std::mem::replace(&mut state.asked, true) {
            inbox.tell(Event::FiguresWanted);
        }
        self.told.wait_while_for(&mut state, |state| state.asked, WAIT_MAX);
        for (family, labels, value) in &state.figures {
            let labels: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (&**name, &**value)).collect();
            to.sample(family, Kind::Gauge, HELP, &labels, *value);
        }
    }
}
