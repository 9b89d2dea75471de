//! One QuickJS runtime with Truto's packages in it.

mod failure;
#[cfg(test)]
mod tests;

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use rquickjs::{
    CatchResultExt, Context, Ctx, Function, Object, Promise, Runtime, Value,
    function::{Constructor, This},
    object::Property,
};
use serde_json::value::RawValue;

use self::failure::{Failure, text_of};
use crate::{ErrorKind, EvalError, Limits, UnknownNames, host, job::Outcome, job::Program};

const BUNDLE: &str = include_str!("../generated/engine.js");
/// The functions for documents and formats, for the first expression that uses one.
const FORMATS_BUNDLE: &str = include_str!("../generated/formats.js");
/// What an engine may keep of earlier evaluations: compiled expressions, the functions for formats, and garbage.
const KEPT_MEMORY: usize = 32 << 20;
/// So much beside the packages may be garbage before QuickJS looks for cycles in it.
const MAX_GARBAGE: usize = 8 << 20;
/// What the functions for formats take, roughly.
const FORMATS_MEMORY: usize = 8 << 20;
/// QuickJS asks some milliseconds apart whether the time is over, and copying ten megabytes of text isn't interrupted: so the
/// answer is yes a little earlier, by at most a fifth of the time.
const MARGIN: Duration = Duration::from_millis(10);
/// The bundle is evaluated within it.
const BOOT_MEMORY: usize = 64 << 20;

pub(crate) struct Engine {
    runtime: Runtime,
    context: Context,
    /// Bytes that the packages take.
    base_memory: usize,
    clock: Rc<Clock>,
    has_formats: Rc<Cell<bool>>,
    is_broken: bool,
    last_time: Duration,
}

/// When the evaluation has to end, for QuickJS, which asks now and then.
#[derive(Default)]
struct Clock {
    deadline: Cell<Option<Instant>>,
    has_interrupted: Cell<bool>,
    began: Cell<Option<Instant>>,
    paused: Cell<Duration>,
}

impl Engine {
    /// Takes some tens of milliseconds.
    pub(crate) fn new() -> Result<Self, EvalError> {
        let failed = |error: rquickjs::Error| {
            EvalError::internal(format!("The engine for expressions couldn't be started: {error}."))
        };
        let runtime = Runtime::new().map_err(failed)?;
        runtime.set_memory_limit(BOOT_MEMORY);
        runtime.set_max_stack_size(Limits::MAX_STACK);
        runtime.set_gc_threshold(BOOT_MEMORY);
        let clock = Rc::new(Clock::default());
        let has_formats = Rc::new(Cell::new(false));
        let asked = Rc::clone(&clock);
        runtime.set_interrupt_handler(Some(Box::new(move || asked.is_over())));
        let context = Context::full(&runtime).map_err(failed)?;
        context
            .with(|ctx| {
                install(&ctx, &clock, &has_formats)
                    .and_then(|()| ctx.eval::<(), _>(BUNDLE))
                    .catch(&ctx)
                    .map_err(|error| error.to_string())
            })
            .map_err(|reason| {
                EvalError::internal(format!("The engine for expressions couldn't be started: {reason}"))
            })?;
        let base_memory = memory(&runtime);
        Ok(Self { runtime, context, base_memory, clock, has_formats, is_broken: false, last_time: Duration::ZERO })
    }

    /// Whether an evaluation was interrupted: what it left behind is unknown.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// What the last evaluation took.
    pub(crate) fn last_time(&self) -> Duration {
        self.last_time
    }

    pub(crate) fn eval(&mut self, program: &Program, input: Option<&str>, unknown_names: UnknownNames) -> Outcome {
        let clock = Rc::clone(&self.clock);
        self.run(program, |ctx, engine| {
            let refuse = unknown_names == UnknownNames::Refuse;
            let at_once: Function = engine.get("evaluateAtOnce").map_err(|error| Failure::caught(ctx, &error))?;
            let (first, bindings) = arguments(ctx, program, input)?;
            let result: Value = at_once
                .call((&*program.expression, first, bindings, refuse, program.limits.output))
                .map_err(|error| Failure::caught(ctx, &error))?;
            let result =
                if result.is_symbol() { original(ctx, engine, program, input, refuse, &clock)? } else { result };
            output(ctx, &result, program.limits.output)
        })
    }

    pub(crate) fn check(&mut self, program: &Program, names: &[String]) -> Result<(), EvalError> {
        self.run(program, |ctx, engine| {
            let check: Function = engine.get("check").map_err(|error| Failure::caught(ctx, &error))?;
            check.call::<_, ()>((&*program.expression, names.to_vec())).map_err(|error| Failure::caught(ctx, &error))
        })
    }

    fn run<T>(
        &mut self,
        program: &Program,
        run: impl for<'js> FnOnce(&Ctx<'js>, &Object<'js>) -> Result<T, Failure>,
    ) -> Result<T, EvalError> {
        let limits = program.limits;
        self.runtime.set_memory_limit((self.base_memory + KEPT_MEMORY).saturating_add(limits.memory));
        // A collection looks at everything that the packages define: not before there is something to collect.
        let formats = if self.has_formats.get() { FORMATS_MEMORY } else { 0 };
        self.runtime.set_gc_threshold(self.base_memory + formats + MAX_GARBAGE);
        self.runtime.set_max_stack_size(limits.stack.clamp(1, Limits::MAX_STACK));
        self.clock.start(limits.time);
        let result = self.context.with(|ctx| {
            let engine: Object = ctx.globals().get("__engine").map_err(|error| Failure::caught(&ctx, &error))?;
            run(&ctx, &engine)
        });
        let is_interrupted = self.clock.has_interrupted.get();
        self.last_time = self.clock.stop();
        // What was interrupted may have become an ordinary error on its way, for which an expression has an answer.
        let result = if is_interrupted { Err(Failure::Interrupted) } else { result };
        result.map_err(|failure| {
            let never_settles = matches!(failure, Failure::NeverSettles);
            // An error that there is no memory for, in a job of QuickJS, is lost: its promise waits on.
            let is_out_of_memory = never_settles && memory(&self.runtime) > self.base_memory + limits.memory / 2;
            let failure = if is_out_of_memory { Failure::OutOfMemory } else { failure };
            let error = failure.explain(&program.expression, &limits);
            self.is_broken = never_settles || (error.kind.is_limit() && error.kind != ErrorKind::Output);
            error
        })
    }
}

/// What the bundle takes from Rust.
fn install<'js>(ctx: &Ctx<'js>, clock: &Rc<Clock>, has_formats: &Rc<Cell<bool>>) -> rquickjs::Result<()> {
    host::install(ctx)?;
    let (asked, has_formats) = (Rc::clone(clock), Rc::clone(has_formats));
    let load_formats = move |ctx: Ctx<'js>| {
        has_formats.set(true);
        asked.pause(|| ctx.eval::<(), _>(FORMATS_BUNDLE))
    };
    ctx.globals().set("__loadFormats", Function::new(ctx.clone(), load_formats)?)?;
    let clock = Rc::clone(clock);
    ctx.globals().set("__isOver", Function::new(ctx.clone(), move || clock.is_over())?)
}

impl Clock {
    fn start(&self, time: Duration) {
        let now = Instant::now();
        self.has_interrupted.set(false);
        self.began.set(Some(now));
        self.paused.set(Duration::ZERO);
        self.deadline.set(now.checked_add(time.saturating_sub(MARGIN.min(time / 5))));
    }

    /// Gives what the evaluation took.
    fn stop(&self) -> Duration {
        self.deadline.set(None);
        let time = self.began.take().map_or(Duration::ZERO, |began| began.elapsed());
        time.saturating_sub(self.paused.get())
    }

    /// Runs something that isn't the evaluation's own work.
    fn pause<T>(&self, run: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let deadline = self.deadline.take();
        let result = run();
        let paused = began.elapsed();
        self.paused.set(self.paused.get() + paused);
        self.deadline.set(deadline.and_then(|deadline| deadline.checked_add(paused)));
        result
    }

    fn is_over(&self) -> bool {
        let is_over = self.deadline.get().is_some_and(|deadline| Instant::now() >= deadline);
        if is_over {
            self.has_interrupted.set(true);
        }
        is_over
    }
}

/// The input and the bindings as JavaScript's values: new ones for each evaluation, because one may change them.
fn arguments<'js>(
    ctx: &Ctx<'js>,
    program: &Program,
    input: Option<&str>,
) -> Result<(Value<'js>, Object<'js>), Failure> {
    let parse = |json: &str| ctx.json_parse(json).map_err(|error| Failure::caught(ctx, &error));
    let input = match input {
        Some(json) => parse(json)?,
        None => Value::new_undefined(ctx.clone()),
    };
    for path in program.bindings.dates() {
        make_date(ctx, &input, path).map_err(|error| Failure::caught(ctx, &error))?;
    }
    let bindings = Object::new(ctx.clone()).map_err(|error| Failure::caught(ctx, &error))?;
    for (name, value) in program.bindings.values() {
        // Not set, for which __proto__ is something else.
        let member = Property::from(parse(value)?).configurable().enumerable().writable();
        bindings.prop(name, member).map_err(|error| Failure::caught(ctx, &error))?;
    }
    Ok((input, bindings))
}

/// Makes a `Date` of the text at a path of the input. Expressions find only an object's own members, so its method is one.
fn make_date<'js>(ctx: &Ctx<'js>, input: &Value<'js>, path: &[String]) -> rquickjs::Result<()> {
    let Some((last, names)) = path.split_last() else { return Ok(()) };
    let Some(mut object) = input.as_object().cloned() else { return Ok(()) };
    for name in names {
        let inner: Value = object.get(name)?;
        let Some(inner) = inner.into_object() else { return Ok(()) };
        object = inner;
    }
    let text: Value = object.get(last)?;
    if text.is_string() {
        let constructor: Constructor = ctx.globals().get("Date")?;
        let date: Object = constructor.construct((text,))?;
        let method: Function = date.get("toISOString")?;
        let bind: Function = method.get("bind")?;
        let bound: Function = bind.call((This(method), date.clone()))?;
        date.prop("toISOString", Property::from(bound))?;
        object.set(last, date)?;
    }
    Ok(())
}

/// Evaluates as the original does, with promises.
fn original<'js>(
    ctx: &Ctx<'js>,
    engine: &Object<'js>,
    program: &Program,
    input: Option<&str>,
    refuse: bool,
    clock: &Clock,
) -> Result<Value<'js>, Failure> {
    let evaluate: Function = engine.get("evaluate").map_err(|error| Failure::caught(ctx, &error))?;
    let (input, bindings) = arguments(ctx, program, input)?;
    let promise: Promise = evaluate
        .call((&*program.expression, input, bindings, refuse, program.limits.output))
        .map_err(|error| Failure::caught(ctx, &error))?;
    // An interruption ends the job that it falls into, and what waits for that job isn't always informed. The others would go on.
    while !clock.is_over() {
        if let Some(result) = promise.result() {
            return result.map_err(|error| Failure::caught(ctx, &error));
        }
        if !ctx.execute_pending_job() {
            return Err(Failure::NeverSettles);
        }
    }
    Err(Failure::Interrupted)
}

fn output(ctx: &Ctx<'_>, result: &Value<'_>, limit: usize) -> Result<Option<Box<RawValue>>, Failure> {
    if result.is_undefined() {
        return Ok(None);
    }
    // A number: so many characters, and possibly more.
    if result.is_number() {
        return Err(Failure::Output);
    }
    let json = text_of(ctx, result)?;
    if json.len() > limit {
        return Err(Failure::Output);
    }
    RawValue::from_string(json).map(Some).map_err(|_| Failure::NotJson)
}

fn memory(runtime: &Runtime) -> usize {
    usize::try_from(runtime.memory_usage().malloc_size).unwrap_or(0)
}
