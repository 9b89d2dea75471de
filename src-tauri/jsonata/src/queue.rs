//! Jobs that wait for an engine, and which engine takes which.
//!
//! Long jobs don't keep small ones waiting: one engine takes small ones only, and the others take small ones first. They take a
//! long one after some small ones, so that those don't keep a map waiting forever either.

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::job::Job;

/// Bytes of expression, bindings and input up to which an evaluation counts as small.
const MAX_SMALL_SIZE: usize = 64 << 10;
/// An expression that took longer isn't small the next time, whatever its size.
const MAX_SMALL_TIME: Duration = Duration::from_millis(20);
/// Small jobs that an engine takes before a long one that waits.
const SMALL_IN_A_ROW: u32 = 16;
const MAX_REMEMBERED: usize = 256;

/// The slot of the engine that takes small jobs only.
pub(crate) const SMALL_ONLY: usize = 0;

pub(crate) struct Queue {
    state: Mutex<State>,
    /// Wakes the engine in each slot.
    wake: Vec<Condvar>,
    idle_after: Duration,
}

struct State {
    small: VecDeque<Job>,
    long: VecDeque<Job>,
    slots: Vec<Slot>,
    /// Hashes of expressions that took long lately.
    slow: VecDeque<u64>,
    is_closed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Slot {
    Free,
    Working,
    Waiting,
    /// Woken for a job, which it may not have taken yet.
    Woken,
}

impl Queue {
    pub(crate) fn new(max_engines: usize, idle_after: Duration) -> Self {
        let slots = vec![Slot::Free; max_engines.max(2)];
        let wake = slots.iter().map(|_| Condvar::new()).collect();
        let state =
            State { small: VecDeque::new(), long: VecDeque::new(), slots, slow: VecDeque::new(), is_closed: false };
        Self { state: Mutex::new(state), wake, idle_after }
    }

    /// Adds a job. Gives the slot in which an engine has to be started for it, if none waits for such a job.
    pub(crate) fn push(&self, job: Job) -> Option<usize> {
        let mut state = self.lock();
        let is_small = job.size() <= MAX_SMALL_SIZE && !state.slow.contains(&hash(&job));
        let (first, queued) =
            if is_small { (SMALL_ONLY, state.small.len()) } else { (SMALL_ONLY + 1, state.long.len()) };
        let find = |wanted| (first..state.slots.len()).find(|slot| state.slots[*slot] == wanted);
        let woken = state.slots[first..].iter().filter(|slot| **slot == Slot::Woken).count();
        // The first one that waits: one engine for all small jobs has what they need in the processor's caches.
        let wake = find(Slot::Waiting);
        let start = if wake.is_some() || woken > queued { None } else { find(Slot::Free) };
        if let Some(slot) = wake {
            state.slots[slot] = Slot::Woken;
        }
        if let Some(slot) = start {
            state.slots[slot] = Slot::Working;
        }
        if is_small {
            state.small.push_back(job);
        } else {
            state.long.push_back(job);
        }
        drop(state);
        if let Some(slot) = wake {
            self.wake[slot].notify_one();
        }
        start
    }

    /// The next job for the engine in `slot`, waiting for one. None: the engine was idle for long enough, or nobody is left to ask;
    /// the slot is free then.
    pub(crate) fn next(&self, slot: usize, small_in_a_row: &mut u32) -> Option<Job> {
        let idle_since = Instant::now();
        let mut state = self.lock();
        loop {
            if let Some(job) = state.take(slot, small_in_a_row) {
                state.slots[slot] = Slot::Working;
                return Some(job);
            }
            let left = self.idle_after.saturating_sub(idle_since.elapsed());
            if left.is_zero() || state.is_closed {
                state.slots[slot] = Slot::Free;
                return None;
            }
            state.slots[slot] = Slot::Waiting;
            state = self.wake[slot].wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Notes how long an evaluation took, for the next one with this expression.
    pub(crate) fn took(&self, expression: &str, time: Duration) {
        let hash = hash_text(expression);
        let mut state = self.lock();
        let known = state.slow.iter().position(|slow| *slow == hash);
        match (known, time > MAX_SMALL_TIME) {
            (Some(index), false) => {
                state.slow.remove(index);
            }
            (None, true) => {
                if state.slow.len() == MAX_REMEMBERED {
                    state.slow.pop_front();
                }
                state.slow.push_back(hash);
            }
            _ => {}
        }
    }

    /// Gives back a slot whose thread couldn't be started or has ended unexpectedly. Its jobs wait for the other engines; those that no
    /// engine is left for are dropped.
    pub(crate) fn release(&self, slot: usize) {
        let mut state = self.lock();
        state.slots[slot] = Slot::Free;
        let takes_long = |slots: &[Slot]| slots[SMALL_ONLY + 1..].iter().any(|slot| *slot != Slot::Free);
        if !takes_long(&state.slots) {
            state.long.clear();
            if state.slots[SMALL_ONLY] == Slot::Free {
                state.small.clear();
            }
        }
    }

    /// Tells the engines to end after the jobs that are waiting.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.wake.iter().for_each(Condvar::notify_one);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, slot: usize, small_in_a_row: &mut u32) -> Option<Job> {
        let takes_long = slot != SMALL_ONLY;
        if takes_long && *small_in_a_row >= SMALL_IN_A_ROW {
            *small_in_a_row = 0;
            if let Some(job) = self.long.pop_front() {
                return Some(job);
            }
        }
        if let Some(job) = self.small.pop_front() {
            *small_in_a_row += 1;
            return Some(job);
        }
        *small_in_a_row = 0;
        if takes_long { self.long.pop_front() } else { None }
    }
}

fn hash(job: &Job) -> u64 {
    hash_text(&job.program.expression)
}

fn hash_text(expression: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    expression.hash(&mut hasher);
    hasher.finish()
}
