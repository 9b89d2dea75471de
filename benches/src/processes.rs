//! Reads the kernel's statistics of a process and its descendants (proc(5)).

use std::{collections::HashMap, fs};

use anyhow::{Context, Result};

/// A process and all of its descendants, with their names.
pub(crate) fn tree(root: u32) -> Result<Vec<(u32, String)>> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let mut names = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // The process may have exited in the meantime.
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        let (Some(open), Some(close)) = (stat.find('('), stat.rfind(')')) else { continue };
        let Some(parent) = stat[close + 2..].split(' ').nth(1).and_then(|parent| parent.parse().ok()) else { continue };
        children.entry(parent).or_default().push(pid);
        names.insert(pid, stat[open + 1..close].to_owned());
    }
    let mut found = Vec::new();
    let mut next = vec![root];
    while let Some(pid) = next.pop() {
        found.push((pid, names.get(&pid).cloned().context("the process has exited")?));
        next.extend(children.remove(&pid).unwrap_or_default());
    }
    Ok(found)
}

/// Proportional memory of a process tree, in MB.
pub(crate) fn proportional_memory(root: u32) -> Result<f64> {
    let mut kilobytes = 0_u32;
    for (pid, _) in tree(root)? {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss line")?;
        kilobytes += line.trim().trim_end_matches(" kB").parse::<u32>()?;
    }
    Ok(f64::from(kilobytes) / 1024.0)
}

/// How often the threads of a process tree have been scheduled so far.
pub(crate) fn wakeups(root: u32) -> Result<u64> {
    let mut count = 0;
    for (pid, _) in tree(root)? {
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let Ok(status) = fs::read_to_string(task?.path().join("status")) else { continue };
            let switches = status.lines().filter_map(|line| line.split_once("ctxt_switches:"));
            count += switches.filter_map(|(_, number)| number.trim().parse::<u64>().ok()).sum::<u64>();
        }
    }
    Ok(count)
}

/// Processor time of a process tree so far, in seconds.
pub(crate) fn processor_time(root: u32) -> Result<f64> {
    // `getconf CLK_TCK` is 100 on every Linux (proc_pid_stat(5)).
    const TICKS_PER_SECOND: f64 = 100.0;
    let mut ticks = 0_u32;
    for (pid, _) in tree(root)? {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let after_name = stat.rsplit(") ").next().context("no name")?;
        // The 14th and 15th field: in the program, and in the kernel for it.
        for field in after_name.split(' ').skip(11).take(2) {
            ticks += field.parse::<u32>()?;
        }
    }
    Ok(f64::from(ticks) / TICKS_PER_SECOND)
}
