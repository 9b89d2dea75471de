//! What the engines of this process use, as the system counts it. Where it doesn't say so, nothing is counted.

use std::{fs, path::Path, time::Duration};

/// An engine's thread.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    thread: String,
    /// Processor time so far. The time in which the machine ran something else doesn't count.
    time: Duration,
    pub(crate) is_waiting: bool,
}

/// What the engines used between two moments.
pub(crate) struct Spent {
    pub(crate) time: Duration,
    pub(crate) started: u32,
}

/// The engines' threads (`proc_pid_task(5)`).
pub(crate) fn engines() -> Vec<Engine> {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    threads.filter_map(|thread| engine(&thread.path())).collect()
}

fn engine(folder: &Path) -> Option<Engine> {
    let stat = fs::read_to_string(folder.join("stat")).ok()?;
    // The name in parentheses before the state may contain any character.
    let (name, rest) = stat.rsplit_once(')')?;
    if !name.contains("(jsonata-") {
        return None;
    }
    let schedule = fs::read_to_string(folder.join("schedstat")).ok()?;
    Some(Engine {
        thread: folder.to_string_lossy().into_owned(),
        time: Duration::from_nanos(schedule.split(' ').next()?.parse().ok()?),
        is_waiting: rest.trim_start().starts_with('S'),
    })
}

pub(crate) fn spent(before: &[Engine], after: &[Engine]) -> Spent {
    let mut spent = Spent { time: Duration::ZERO, started: 0 };
    for engine in after {
        let earlier = before.iter().find(|earlier| earlier.thread == engine.thread);
        spent.time += engine.time.saturating_sub(earlier.map_or(Duration::ZERO, |earlier| earlier.time));
        spent.started += u32::from(earlier.is_none());
    }
    spent
}

/// The most memory that the process ever had, in bytes (`VmHWM` in `proc_pid_status(5)`).
pub(crate) fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(kilobytes.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? << 10)
}
