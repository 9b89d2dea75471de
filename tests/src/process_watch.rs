//! Watches what every user of the machine can see of other programs: the arguments of each process. And its environment, which
//! only its own user can see.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crate::canary::Canaries;

/// A process that ends sooner may be missed. The programs of a test that open a URL record it themselves.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Records the arguments and environment of each process of the machine, until it is dropped.
#[derive(Debug)]
pub struct ProcessWatch {
    seen: Arc<Mutex<BTreeSet<Seen>>>,
    is_over: Arc<AtomicBool>,
}

/// One text of a process: its arguments or its environment, one per line.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    what: &'static str,
    program: String,
    text: String,
}

impl ProcessWatch {
    pub fn start() -> Self {
        let (seen, is_over) = (Arc::<Mutex<BTreeSet<Seen>>>::default(), Arc::<AtomicBool>::default());
        let watch = Self { seen: Arc::clone(&seen), is_over: Arc::clone(&is_over) };
        thread::spawn(move || {
            let mut latest = HashMap::new();
            while !is_over.load(Ordering::SeqCst) {
                let new = read_new_processes(&mut latest);
                lock(&seen).extend(new);
                thread::sleep(POLL_INTERVAL);
            }
        });
        watch
    }

    /// Where a secret was seen so far.
    pub fn found(&self, canaries: &Canaries) -> Vec<String> {
        let place = |seen: &Seen| format!("the {} of {}", seen.what, seen.program);
        lock(&self.seen).iter().flat_map(|seen| canaries.in_text(&place(seen), &seen.text)).collect()
    }

    /// Whether this text was seen so far in the arguments or the environment of a process.
    pub fn saw(&self, what: &str, text: &str) -> bool {
        lock(&self.seen).iter().any(|seen| seen.what == what && seen.text.contains(text))
    }
}

impl Drop for ProcessWatch {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
    }
}

/// Reads the processes that are new, or run another program than before.
fn read_new_processes(latest: &mut HashMap<u32, Vec<u8>>) -> Vec<Seen> {
    let mut new = Vec::new();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        // It may have exited. The kernel's own threads have no arguments.
        let Ok(arguments) = fs::read(format!("/proc/{pid}/cmdline")) else { continue };
        if arguments.is_empty() || latest.get(&pid) == Some(&arguments) {
            continue;
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\0', "\n");
        let program = text(&arguments).lines().next().unwrap_or_default().to_owned();
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        for (what, bytes) in [("arguments", &arguments), ("environment", &environment)] {
            new.push(Seen { what, program: program.clone(), text: text(bytes) });
        }
        latest.insert(pid, arguments);
    }
    new
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
