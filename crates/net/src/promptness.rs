//! Asks the scheduler to run reactors soon after they wake.
//!
//! A reactor's work takes microseconds, and others wait for it. Linux (from 6.12 on) lets a thread ask for short slices
//! of time: it gets no more of the processor, but its turn comes sooner beside threads that compute for long.

#[cfg(target_os = "linux")]
pub(crate) use linux::ask_for_short_slices;

/// Other systems have no such hint.
#[cfg(not(target_os = "linux"))]
pub(crate) fn ask_for_short_slices() {}

#[cfg(target_os = "linux")]
mod linux {
    /// The shortest slice that Linux gives, in nanoseconds.
    const SLICE_NANOS: u64 = 100_000;

    /// What sched_setattr(2) takes: its first version, which every Linux knows.
    #[repr(C)]
    #[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
    struct SchedAttributes {
        size: u32,
        policy: u32,
        flags: u64,
        nice: i32,
        priority: u32,
        /// The slice, for threads of the ordinary policy.
        runtime: u64,
        deadline: u64,
        period: u64,
    }

    /// Asks for short slices for this thread. A hint: kernels that don't know it leave all as it was.
    pub(crate) fn ask_for_short_slices() {
        if let Some(attributes) = attributes().filter(|found| found.policy == libc::SCHED_OTHER as u32) {
            let wanted = SchedAttributes { runtime: SLICE_NANOS, ..attributes };
            // SAFETY: the kernel reads as many bytes as `size` says, which are those of the structure.
            unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const wanted, 0) };
        }
    }

    /// Those of this thread.
    fn attributes() -> Option<SchedAttributes> {
        let mut found = SchedAttributes::default();
        let size = size_of::<SchedAttributes>() as u32;
        // SAFETY: the kernel writes at most `size` bytes, which are those of the structure.
        let result = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut found, size, 0) };
        (result == 0).then_some(SchedAttributes { size, ..found })
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn only_the_slice_changes() {
            let Some(before) = attributes() else { return };
            ask_for_short_slices();
            let after = attributes().unwrap_or_default();
            assert_eq!(SchedAttributes { runtime: before.runtime, ..after }, before);
            // Older kernels tell of no slice.
            assert!([before.runtime, SLICE_NANOS].contains(&after.runtime), "{after:?}");
        }
    }
}
