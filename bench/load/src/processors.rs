//! What the machine gives: how much of its processors a hypervisor takes, and threads that run when they wake.

use std::fs;

/// Processor time of the whole machine since it was started, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProcessorTime {
    all: u64,
    stolen: u64,
}

impl ProcessorTime {
    /// Until now; None where the system doesn't tell.
    pub(crate) fn of_machine() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// The first line: user, nice, system, idle, iowait, irq, softirq, steal; guests' time is part of user and nice.
    fn parse(stat: &str) -> Option<Self> {
        let ticks: Vec<u64> =
            stat.lines().next()?.split_whitespace().skip(1).take(8).flat_map(str::parse).collect();
        let stolen = *ticks.get(7)?;
        Some(ProcessorTime { all: ticks.iter().sum(), stolen })
    }

    /// The share of all processors that others on the same host took since `earlier`; None when no time went by.
    pub(crate) fn stolen_since(&self, earlier: &Self) -> Option<f64> {
        let all = self.all.checked_sub(earlier.all).filter(|all| *all > 0)?;
        Some(self.stolen.saturating_sub(earlier.stolen) as f64 / all as f64)
    }
}

/// Has this thread, and those that it starts, run as soon as they wake, whoever else computes; whether the system
/// allows that. Only for threads that mostly wait: nobody else gets their processor while they run.
pub(crate) fn run_at_once() -> bool {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: an all-zero parameter is valid; the kernel only reads it.
        unsafe {
            let mut parameter: libc::sched_param = std::mem::zeroed();
            parameter.sched_priority = 1;
            libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameter) == 0
        }
    }
    #[cfg(not(target_os = "linux"))]
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stolen_share_is_that_of_all_ticks_between() {
        let before = ProcessorTime::parse("cpu  100 0 50 800 10 0 5 35 7 0\ncpu0 1 2 3");
        let after = ProcessorTime::parse("cpu  150 0 70 920 10 0 5 45 9 0\ncpu0 1 2 3");
        let (before, after) = (before.expect("a line"), after.expect("a line"));
        assert_eq!((before.all, before.stolen), (1000, 35));
        assert_eq!(after.stolen_since(&before), Some(0.05));
        assert_eq!(after.stolen_since(&after), None);
        assert_eq!(ProcessorTime::parse("cpu  1 2 3 4"), None);
    }
}
