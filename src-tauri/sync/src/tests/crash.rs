//! Crashes at every point of generated jobs.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, atomic::Ordering::SeqCst},
};

use proptest::prelude::*;
use relink_domain::sync::{BatchId, ErrorHandling, Graph};
use serde_json::{Value, json};

use super::world::{Delivered, World, graph, hook, lock, new_run, page, request};
use crate::{Call, Ended, Page, Progress, RequestError, Run, Runner, Wait};

/// What a node is, below one that is chosen by the number.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Root,
    Loop,
    Once,
    /// A request that makes itself again below some of its records.
    Recursion,
    Transform,
    AddContext,
    Spool,
    Count,
}

fn jobs() -> impl Strategy<Value = Value> {
    let kind = prop_oneof![
        1 => Just(Kind::Root),
        3 => Just(Kind::Loop),
        1 => Just(Kind::Once),
        1 => Just(Kind::Recursion),
        2 => Just(Kind::Transform),
        2 => Just(Kind::AddContext),
        2 => Just(Kind::Spool),
        2 => Just(Kind::Count),
    ];
    (prop::collection::vec((kind, 0..100_usize), 1..7), prop::collection::vec(any::<bool>(), 8))
        .prop_map(|(nodes, wanted)| job(&nodes, &wanted))
}

/// A job whose nodes are named `n0`, `n1`, …, and whose requests fetch resources of that name.
fn job(nodes: &[(Kind, usize)], wanted: &[bool]) -> Value {
    let mut made: Vec<Value> = vec![
        json!({"name": "end", "type": "event", "config": {"name": "complete"}}),
        json!({"name": "mark", "type": "update_state", "depends_on": "end", "config": {"key": "mark", "value": "{{sync_job_run.status}}"}}),
        request("n0", "n0", &json!({"query": {"of": "root"}})),
    ];
    // The names of nodes with records, each with the request that they come from, and how deep it is.
    let mut above = vec![("n0".to_owned(), "n0".to_owned(), 0)];
    for (at, (kind, parent)) in nodes.iter().enumerate() {
        let name = format!("n{}", at + 1);
        let (parent, origin, depth) = above[parent % above.len()].clone();
        // Loops within loops within loops take their time.
        let kind = if depth > 1 && matches!(kind, Kind::Loop | Kind::Once | Kind::Recursion) {
            &Kind::Transform
        } else {
            kind
        };
        let node = match kind {
            Kind::Root => request(&name, &name, &json!({"query": {"of": "root"}})),
            Kind::Loop => {
                let query = json!({"of": format!("{{{{resources.{origin}.id}}}}")});
                let loop_on = format!("resources.{origin}");
                let keys = json!({"depends_on": parent, "loop_on": loop_on, "query": query});
                request(&name, &name, &keys)
            }
            Kind::Once => {
                let query = json!({"of": format!("{{{{resources.{origin}.0.id}}}}")});
                request(&name, &name, &json!({"depends_on": parent, "query": query}))
            }
            Kind::Recursion => {
                let query = json!({"of": format!("{{{{resources.{origin}.0.id}}}}")});
                let deeper = json!({"query": {"of": format!("{{{{resources.{name}.id}}}}")}});
                let recurse = json!({"if": format!("{{{{resources.{name}.more:bool}}}}"), "config": deeper});
                request(&name, &name, &json!({"depends_on": parent, "query": query, "recurse": recurse}))
            }
            Kind::Transform => json!({"name": name, "type": "transform", "depends_on": parent,
                "config": {"expression": format!("resources.{origin}.{{\"id\": id & \"t\"}}")}}),
            Kind::AddContext => json!({"name": name, "type": "add_context", "depends_on": parent,
                "config": {"expression": format!("{{\"added\": $count(resources.{origin})}}")}}),
            Kind::Spool => json!({"name": name, "type": "spool", "depends_on": parent}),
            Kind::Count => {
                made.push(json!({"name": name, "type": "update_state", "depends_on": parent,
                    "config": {"key": format!("at-{name}"), "value_expression": format!("$string(resources.{origin}[-1].id)")}}));
                continue;
            }
        };
        made.push(node);
        let found = match kind {
            Kind::Root => (name.clone(), name, 0),
            Kind::Loop | Kind::Once | Kind::Recursion => (name.clone(), name, depth + 1),
            _ => (name, origin, depth),
        };
        above.push(found);
    }
    let all: Vec<&str> = above.iter().map(|(name, ..)| name.as_str()).collect();
    let some: Vec<&str> =
        all.iter().zip(wanted.iter().cycle()).filter(|(_, is_wanted)| **is_wanted).map(|(name, _)| *name).collect();
    made.push(hook("all", &all));
    if !some.is_empty() {
        made.push(hook("some", &some));
    }
    made.into()
}

/// The answers of [`provider`], some of them after a limit.
fn limiting() -> impl Fn(&Call<'_>) -> Result<Page, RequestError> + Send + Sync {
    let limited = Mutex::new(BTreeSet::new());
    move |call| {
        let key = format!("{}{:?}{:?}", call.resource, call.query, call.cursor);
        if key.len().is_multiple_of(5) && lock(&limited).insert(key) {
            return Err(RequestError::RateLimited { seconds: 1, error: json!({"statusCode": 429}) });
        }
        provider(call)
    }
}

/// The same answers to the same calls: up to three pages of up to three records, and an error now and then.
fn provider(call: &Call<'_>) -> Result<Page, RequestError> {
    let of = call.query.get("of").and_then(Value::as_str).unwrap_or_default();
    let at: usize = call.cursor.map_or(0, |cursor| cursor.parse().expect("a number"));
    let text = format!("{}/{of}", call.resource);
    let hash = text.bytes().fold(7_usize, |hash, byte| (hash * 31 + usize::from(byte)) % 1009);
    if at == hash % 3 && hash % 7 == 3 {
        return Err(RequestError::Other(json!({"statusCode": 500, "message": text})));
    }
    let record =
        |n: usize| json!({"id": format!("{text}.{at}{n}"), "more": (hash + n).is_multiple_of(2) && text.len() < 24});
    let records: Value = (0..(hash + at) % 4).map(record).collect();
    let next = (at < hash % 3).then(|| (at + 1).to_string());
    page(&records, next.as_deref())
}

/// Runs to the end, again after each crash: in the runner that was interrupted, or in another one.
async fn run_through(world: &World, run: &Run, graph: &Graph, mut next_crash: impl FnMut() -> i64) -> (Ended, usize) {
    world.until_crash.store(next_crash(), SeqCst);
    let mut crashes = 0;
    let mut runner = Runner::new(run, graph, world);
    loop {
        let progress = tokio::select! {
            biased;
            () = world.crashed.notified() => None,
            progress = runner.step() => Some(progress.expect("a journal")),
        };
        match progress {
            // Its owner waits.
            Some(Progress::More | Progress::Waits(Wait::RateLimited { .. })) => {}
            Some(Progress::Finished(outcome)) => return (Ended::Finished(outcome), crashes),
            Some(Progress::Waits(wait)) => return (Ended::Waits(wait), crashes),
            None => {
                crashes += 1;
                world.until_crash.store(next_crash(), SeqCst);
                // A page that never comes may be one that the runner fetches ahead.
                if world.is_calling.swap(false, SeqCst) || crashes % 2 == 0 {
                    runner = Runner::new(run, graph, world);
                }
            }
        }
    }
}

/// What a run has left: deliveries, each once, and what is in the journal.
fn left(world: &World) -> (Vec<(BatchId, String, String, Value)>, Value) {
    let mut first: BTreeMap<(BatchId, String), Delivered> = BTreeMap::new();
    let mut order = Vec::new();
    for it in lock(&world.delivered).iter() {
        let key = (it.id, it.to.clone());
        if let Some(known) = first.get(&key) {
            assert_eq!((&known.records, &known.resource), (&it.records, &it.resource), "the same batch");
            assert_eq!(known.epoch, it.epoch, "repeated without a commit in between");
        } else {
            order.push((it.id, it.to.clone(), it.resource.clone(), it.records.clone()));
            first.insert(key, it.clone());
        }
    }
    let kept = lock(&world.kept);
    let writes: Vec<String> = kept.writes.iter().map(|write| format!("{write:?}")).collect();
    let journal = json!({"stats": kept.stats, "errors": kept.errors, "writes": writes});
    (order, journal)
}

/// Each job is run some dozens of times.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn a_crash_at_any_point_loses_nothing_and_repeats_the_batch_in_progress_alone(
        resources in jobs(),
        fails_fast in any::<bool>(),
        step in 1..4_i64,
    ) {
        let graph = graph(&resources);
        let error_handling = if fails_fast { ErrorHandling::FailFast } else { ErrorHandling::Ignore };
        let run = Run { error_handling, ..new_run() };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let calm = World::new(limiting());
            let (ended, _) = run_through(&calm, &run, &graph, || -1).await;
            let expected = left(&calm);
            let points = i64::try_from(calm.crash_points.load(SeqCst)).expect("few");
            // One crash at each point, or at some if there are many.
            let stride = usize::try_from(points / 40 + 1).expect("few");
            for point in (0..points).step_by(stride) {
                let world = World::new(limiting());
                let mut crashes = [point].into_iter();
                let (found, crashed) = run_through(&world, &run, &graph, || crashes.next().unwrap_or(-1)).await;
                assert_eq!((&found, crashed), (&ended, 1), "at point {point}");
                assert_eq!(left(&world), expected, "at point {point}");
            }
            // Many crashes: each step gets further than the one before, so that it ends.
            let world = World::new(limiting());
            let mut until = 0;
            let (found, _) = run_through(&world, &run, &graph, || { until += step; until }).await;
            assert_eq!(found, ended);
            assert_eq!(left(&world), expected, "after many crashes");
        });
    }
}
