//! Processor seconds of other processes.

use crate::error::LoadError;

/// What a process has taken so far, in user and kernel mode.
pub(crate) fn cpu_seconds_of(pid: u32) -> Result<f64, LoadError> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // What follows the command's name, which may hold blanks, begins with the state.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    // SAFETY: asks for a number; no memory is passed.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    Ok(ticks.sum::<f64>() / per_second as f64)
}
