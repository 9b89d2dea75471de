//! Properties of `check` and `eval` for every expression, whatever it is: they end within their limits, with a result or with an
//! error that says something, and the next evaluation works.
//!
//! The time is the engine's processor time, because a busy machine takes turns. Whether an answer arrives at all is watched by the
//! clock. `RELINK_JSONATA_CASES` and `RELINK_JSONATA_SEED` choose other inputs; the ignored test runs a million on all cores:
//! `cargo test --release -p relink-jsonata --test properties -- --ignored --nocapture`.

mod grammar;
mod mutations;
mod prober;
mod usage;

use std::{
    cell::RefCell,
    env, fs,
    path::PathBuf,
    process::{Child, Command},
    str::FromStr,
    thread,
    time::Instant,
};

use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use self::prober::Prober;

const TEST: &str = "every_expression_ends_within_its_limits";
const CASES: &str = "RELINK_JSONATA_CASES";
const SEED: &str = "RELINK_JSONATA_SEED";
const DEFAULT_CASES: u32 = 500;

fn setting<T: FromStr>(name: &str, default: T) -> T {
    env::var(name).map_or(default, |value| value.parse().ok().unwrap_or_else(|| panic!("{name} is no number")))
}

/// The file with the expression that is being evaluated, for when the process aborts.
fn current_input(seed: u64) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("jsonata-properties-{seed}"))
}

#[test]
fn every_expression_ends_within_its_limits() {
    let (cases, seed) = (setting(CASES, DEFAULT_CASES), setting(SEED, 1));
    let mut seed_bytes = [0; 32];
    seed_bytes[..8].copy_from_slice(&u64::to_le_bytes(seed));
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed_bytes));
    let corpus = mutations::corpus();
    assert!(corpus.len() > 300, "{} expressions", corpus.len());

    // Every day on machines that are busy, where caches are cold: what isn't interrupted takes far longer than twice the time.
    let time_tolerance = if env::var_os(CASES).is_some() { 1.2 } else { 2.0 };
    let prober = RefCell::new(Prober::new(current_input(seed), time_tolerance));
    let expressions = prop_oneof![3 => grammar::expression(), 2 => mutations::mutated(corpus)];
    let outcome = runner.run(&expressions, |expression| {
        let mut prober = prober.borrow_mut();
        let holds = prober.probe(&expression).map_err(TestCaseError::fail);
        if prober.probed.is_multiple_of(10_000) {
            println!("{prober}");
        }
        holds
    });
    println!("{}", prober.borrow());
    let late = &prober.borrow().late;
    if let Err(error) = outcome {
        panic!("with {SEED}={seed}: {error}; took too long: {late:#?}");
    }
    assert!(late.is_empty(), "took too long: {late:#?}");
}

#[test]
#[ignore = "takes an hour or two: once for each version of the engine"]
fn a_million_expressions_end_within_their_limits() {
    let began = Instant::now();
    let shards = thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let cases: u64 = setting(CASES, 1_000_000);
    let first_seed: u64 = setting(SEED, 1_000);
    // Processes of their own: one that aborts is seen, and the system counts what each uses.
    let run = |seed: u64| {
        let mut command = Command::new(env::current_exe().expect("this program"));
        command.args(["--exact", TEST, "--nocapture"]).env(CASES, cases.div_ceil(shards).to_string());
        (seed, command.env(SEED, seed.to_string()).spawn().expect("started"))
    };
    let running: Vec<(u64, Child)> = (first_seed..first_seed + shards).map(run).collect();
    let mut failures = Vec::new();
    for (seed, mut child) in running {
        let status = child.wait().expect("waited for");
        if !status.success() {
            let last = fs::read_to_string(current_input(seed)).unwrap_or_default();
            failures.push(format!("{SEED}={seed} ended with {status}; its last expression: {last:?}"));
        }
    }
    println!("{cases} expressions in {:.0} s on {shards} cores", began.elapsed().as_secs_f64());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
