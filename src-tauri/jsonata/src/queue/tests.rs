use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::*;
use crate::{
    Bindings, Limits,
    job::{Program, Task},
};

const GENERAL: usize = SMALL_ONLY + 1;

fn queue() -> Queue {
    Queue::new(2, Duration::ZERO)
}

fn program(expression: &str) -> Program {
    Program { expression: expression.into(), bindings: Bindings::default(), limits: Limits::default() }
}

fn eval(expression: &str) -> Job {
    Job { program: program(expression), task: Task::Eval { input: None, reply: oneshot::channel().0 } }
}

fn map(expression: &str) -> Job {
    Job { program: program(expression), task: Task::Map { records: Vec::new(), reply: oneshot::channel().0 } }
}

fn next(queue: &Queue, slot: usize) -> Option<String> {
    queue.next(slot, &mut 0).map(|job| job.program.expression.to_string())
}

#[test]
fn one_engine_takes_small_jobs_only() {
    let queue = queue();
    queue.push(map("map"));
    assert_eq!(next(&queue, SMALL_ONLY), None);
    queue.push(eval("small"));
    assert_eq!(next(&queue, SMALL_ONLY).as_deref(), Some("small"));
    assert_eq!(next(&queue, GENERAL).as_deref(), Some("map"));
}

#[test]
fn the_others_take_small_jobs_first() {
    let queue = queue();
    queue.push(map("map"));
    queue.push(eval("small"));
    assert_eq!(next(&queue, GENERAL).as_deref(), Some("small"));
    assert_eq!(next(&queue, GENERAL).as_deref(), Some("map"));
}

#[test]
fn small_jobs_do_not_keep_a_long_one_waiting_forever() {
    let queue = queue();
    queue.push(map("map"));
    for _ in 0..100 {
        queue.push(eval("small"));
    }
    let mut in_a_row = 0;
    let before =
        std::iter::from_fn(|| queue.next(GENERAL, &mut in_a_row)).position(|job| &*job.program.expression == "map");
    assert_eq!(before, Some(SMALL_IN_A_ROW as usize));
}

#[test]
fn an_expression_or_input_that_is_large_or_took_long_is_long() {
    let queue = queue();
    queue.push(eval(&"1 + ".repeat(MAX_SMALL_SIZE)));
    let input = RawValue::from_string(format!("\"{}\"", "x".repeat(MAX_SMALL_SIZE))).expect("JSON");
    queue.push(Job { program: program("$"), task: Task::Eval { input: Some(input), reply: oneshot::channel().0 } });
    queue.took("slow", MAX_SMALL_TIME * 2);
    queue.push(eval("slow"));
    queue.took("quick", MAX_SMALL_TIME / 2);
    queue.push(eval("quick"));
    assert_eq!(next(&queue, SMALL_ONLY).as_deref(), Some("quick"));
    assert_eq!(next(&queue, SMALL_ONLY), None);
    assert_eq!(std::iter::from_fn(|| next(&queue, GENERAL)).count(), 3);
}

#[test]
fn what_took_long_is_forgotten_when_there_is_much_of_it() {
    let queue = queue();
    for index in 0..=MAX_REMEMBERED {
        queue.took(&format!("{index}"), MAX_SMALL_TIME * 2);
    }
    queue.push(eval("0"));
    queue.push(eval("1"));
    assert_eq!(next(&queue, SMALL_ONLY).as_deref(), Some("0"));
    assert_eq!(next(&queue, SMALL_ONLY), None);
}

#[test]
fn an_engine_is_started_only_for_a_job_that_none_waits_for() {
    let queue = queue();
    assert_eq!(queue.push(eval("a")), Some(SMALL_ONLY));
    assert_eq!(queue.push(eval("b")), Some(GENERAL), "the first one has its job");
    assert_eq!(queue.push(eval("c")), None, "no slot is left");
    assert_eq!(queue.push(map("d")), None);
    assert_eq!(next(&queue, GENERAL).as_deref(), Some("a"));
    for _ in 0..3 {
        assert!(next(&queue, GENERAL).is_some());
    }
    // Idle for long enough: its slot is free again.
    assert_eq!(next(&queue, GENERAL), None);
    assert_eq!(queue.push(map("e")), Some(GENERAL));
}

#[test]
fn an_expression_that_was_quick_again_is_small_again() {
    let queue = queue();
    queue.took("a", MAX_SMALL_TIME * 2);
    queue.took("a", MAX_SMALL_TIME / 2);
    queue.push(eval("a"));
    assert_eq!(next(&queue, SMALL_ONLY).as_deref(), Some("a"));
}

#[test]
fn long_jobs_are_dropped_when_only_the_engine_for_small_ones_is_left() {
    let queue = queue();
    assert_eq!(queue.push(eval("small")), Some(SMALL_ONLY));
    let slot = queue.push(map("map")).expect("a slot");
    queue.release(slot);
    assert_eq!(next(&queue, SMALL_ONLY).as_deref(), Some("small"));
    assert_eq!(queue.push(map("another")), Some(slot));
    assert_eq!(next(&queue, slot).as_deref(), Some("another"));
}

#[test]
fn jobs_that_no_thread_can_be_started_for_are_dropped() {
    let queue = queue();
    let (reply, mut outcome) = oneshot::channel();
    let slot = queue.push(Job { program: program("1"), task: Task::Eval { input: None, reply } }).expect("a slot");
    queue.release(slot);
    assert!(matches!(outcome.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
    assert_eq!(queue.push(eval("2")), Some(slot), "the next one tries again");
}
