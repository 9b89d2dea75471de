//! Evaluates expressions one after the other, and measures what they use.

use std::{
    fmt, fs,
    future::Future,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use relink_jsonata::{Bindings, Engines, ErrorKind, EvalError, Limits, Settings};
use serde_json::value::RawValue;
use tokio::{runtime::Runtime, time::timeout};

use crate::usage::{self, Engine};

const TIME: Duration = Duration::from_millis(50);
const MEMORY: usize = 32 << 20;
const OUTPUT: usize = 1 << 20;
/// By how much a limit may be exceeded.
const TOLERANCE: f64 = 1.2;
const ATTEMPTS: u32 = 3;
/// No answer within it is no answer, however busy the machine is.
const NEVER: Duration = Duration::from_mins(1);
/// The engine keeps that much beside a limit (`KEPT_MEMORY`), for each of the two engines that there are at least.
const KEPT: usize = 32 << 20;
const ENGINES: usize = 2;

const STARTS: &str = "1";
/// Also loads what an engine loads only when it is needed, which isn't the next expression's work.
const LOADS_FORMATS: &str = "($convertMarkdownToHtml('a'); $eval('1'))";
const INPUT: &str = r#"{"a": {"b": [1, 2, {"c d": "x"}]}, "b": "2026-02-28T23:30:00Z", "list": [{"a": 1, "id": "p"}, {"a": 2, "parent": "p"}],
    "text": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", "nested": [[[1], [2]], [[null]]]}"#;

pub(crate) struct Prober {
    runtime: Runtime,
    engines: Engines,
    /// Processor time that an engine's start takes, at most.
    boot: Duration,
    /// Of the process, with one engine that has done nothing.
    base_memory: u64,
    engine_memory: u64,
    current_input: PathBuf,
    time_tolerance: f64,
    began: Instant,
    pub(crate) probed: u32,
    results: u32,
    limits_reached: u32,
    /// The expressions that exceeded the time by more than the tolerance, and what they took.
    pub(crate) late: Vec<(String, Duration)>,
    longest: Duration,
    longest_of_attempt: Duration,
    longest_by_clock: Duration,
    most_memory: u64,
}

impl Prober {
    /// An expression is late when it takes `time_tolerance` times the limit.
    pub(crate) fn new(current_input: PathBuf, time_tolerance: f64) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let before = usage::peak_memory();
        let mut prober = Self {
            runtime,
            engines: engines(),
            boot: Duration::ZERO,
            base_memory: 0,
            engine_memory: 0,
            current_input,
            time_tolerance,
            began: Instant::now(),
            probed: 0,
            results: 0,
            limits_reached: 0,
            late: Vec::new(),
            longest: Duration::ZERO,
            longest_of_attempt: Duration::ZERO,
            longest_by_clock: Duration::ZERO,
            most_memory: 0,
        };
        prober.warm_up(LOADS_FORMATS).expect("the engine works");
        if let (Some(before), Some(after)) = (before, usage::peak_memory()) {
            (prober.base_memory, prober.engine_memory) = (after, after - before);
        }
        prober
    }

    /// Checks and evaluates an expression. An error says which property doesn't hold.
    pub(crate) fn probe(&mut self, expression: &str) -> Result<(), String> {
        self.probed += 1;
        let tolerated = TIME.mul_f64(self.time_tolerance);
        let mut longest = Duration::MAX;
        // An expression that is late is so each time. The machine isn't, and neither is an engine that has loaded everything.
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                self.renew()?;
            }
            self.longest_of_attempt = Duration::ZERO;
            let holds = self.check_and_evaluate(expression);
            longest = longest.min(self.longest_of_attempt);
            if holds.is_err() {
                // For the simpler expressions that are tried next.
                self.renew()?;
                return holds;
            }
            if longest <= tolerated {
                break;
            }
        }
        self.longest = self.longest.max(longest);
        if longest > tolerated {
            println!("{longest:.1?}: {expression}");
            self.late.push((expression.to_owned(), longest));
        }
        Ok(())
    }

    fn check_and_evaluate(&mut self, expression: &str) -> Result<(), String> {
        fs::write(&self.current_input, expression).map_err(|error| error.to_string())?;
        let text: Arc<str> = expression.into();
        let names = vec!["x".to_owned()];
        let checked = self.measure(|engines| {
            let text = text.clone();
            async move { engines.check(text, names, limits()).await }
        })?;
        self.examine(expression, checked.as_ref().err())?;
        let input = RawValue::from_string(INPUT.to_owned()).map_err(|error| error.to_string())?;
        let x = RawValue::from_string("[3, \"x\"]".to_owned()).map_err(|error| error.to_string())?;
        let evaluated = self.measure(|engines| async move {
            engines.eval(text, Some(input), Bindings::new([("x".to_owned(), x)]), limits()).await
        })?;
        self.examine(expression, evaluated.as_ref().err())?;
        if let Ok(Some(json)) = &evaluated {
            self.results += 1;
            if json.get().len() > OUTPUT {
                return Err(format!("the result has {} bytes", json.get().len()));
            }
        }
        match (&checked, &evaluated) {
            (Err(error), Ok(_)) if !error.kind.is_limit() => Err(format!("check refuses what eval evaluates: {error}")),
            _ => Ok(()),
        }
    }

    /// What an error has to be. After one of a limit, the next evaluation has to work.
    fn examine(&mut self, expression: &str, error: Option<&EvalError>) -> Result<(), String> {
        let Some(error) = error else { return Ok(()) };
        if error.kind == ErrorKind::Internal || error.message.trim().is_empty() {
            return Err(format!("it fails with {error:?}"));
        }
        if let Some(position) = error.position {
            let line = expression.split('\n').nth(position.line.wrapping_sub(1));
            let is_within = line.is_some_and(|line| (1..=line.chars().count() + 1).contains(&position.column));
            if !is_within || position.length == 0 {
                return Err(format!("the place isn't in the expression: {error:?}"));
            }
        }
        if error.kind.is_limit() {
            self.limits_reached += 1;
            self.warm_up(STARTS)?;
            if usage::engines().len() > 1 {
                // The new one answered, and the other one has no engine yet.
                self.renew()?;
            }
        }
        Ok(())
    }

    /// Starts new engines, so that the start of one is never measured unnoticed.
    fn renew(&mut self) -> Result<(), String> {
        self.engines = engines();
        until(|| usage::engines().is_empty().then_some(()))?;
        self.warm_up(LOADS_FORMATS)
    }

    fn warm_up(&mut self, expression: &str) -> Result<(), String> {
        let before = settled()?;
        let one = self.engines.eval(expression.into(), None, Bindings::default(), Limits::default());
        let one = self
            .runtime
            .block_on(async { timeout(NEVER, one).await })
            .map_err(|_| "the next evaluation has no answer")?;
        if one.as_ref().ok().and_then(Option::as_deref).map(RawValue::get) != Some("1") {
            return Err(format!("the next evaluation fails: {one:?}"));
        }
        let spent = usage::spent(&before, &usage::engines());
        self.boot = self.boot.max(if spent.started > 0 { spent.time } else { Duration::ZERO });
        Ok(())
    }

    fn measure<T, F: Future<Output = T>>(&mut self, run: impl FnOnce(Engines) -> F) -> Result<T, String> {
        let before = settled()?;
        let began = Instant::now();
        let answer = self.runtime.block_on(async { timeout(NEVER, run(self.engines.clone())).await });
        let by_clock = began.elapsed();
        let answer = answer.map_err(|_| format!("no answer in {NEVER:?}"))?;
        let spent = usage::spent(&before, &usage::engines());
        // An engine that was thrown away may free its memory before that is looked at; the answer was there before.
        let until_answer = spent.time.min(by_clock);
        let time = until_answer.saturating_sub(self.boot.mul_f64(TOLERANCE) * spent.started);
        self.longest_of_attempt = self.longest_of_attempt.max(time);
        self.longest_by_clock = self.longest_by_clock.max(by_clock);
        if spent.started > 0 {
            // One that hasn't loaded everything.
            self.renew()?;
        }
        let peak = usage::peak_memory().unwrap_or(0).saturating_sub(self.base_memory);
        self.most_memory = self.most_memory.max(peak);
        #[expect(clippy::cast_precision_loss)]
        let is_too_much = peak as f64 > (ENGINES * (MEMORY + KEPT)) as f64 * TOLERANCE + self.engine_memory as f64;
        if is_too_much { Err(format!("the process has grown by {} MB", peak >> 20)) } else { Ok(answer) }
    }
}

impl fmt::Display for Prober {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { probed, results, limits_reached, late, longest, longest_by_clock, most_memory, .. } = self;
        write!(
            f,
            "{probed} expressions in {:.0} s: {results} with a result, {limits_reached} limits reached. \
             {} took longer than tolerated; the longest took {longest:.1?} of the \
             processor and {longest_by_clock:.1?} by the clock (limit {TIME:?}); the process grew by {} MB at most",
            self.began.elapsed().as_secs_f64(),
            late.len(),
            most_memory >> 20
        )
    }
}

fn engines() -> Engines {
    Engines::new(Settings { max_engines: ENGINES, idle_after: Duration::from_hours(24), ..Settings::default() })
}

fn limits() -> Limits {
    Limits { time: TIME, memory: MEMORY, output: OUTPUT, ..Limits::default() }
}

/// The engines, when they have done everything that an earlier evaluation left them to do.
fn settled() -> Result<Vec<Engine>, String> {
    until(|| {
        let engines = usage::engines();
        engines.iter().all(|engine| engine.is_waiting).then_some(engines)
    })
}

fn until<T>(mut happened: impl FnMut() -> Option<T>) -> Result<T, String> {
    let began = Instant::now();
    loop {
        if let Some(it) = happened() {
            return Ok(it);
        }
        if began.elapsed() > NEVER {
            return Err(format!("an engine is still busy after {NEVER:?}"));
        }
        thread::yield_now();
    }
}
