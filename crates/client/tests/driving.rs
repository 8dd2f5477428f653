//! Who drives a client: whoever waits is served, by the thread or by itself, and somebody always drives.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::{self, JoinHandle, ThreadId};
use std::time::Duration;

use barnabas_client::driver::{Clock, Driver, Machine};
use barnabas_client::driving::Driven;
use barnabas_client::link::Links;
use barnabas_protocol::{Millis, NodeId};
use parking_lot::{Condvar, Mutex};

mod support;

/// What a test waits at most for what has to come: a minute.
const SLICES: usize = 1_200;
const SLICE_MS: u64 = 50;

#[derive(Default)]
struct Desk {
    asked: Vec<u64>,
    /// By question: who drove when it was answered.
    answered: HashMap<u64, ThreadId>,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    desk: Mutex<Desk>,
    progress: Condvar,
}

/// Answers what it is asked when it has its turn.
struct Answerer {
    shared: Arc<Shared>,
    links: Links<()>,
}

impl Machine for Answerer {
    type Purpose = ();

    fn links(&mut self) -> &mut Links<()> {
        &mut self.links
    }

    fn received(&mut self, _node: NodeId, _bytes: &[u8], _now: Millis) {}

    fn turn(&mut self, _now: Millis) -> Option<Millis> {
        let mut desk = self.shared.desk.lock();
        let driver = thread::current().id();
        let asked = std::mem::take(&mut desk.asked);
        let any = !asked.is_empty();
        desk.answered.extend(asked.into_iter().map(|question| (question, driver)));
        let goes_on = !desk.closed;
        drop(desk);
        if any || !goes_on {
            self.shared.progress.notify_all();
        }
        goes_on.then_some(Millis::MAX)
    }
}

struct Client {
    shared: Arc<Shared>,
    driven: Arc<Driven<Answerer>>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    fn start() -> Client {
        let shared = Arc::new(Shared::default());
        let clock = Clock::start();
        let machine = Answerer { shared: shared.clone(), links: Links::new(support::link_config()) };
        let waiting = shared.clone();
        let relieved = move || {
            let _desk = waiting.desk.lock();
            waiting.progress.notify_all();
        };
        let driver = Driver::new(clock).unwrap();
        let driven = Arc::new(Driven::new(driver, machine, clock, Box::new(relieved)));
        let run = driven.clone();
        let thread = Some(thread::spawn(move || run.run()));
        Client { shared, driven, thread }
    }

    fn ask(&self, question: u64) {
        self.shared.desk.lock().asked.push(question);
        self.driven.wake();
    }

    /// Who drove when the question was answered.
    fn wait(&self, question: u64) -> ThreadId {
        let look = |desk: &mut Desk| desk.answered.remove(&question);
        let shared = (&self.shared.desk, &self.shared.progress);
        let answer = (0..SLICES).find_map(|_| self.driven.wait(shared, SLICE_MS, look));
        answer.expect("nobody has answered")
    }

    /// Asks and waits until this thread has driven itself.
    fn take_the_wheel(&self) {
        let served = (0..1_000_000).find(|&question| {
            self.ask(question);
            self.wait(question) == thread::current().id()
        });
        assert!(served.is_some(), "who waits again and again never drives");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.shared.desk.lock().closed = true;
        self.driven.wake();
        self.thread.take().unwrap().join().unwrap();
    }
}

#[test]
fn all_who_wait_are_served_whoever_drives() {
    let client = Client::start();
    thread::scope(|scope| {
        for number in 0..4 {
            let client = &client;
            scope.spawn(move || {
                for round in 0..500 {
                    let question = number * 1_000 + round;
                    client.ask(question);
                    client.wait(question);
                }
            });
        }
    });
}

#[test]
fn who_waits_again_and_again_drives_itself() {
    Client::start().take_the_wheel();
}

#[test]
fn who_pushes_has_what_it_asked_done_at_once_when_nobody_drives() {
    let client = Client::start();
    let pushed = (0..1_000_000).find(|&question| {
        client.take_the_wheel();
        client.shared.desk.lock().asked.push(u64::MAX - question);
        client.driven.push();
        client.shared.desk.lock().answered.get(&(u64::MAX - question)) == Some(&thread::current().id())
    });
    assert!(pushed.is_some(), "who pushes never drives");
}

#[test]
fn the_thread_takes_the_wheel_back_for_those_who_do_not_wait() {
    let client = Client::start();
    client.take_the_wheel();
    client.ask(u64::MAX);
    let mut desk = client.shared.desk.lock();
    for _ in 0..SLICES {
        if desk.answered.contains_key(&u64::MAX) {
            break;
        }
        client.shared.progress.wait_for(&mut desk, Duration::from_millis(SLICE_MS));
    }
    let thread = client.thread.as_ref().unwrap().thread().id();
    assert_eq!(desk.answered.get(&u64::MAX), Some(&thread));
}

#[test]
fn it_ends_while_somebody_drives_who_will_not_be_served() {
    let client = Client::start();
    client.take_the_wheel();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let shared = (&client.shared.desk, &client.shared.progress);
            let ended = |desk: &mut Desk| desk.closed.then_some(());
            (0..SLICES).find_map(|_| client.driven.wait(shared, SLICE_MS, ended))
        });
        client.shared.desk.lock().closed = true;
        client.driven.wake();
        assert!(waiting.join().unwrap().is_some());
    });
}
