//! JSONata in Relink and in Node with the same npm packages, from text to text.

mod node;

use std::{
    env, fs,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use relink_jsonata::{Bindings, Engines, Limits, Settings};
use relink_tests::process;
use serde_json::value::RawValue;

use self::node::Task;
use crate::{
    figures::{Figures, micros, millis, table},
    processes,
};

/// With this argument, this program measures the memory of its engines.
pub(crate) const MEMORY: &str = "jsonata-memory";

const RECORDS: usize = 1_000;
const ROUNDS: usize = 5;
const SMALL: usize = 2_000;
const FIRST: usize = 10;
const MAPS: usize = 10;
const SMALL_BESIDE: usize = 90;
/// Evaluations after which an engine's memory is measured again, in thousands.
const LATER: usize = 10;

const NODE: &str = "Node, the same packages";

/// What is evaluated.
struct Work {
    mapping: Arc<str>,
    records: Vec<Box<RawValue>>,
    small: Arc<str>,
    response: Box<RawValue>,
}

impl Work {
    fn read() -> Result<Self> {
        let read = |name: &str| fs::read_to_string(node::folder().join(name)).with_context(|| name.to_owned());
        let records = node::records(RECORDS)?;
        let records: Vec<_> = records.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        ensure!(records.len() == RECORDS, "{} records", records.len());
        let response = serde_json::from_str(&read("error.json")?)?;
        Ok(Self { mapping: read("contacts.jsonata")?.into(), records, small: read("error.jsonata")?.into(), response })
    }

    /// Evaluates the mapping, over each record by itself. Gives µs a record.
    async fn each(&self, engines: &Engines) -> Result<f64> {
        let begin = Instant::now();
        for record in &self.records {
            evaluate(engines, &self.mapping, record).await?;
        }
        Ok(micros(begin.elapsed()) / as_f64(RECORDS))
    }

    async fn map(&self, engines: &Engines) -> Result<f64> {
        let begin = Instant::now();
        let (mapping, records) = (self.mapping.clone(), self.records.clone());
        for outcome in engines.map(mapping, records, Bindings::default(), Limits::default()).await {
            outcome?.context("undefined")?;
        }
        Ok(micros(begin.elapsed()) / as_f64(RECORDS))
    }

    async fn small(&self, engines: &Engines, count: usize) -> Result<f64> {
        let begin = Instant::now();
        for _ in 0..count {
            evaluate(engines, &self.small, &self.response).await?;
        }
        Ok(micros(begin.elapsed()) / as_f64(count))
    }
}

pub(crate) async fn measure() -> Result<()> {
    let work = Arc::new(Work::read()?);
    mapping_and_small(&work).await?;
    first(&work).await?;
    memory().await?;
    mixed(&work).await
}

async fn mapping_and_small(work: &Work) -> Result<()> {
    let engines = engines();
    let (mut each, mut map, mut small) = (Figures::default(), Figures::default(), Figures::default());
    let (mut node_mapping, mut node_small) = (Figures::default(), Figures::default());
    // Both engines have compiled the expressions.
    work.map(&engines).await?;
    work.small(&engines, SMALL).await?;
    for _ in 0..ROUNDS {
        each.add(work.each(&engines).await?);
        map.add(work.map(&engines).await?);
        small.add(work.small(&engines, SMALL).await?);
        let figures = node::run(Task::Measure).await?;
        figures.add_to("mapping", &mut node_mapping)?;
        figures.add_to("small", &mut node_small)?;
    }
    table(
        "JSONata: one evaluation",
        "µs",
        NODE,
        &[
            ("mapping of 16 fields, a record by itself", &each, &node_mapping),
            (&format!("mapping of 16 fields, {RECORDS} records as one map"), &map, &node_mapping),
            ("error expression", &small, &node_small),
        ],
    );
    println!("\nThe aims: at most 4 times Node for a record, and 50 µs for the error expression.");
    Ok(())
}

async fn first(work: &Work) -> Result<()> {
    let (mut engine, mut program) = (Figures::default(), Figures::default());
    let (mut node_engine, mut node_program) = (Figures::default(), Figures::default());
    let input = env::temp_dir().join(format!("relink-bench-{}.json", std::process::id()));
    fs::write(&input, work.records[0].get())?;
    for _ in 0..FIRST {
        let begin = Instant::now();
        evaluate(&engines(), &work.mapping, &work.records[0]).await?;
        engine.add(millis(begin.elapsed()));

        let begin = Instant::now();
        let mut command = Command::new(relink_tests::relink::program());
        command.args(["eval", "--from-file"]).arg(node::folder().join("contacts.jsonata")).arg(&input);
        let output = command.output().context("relink eval")?;
        ensure!(output.status.success(), "relink eval: {}", String::from_utf8_lossy(&output.stderr));
        program.add(millis(begin.elapsed()));

        let begin = Instant::now();
        node::run(Task::First).await?.add_to("first", &mut node_engine)?;
        node_program.add(millis(begin.elapsed()));
    }
    fs::remove_file(&input)?;
    table(
        "JSONata: the first evaluation, from nothing to the answer",
        "ms",
        NODE,
        &[
            ("engine or packages, compilation and a record", &engine, &node_engine),
            ("whole process (`relink eval`)", &program, &node_program),
        ],
    );
    Ok(())
}

async fn memory() -> Result<()> {
    let (mut one, mut two, mut later) = (Figures::default(), Figures::default(), Figures::default());
    let (mut node_first, mut node_later) = (Figures::default(), Figures::default());
    for _ in 0..ROUNDS {
        let mut command = process::command(&env::current_exe()?.to_string_lossy());
        command.arg(MEMORY);
        let figures = node::printed_by(command).await?;
        figures.add_to("one", &mut one)?;
        figures.add_to("two", &mut two)?;
        figures.add_to("later", &mut later)?;
        let figures = node::run(Task::Memory).await?;
        figures.add_to("first", &mut node_first)?;
        figures.add_to("later", &mut node_later)?;
    }
    table(
        "JSONata: proportional memory",
        "MB",
        &format!("{NODE}, beside Node itself"),
        &[
            ("first engine, after a record", &one, &node_first),
            ("second engine, after 50 records", &two, &node_first),
            (&format!("an engine, after {LATER},000 records"), &later, &node_later),
        ],
    );
    Ok(())
}

/// Prints what engines add to this process's memory.
pub(crate) async fn print_memory() -> Result<()> {
    let work = Work::read()?;
    let memory = || processes::proportional_memory(std::process::id());
    let mut grown = memory()?;
    let mut growth = move || -> Result<f64> {
        let before = std::mem::replace(&mut grown, memory()?);
        Ok(grown - before)
    };
    let engines = engines();
    evaluate(&engines, &work.mapping, &work.records[0]).await?;
    let one = growth()?;
    let some = work.records.iter().take(50).cloned().collect();
    for outcome in engines.map(work.mapping.clone(), some, Bindings::default(), Limits::default()).await {
        outcome?;
    }
    let two = growth()?;
    // Whichever engine takes them.
    for _ in 0..LATER {
        work.each(&engines).await?;
    }
    let later = one + growth()?;
    node::print(&[("one", one), ("two", two), ("later", later)]);
    Ok(())
}

/// 100 evaluations at once, of which 10 are long maps.
async fn mixed(work: &Arc<Work>) -> Result<()> {
    let engines = engines();
    let (mut alone, mut beside, mut all) = (Figures::default(), Figures::default(), Figures::default());
    let (mut node_beside, mut node_all) = (Figures::default(), Figures::default());
    work.map(&engines).await?;
    work.small(&engines, SMALL).await?;
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        for time in join(spawn_small(work, &engines)).await? {
            alone.add(millis(time));
        }
        let maps: Vec<_> = (0..MAPS)
            .map(|_| {
                let (work, engines) = (work.clone(), engines.clone());
                tokio::spawn(async move { work.map(&engines).await.map(|_| begin.elapsed()) })
            })
            .collect();
        let smalls = spawn_small(work, &engines);
        let begin = Instant::now();
        for time in join(smalls).await? {
            beside.add(millis(time));
        }
        join(maps).await?;
        all.add(millis(begin.elapsed()));
        let figures = node::run(Task::Mixed).await?;
        figures.add_to("small", &mut node_beside)?;
        figures.add_to("all", &mut node_all)?;
    }
    table(
        &format!("JSONata: {SMALL_BESIDE} error expressions and {MAPS} maps of {RECORDS} records at once"),
        "ms",
        &format!("{NODE}, one thread"),
        &[
            ("an error expression, from the start of all", &beside, &node_beside),
            ("until everything is done", &all, &node_all),
        ],
    );
    println!(
        "\nAn error expression beside the maps: {:.2} ms, the 99th percentile {:.2} ms. {SMALL_BESIDE} of them at once without maps: {:.2} ms, {:.2} ms.",
        beside.median(),
        beside.quantile(0.99),
        alone.median(),
        alone.quantile(0.99)
    );
    Ok(())
}

type Timed = tokio::task::JoinHandle<Result<Duration>>;

/// Starts small evaluations at once. Each gives the time from the start of all to its answer.
fn spawn_small(work: &Arc<Work>, engines: &Engines) -> Vec<Timed> {
    let begin = Instant::now();
    let one = |_| {
        let (work, engines) = (work.clone(), engines.clone());
        tokio::spawn(async move {
            evaluate(&engines, &work.small, &work.response).await?;
            Ok(begin.elapsed())
        })
    };
    (0..SMALL_BESIDE).map(one).collect()
}

async fn join(running: Vec<Timed>) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for one in running {
        times.push(one.await??);
    }
    Ok(times)
}

async fn evaluate(engines: &Engines, expression: &Arc<str>, input: &RawValue) -> Result<Box<RawValue>> {
    let result =
        engines.eval(expression.clone(), Some(input.to_owned()), Bindings::default(), Limits::default()).await?;
    result.context("undefined")
}

fn engines() -> Engines {
    Engines::new(Settings::default())
}

#[expect(clippy::cast_precision_loss)]
fn as_f64(count: usize) -> f64 {
    count as f64
}
