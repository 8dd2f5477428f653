//! Who drives a client: its own thread, or who waits for something to come of it.
//!
//! Who sends one record after the other and awaits each is faster when it reads the answers itself: nobody has to wake
//! it, and it has nobody to wake. So whoever waits again and again takes the wheel from the thread, which stands by and
//! takes it back when nobody has driven for a moment.
//!
//! Always true:
//!   who has the seat drives, so there is one driver at most
//!   who takes the seat begins with a turn of the machine: nothing is missed that was left while nobody drove
//!   nobody drives for no longer than twice [`STAND_BY_MS`], unless the client has come to its end

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use barnabas_protocol::Millis;
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::driver::{Clock, Driver, Machine, Wake};

/// How often the thread looks, while it stands by, whether somebody drives.
pub const STAND_BY_MS: u64 = 2;
/// Who waits again within this time after the last wait takes the wheel.
const AGAIN_MS: Millis = 2;
/// Answers that come within this time are waited for awake: to be woken takes a large part of it.
const AWAKE_MICROS_MAX: u64 = 300;

/// Wakes those who wait for progress, one of whom may drive now.
pub type Relieved = Box<dyn Fn() + Send + Sync>;

/// A driver, and the machine that it drives.
struct Seat<M> {
    driver: Driver,
    machine: M,
    /// How long something took to come when somebody waited for it last.
    waited_micros: u64,
}

/// A client's driver, to be shared by those who may drive.
pub struct Driven<M> {
    /// None at the end.
    seat: Mutex<Option<Seat<M>>>,
    is_driven: AtomicBool,
    /// How often others than the thread have begun to drive.
    drives: AtomicU64,
    /// How many wait who would rather drive.
    willing: AtomicUsize,
    /// When somebody last got what he waited for.
    served_at: AtomicI64,
    /// Whether the thread sleeps until somebody gets up.
    is_asleep: AtomicBool,
    standing_by: Mutex<()>,
    vacated: Condvar,
    relieved: Relieved,
    wake: Wake,
    clock: Clock,
    /// Whether a broker may run while this process waits awake.
    may_stay_awake: bool,
}

/// Somebody in the seat, who gets up when this is dropped.
struct Driving<'a, M> {
    driven: &'a Driven<M>,
    seat: Option<MutexGuard<'a, Option<Seat<M>>>>,
}

impl<M> Drop for Driving<'_, M> {
    fn drop(&mut self) {
        let driven = self.driven;
        // Before the seat is free: the next one says that he drives.
        driven.is_driven.store(false, Ordering::SeqCst);
        self.seat = None;
        if driven.is_asleep.load(Ordering::SeqCst) {
            let _standing_by = driven.standing_by.lock();
            driven.vacated.notify_one();
        }
        if driven.willing.load(Ordering::SeqCst) > 0 {
            (driven.relieved)();
        }
    }
}

impl<M: Machine> Driving<'_, M> {
    /// One turn of the machine. When it wants the next one; None at its end.
    fn turn(&mut self) -> Option<Millis> {
        let Seat { driver, machine, .. } = self.seat.as_mut()?.as_mut()?;
        driver.turn(machine)
    }

    /// Waits until `at` for something to come, awake while that is likely to be soon. False when a signal has come,
    /// or there is no waiting for the sockets.
    fn wait(&mut self, at: Millis) -> bool {
        let driven = self.driven;
        let Some(Seat { driver, machine, waited_micros }) = self.seat.as_mut().and_then(|seat| seat.as_mut())
        else {
            return false;
        };
        let soon = driven.may_stay_awake && *waited_micros <= 2 * AWAKE_MICROS_MAX;
        let begun = driven.clock.micros();
        let waited = driver.wait(machine, at, if soon { AWAKE_MICROS_MAX } else { 0 });
        *waited_micros = driven.clock.micros() - begun;
        waited.is_ok()
    }

    /// Waits until `at`, asleep; false when there is no waiting for the sockets.
    fn attend(&mut self, at: Millis) -> bool {
        let seat = self.seat.as_mut().and_then(|seat| seat.as_mut());
        seat.is_some_and(|Seat { driver, machine, .. }| driver.attended(machine, at))
    }

    /// Drives until `look` finds something, or it is `end`.
    fn until<R>(&mut self, end: Millis, mut look: impl FnMut() -> Option<R>) -> Option<R> {
        loop {
            let at = self.turn();
            let found = look();
            match at {
                Some(at) if found.is_none() && self.driven.clock.now() < end => {
                    if !self.wait(at.min(end)) {
                        return None;
                    }
                }
                _ => return found,
            }
        }
    }
}

impl<M: Machine> Driven<M> {
    /// Nobody drives yet. `relieved` is called when somebody who waits may drive.
    pub fn new((driver, wake): (Driver, Wake), machine: M, clock: Clock, relieved: Relieved) -> Driven<M> {
        let processors = std::thread::available_parallelism();
        Driven {
            seat: Mutex::new(Some(Seat { driver, machine, waited_micros: u64::MAX })),
            is_driven: AtomicBool::new(false),
            drives: AtomicU64::new(0),
            willing: AtomicUsize::new(0),
            served_at: AtomicI64::new(Millis::MIN),
            is_asleep: AtomicBool::new(false),
            standing_by: Mutex::new(()),
            vacated: Condvar::new(),
            relieved,
            wake,
            clock,
            may_stay_awake: processors.is_ok_and(|count| count.get() > 1),
        }
    }

    /// Lets the machine have a turn soon: at once if somebody drives, else when somebody takes the wheel.
    pub fn wake(&self) {
        if self.is_driven.load(Ordering::SeqCst) {
            self.wake.wake();
        }
    }

    /// Lets the machine have a turn now: by the caller if nobody drives, else soon by who does.
    pub fn push(&self) {
        let Some(seat) = self.seat.try_lock() else { return self.wake() };
        self.drives.fetch_add(1, Ordering::SeqCst);
        self.sit_down(seat).turn();
    }

    /// What the client's own thread does, to the end of the machine.
    pub fn run(&self) {
        while self.drive_on() {
            self.stand_by();
        }
        *self.seat.lock() = None; // Closes the sockets.
    }

    /// Drives until somebody else would; false at the end.
    fn drive_on(&self) -> bool {
        let mut driving = self.sit_down(self.seat.lock());
        while let Some(at) = driving.turn() {
            if self.willing.load(Ordering::SeqCst) > 0 {
                return true;
            }
            if !driving.attend(at) {
                return false;
            }
        }
        false
    }

    /// Waits until nobody drives any more.
    fn stand_by(&self) {
        let mut standing_by = self.standing_by.lock();
        let mut before = self.drives.load(Ordering::SeqCst);
        loop {
            self.vacated.wait_for(&mut standing_by, Duration::from_millis(STAND_BY_MS));
            let drives = self.drives.load(Ordering::SeqCst);
            self.is_asleep.store(true, Ordering::SeqCst);
            match self.is_driven.load(Ordering::SeqCst) {
                // The same one all the time, who takes long: he says when he gets up.
                true if drives == before => self.vacated.wait(&mut standing_by),
                false if drives == before => return self.is_asleep.store(false, Ordering::SeqCst),
                _ => {}
            }
            self.is_asleep.store(false, Ordering::SeqCst);
            before = drives;
        }
    }

    fn sit_down<'a>(&'a self, seat: MutexGuard<'a, Option<Seat<M>>>) -> Driving<'a, M> {
        self.is_driven.store(true, Ordering::SeqCst);
        Driving { driven: self, seat: Some(seat) }
    }

    /// Waits up to `slice_ms` until `look` finds something in what the machine shares with its users, and tells of
    /// with `progress`. Who waits again and again drives meanwhile.
    pub fn wait<T, R>(
        &self,
        (shared, progress): (&Mutex<T>, &Condvar),
        slice_ms: u64,
        mut look: impl FnMut(&mut T) -> Option<R>,
    ) -> Option<R> {
        let mut held = shared.lock();
        let mut found = look(&mut held);
        if found.is_some() || slice_ms == 0 {
            return found;
        }
        let now = self.clock.now();
        let end = now + slice_ms as Millis;
        // While the thread stands by nobody would read an answer to what was pushed.
        let is_idle = !self.is_driven.load(Ordering::SeqCst);
        let would_drive = is_idle || self.served_at.load(Ordering::Relaxed) >= now - AGAIN_MS;
        while found.is_none() && self.clock.now() < end {
            // With the lock held: who gets up says so when this one waits, not before.
            self.willing.fetch_add(usize::from(would_drive), Ordering::SeqCst);
            let seat = if would_drive { self.seat.try_lock() } else { None };
            if seat.is_none() {
                progress.wait_for(&mut held, Duration::from_millis((end - self.clock.now()).max(0) as u64));
                found = look(&mut held);
            }
            self.willing.fetch_sub(usize::from(would_drive), Ordering::SeqCst);
            if let Some(seat) = seat {
                drop(held);
                self.drives.fetch_add(1, Ordering::SeqCst);
                found = self.sit_down(seat).until(end, || look(&mut shared.lock()));
                break;
            }
        }
        if found.is_some() {
            self.served_at.store(self.clock.now(), Ordering::Relaxed);
        }
        found
    }
}
