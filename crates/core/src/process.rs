//! What the operating system tells of this process, under the names that every exporter gives it.

use barnabas_metrics::{Exposition, Kind};

/// Adds it; what this system does not tell is left out.
pub(crate) fn expose(to: &mut Exposition) {
    let help = "User and system processor time.";
    to.sample("process_cpu_seconds_total", Kind::Counter, help, &[], cpu_seconds());
    if let Some(limit) = open_files_max() {
        to.sample("process_max_fds", Kind::Gauge, "Most open file descriptors.", &[], limit);
    }
    let Some(told) = Told::now() else { return };
    for (name, help, value) in [
        ("process_resident_memory_bytes", "Resident memory.", told.resident_bytes),
        ("process_virtual_memory_bytes", "Virtual memory.", told.virtual_bytes),
        ("process_threads", "Threads.", told.threads),
        ("process_open_fds", "Open file descriptors.", told.open_files),
        ("process_start_time_seconds", "Start of the process since the Unix epoch.", told.started),
    ] {
        to.sample(name, Kind::Gauge, help, &[], value);
    }
}

fn cpu_seconds() -> f64 {
    // SAFETY: all zeros is a valid rusage, which the call then fills.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

fn open_files_max() -> Option<f64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the call fills the struct that it is given.
    let failed = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    (failed == 0).then_some(limit.rlim_cur as f64)
}

/// What `/proc` says, where there is one.
struct Told {
    resident_bytes: f64,
    virtual_bytes: f64,
    threads: f64,
    open_files: f64,
    started: f64,
}

impl Told {
    fn now() -> Option<Told> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        // The command's name, in parentheses, may hold anything; what follows are numbers.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
        let uptime: f64 = uptime.split_whitespace().next()?.parse().ok()?;
        let age = uptime - field(22)? / system(libc::_SC_CLK_TCK)?;
        Some(Told {
            resident_bytes: field(24)? * system(libc::_SC_PAGESIZE)?,
            virtual_bytes: field(23)?,
            threads: field(20)?,
            open_files: std::fs::read_dir("/proc/self/fd").ok()?.count() as f64,
            started: crate::clock::now() as f64 / 1000.0 - age,
        })
    }
}

fn system(name: libc::c_int) -> Option<f64> {
    // SAFETY: takes and gives a number.
    let value = unsafe { libc::sysconf(name) };
    (value > 0).then_some(value as f64)
}
