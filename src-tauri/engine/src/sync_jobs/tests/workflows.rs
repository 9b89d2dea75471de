//! Workflows: each event starts one exactly once.

use relink_domain::{
    Timestamp,
    event::EventKind,
    sync::{Chain, StepResult, WorkflowRunStatus},
};

use super::*;
use crate::store::{
    documents::Workflow,
    outbox::{self as events, Payload},
    sync_jobs::{runs::MadeByWorkflow, workflows::StoredWorkflowRun},
};

const ACTIVE: &str = "integrated_account:active";

fn step(config: &Value) -> Value {
    json!({"type": "run", "action": "run_sync_job", "config": config})
}

fn with(mut step: Value, key: &str, value: Value) -> Value {
    step[key] = value;
    step
}

impl World {
    async fn workflow(&self, trigger: &str, run_if: Option<&str>, steps: &[Value]) -> relink_domain::WorkflowId {
        let document = json!({"trigger_name": trigger, "config": {"run_if": run_if, "steps": steps}});
        let document = document.as_object().expect("an object").clone();
        self.jobs.add::<Workflow>(&PERSON, document).await.expect("added").id
    }

    /// Sends an event about the account.
    async fn send(&self, payload: Value) {
        let (subject, payload) = (self.account.to_string(), Payload::of(&payload).expect("JSON"));
        let write = move |tx: &rusqlite::Transaction<'_>| {
            events::enqueue_event(tx, EventKind::AccountActive, Some(&subject), &payload, START)
        };
        self.services.store.write(write).await.expect("sent");
    }

    /// Waits for that many runs of workflows that are over.
    async fn flows(&self, count: usize) -> Vec<StoredWorkflowRun> {
        let mut changes = self.services.store.changes();
        let look = async {
            loop {
                let runs = self.jobs.workflow_runs(&PERSON, None).await.expect("read");
                if runs.len() >= count && runs.iter().all(|run| run.status.is_over()) {
                    return runs;
                }
                changes.next().await.expect("open");
            }
        };
        tokio::time::timeout(WAIT_TIMEOUT, look).await.expect("it comes to that")
    }

    async fn made(&self) -> Vec<StoredRun> {
        self.jobs.runs(&PERSON, RunFilter::default()).await.expect("read")
    }

    /// Another process, as it were.
    async fn restarted(&self) -> SyncJobs {
        assert!(self.services.tasks.stop(WAIT_TIMEOUT).await, "all tasks end");
        let again = SyncJobs::new(Dependencies {
            store: self.services.store.clone(),
            keychain: self.services.keychain.clone(),
            clock: self.services.clock.clone(),
            outbound: Services::outbound(),
            orphans: self.services.orphans.clone(),
            tasks: Tasks::new(),
            accounts: self.services.accounts(),
            outbox: self.jobs.0.uses.outbox.clone(),
            runners: self.services.runners.clone(),
            environment: self.services.ids.environment,
            data_dir: std::path::PathBuf::new(),
        });
        again.set_calls(&PERSON, &self.calls);
        again
    }
}

fn made_by(result: &StepResult) -> &str {
    result.result.as_ref().and_then(|made| made["sync_job_run_id"].as_str()).expect("a run")
}

#[tokio::test]
async fn an_event_starts_a_workflow_whose_steps_make_runs() {
    let world = World::with([]).await;
    let job = world.job(list_job()).await;
    world.send(json!({"n": 1})).await;
    let args = json!({"n": "{{event.payload.n:int}}", "kind": "{{event.event_type}}", "tenant": "{{tenant_id}}"});
    let steps = [
        step(&json!({"sync_job_id": job, "args": args})),
        with(step(&json!({"sync_job_id": job})), "run_if", json!("false")),
        step(&json!(format!("{{\"sync_job_id\": \"{job}\", \"args\": {{\"n\": 3}}}}"))),
        step(&json!({"sync_job_id": job, "args": {"before": "{{steps.0.result.sync_job_run_id}}"}})),
    ];
    let workflow = world.workflow(ACTIVE, None, &steps).await;
    world.start();
    world.send(json!({"n": 2})).await;
    let flows = world.flows(1).await;
    assert_eq!((flows.len(), flows[0].workflow_id), (1, workflow), "the older event doesn't start it");
    let flow = &flows[0];
    assert_eq!((flow.status, flow.result.success, flow.event.as_str()), (WorkflowRunStatus::Completed, true, ACTIVE));
    assert_eq!((flow.started_at, flow.finished_at), (Some(START), Some(START)));
    let [first, skipped, third, last] = &flow.result.steps[..] else { panic!("four: {flow:?}") };
    assert_eq!(*skipped, StepResult::skipped());
    let runs = world.made().await;
    assert_eq!(runs.len(), 3);
    let run = |result| runs.iter().find(|run| run.id.to_string() == made_by(result)).expect("a run");
    assert_eq!(json!(run(first).spec.args), json!({"n": 2, "kind": ACTIVE, "tenant": "acme-1"}));
    assert_eq!(json!(run(third).spec.args), json!({"n": 3}));
    assert_eq!(json!(run(last).spec.args), json!({"before": made_by(first)}));
    for run in &runs {
        assert_eq!(run.account_id, Some(world.account), "the event's, because the step names none");
        let made = MadeByWorkflow { run: flow.id, chain: Chain::default() };
        assert_eq!(run.spec.workflow, Some(made));
    }
    world.over(runs[0].id).await;
}

#[tokio::test]
async fn each_workflow_is_started_by_the_events_since_it_was_made() {
    let world = World::with([]).await;
    let job = world.job(list_job()).await;
    let older = world.workflow(ACTIVE, None, &[step(&json!({"sync_job_id": job}))]).await;
    world.send(json!({"n": 1})).await;
    let newer = world.workflow(ACTIVE, None, &[step(&json!({"sync_job_id": job}))]).await;
    world.send(json!({"n": 2})).await;
    world.start();
    let flows = world.flows(3).await;
    let of = |workflow| flows.iter().filter(|flow| flow.workflow_id == workflow).count();
    assert_eq!((of(older), of(newer)), (2, 1));
}

#[tokio::test]
async fn only_what_run_if_is_true_for_starts_a_workflow() {
    let world = World::with([]).await;
    let job = world.job(list_job()).await;
    world.workflow(ACTIVE, Some("/event/payload/go"), &[step(&json!({"sync_job_id": job}))]).await;
    world.workflow("integrated_account:deleted", None, &[step(&json!({"sync_job_id": job}))]).await;
    world.start();
    for go in [json!(false), json!(0), Value::Null, json!(true)] {
        world.send(json!({ "go": go })).await;
    }
    let flows = world.flows(1).await;
    assert_eq!((flows.len(), flows[0].status), (1, WorkflowRunStatus::Completed));
    // Its one event is the last one.
    let latest = world.services.store.read(events::latest).await.expect("read");
    assert!(flows[0].event_seq <= latest);
    let event = world.services.store.read(move |c| events::get(c, flows[0].event_seq)).await.expect("read");
    assert_eq!(event.expect("kept").payload, json!({"go": true}));
}

#[tokio::test]
async fn a_restart_repeats_no_event_and_no_step() {
    let gate = tokio::sync::Semaphore::new(0);
    let world = World::new(Script { evaluations: Some(gate), ..Script::default() }).await;
    let job = world.job(list_job()).await;
    let gated = with(step(&json!({"sync_job_id": job, "args": {"n": 2}})), "run_if", json!("true"));
    world.workflow(ACTIVE, None, &[step(&json!({"sync_job_id": job})), gated]).await;
    world.start();
    world.send(json!({})).await;
    // The first step is taken, and the second one waits for its condition.
    let mut changes = world.services.store.changes();
    while world.made().await.is_empty() {
        changes.next().await.expect("open");
    }
    let again = world.restarted().await;
    let open = world.jobs.workflow_runs(&PERSON, None).await.expect("read");
    assert_eq!((open.len(), open[0].status, open[0].result.steps.len()), (1, WorkflowRunStatus::Running, 1));
    // This one is sent while nothing runs.
    world.send(json!({})).await;
    world.script.evaluations.as_ref().expect("a gate").add_permits(100);
    again.start();
    let flows = world.flows(2).await;
    assert_eq!(flows.len(), 2);
    assert!(flows.iter().all(|flow| flow.result.success && flow.result.steps.len() == 2), "{flows:?}");
    assert_eq!(world.made().await.len(), 4);
    // And a third start has nothing to do.
    again.0.uses.tasks.stop(WAIT_TIMEOUT).await;
    let third = world.restarted().await;
    third.start();
    world.send(json!({})).await;
    assert_eq!((world.flows(3).await.len(), world.made().await.len()), (3, 6));
}

#[tokio::test]
async fn runs_that_would_start_each_other_forever_come_to_an_end() {
    let world = World::with([]).await;
    let [first, second] = [world.job(list_job()).await, world.job(list_job()).await];
    // Whatever completes starts the second one, also the second one itself.
    world.workflow("sync_job_run:completed", None, &[step(&json!({"sync_job_id": second}))]).await;
    world.start();
    world.run(world.of(&first)).await;
    let flows = world.flows(2).await;
    let [after_first, after_second] = &flows[..] else { panic!("two: {flows:?}") };
    assert!(after_first.result.success);
    assert_eq!(after_second.status, WorkflowRunStatus::Failed);
    let error = after_second.result.error.as_deref().expect("an error");
    let begin = "config.steps[0]: This sync job has run for this account already in the chain";
    assert!(error.starts_with(begin), "{error}");
    assert!(!after_second.result.steps[0].success);
    let runs = world.made().await;
    let jobs: Vec<_> = runs.iter().map(|run| run.sync_job_id.to_string()).collect();
    assert_eq!(jobs, [first.clone(), second.clone()]);
    let chain = Chain::default().and(first.parse().expect("an id"), Some(world.account));
    assert_eq!(runs[1].spec.workflow.as_ref().map(|made| &made.chain), Some(&chain));
}

#[tokio::test]
async fn a_step_with_a_cron_expression_makes_one_trigger_for_each_account() {
    let world = World::with([]).await;
    let job = world.job(list_job()).await;
    let config = json!({"sync_job_id": job, "args": {"n": "{{event.payload.n:int}}"}});
    let workflow = world.workflow(ACTIVE, None, &[with(step(&config), "cron_expression", json!("0 * * * *"))]).await;
    world.start();
    let mut planned: Vec<(_, Timestamp)> = Vec::new();
    for n in [1, 2] {
        world.send(json!({ "n": n })).await;
        let flows = world.flows(n).await;
        assert!(flows.iter().all(|flow| flow.result.success), "{flows:?}");
        let triggers = world.jobs.all::<CronTrigger>(&PERSON).await.expect("read");
        let [trigger] = &triggers[..] else { panic!("one: {triggers:?}") };
        assert_eq!(
            (trigger.document["args"].clone(), trigger.text("workflow_id")),
            (json!({ "n": n }), Some(workflow.to_string().as_str()))
        );
        assert_eq!(trigger.text("integrated_account_id"), Some(world.account.to_string().as_str()));
        planned.extend(world.jobs.planned(&PERSON).await.expect("read"));
    }
    assert_eq!((planned.len(), planned[0]), (2, planned[1]), "it is scheduled, and keeps its time");
    // An hour later it starts its run.
    world.services.clock.advance_secs(60 * 60);
    let mut changes = world.services.store.changes();
    while world.made().await.is_empty() {
        changes.next().await.expect("open");
    }
    assert_eq!(world.made().await[0].trigger_id, Some(planned[0].0));
}

#[tokio::test]
async fn what_cant_be_done_ends_the_run_with_words() {
    let world = World::with([]).await;
    let job = world.job(list_job()).await;
    let bad = |config: Value| vec![step(&config), step(&json!({"sync_job_id": job}))];
    for (run_if, steps, error) in [
        (Some("nonsense"), bad(json!({"sync_job_id": job})), "config.run_if: expected ident"),
        (
            None,
            vec![with(step(&json!({"sync_job_id": job})), "run_if", json!("nonsense"))],
            "config.steps[0]: run_if: expected",
        ),
        (None, bad(json!("[1]")), "config.steps[0]: config: it must give an object with sync_job_id."),
        (
            None,
            bad(json!({"sync_job_id": job, "error_handling": "retry"})),
            "config.steps[0]: error_handling \"retry\" isn't known.",
        ),
        (None, bad(json!({"sync_job_id": "{{event.id}}"})), "config.steps[0]: sync_job_id names no sync job"),
        (None, bad(json!({"sync_job_id": job, "args": 1})), "config.steps[0]: config: invalid type: integer"),
    ] {
        let workflow = world.workflow(ACTIVE, run_if, &steps).await;
        if world.made().await.is_empty() && run_if.is_some() {
            world.start();
        }
        let before = world.jobs.workflow_runs(&PERSON, None).await.expect("read").len();
        world.send(json!({})).await;
        let flows = world.flows(before + 1).await;
        let flow = flows.last().expect("a run");
        let found = flow.result.error.as_deref().unwrap_or_default();
        assert!(found.starts_with(error), "{error}: {flow:?}");
        assert_eq!((flow.status, flow.result.success), (WorkflowRunStatus::Failed, false));
        assert!(flow.result.steps.len() <= 1, "the steps after it aren't taken");
        world.jobs.delete::<Workflow>(&PERSON, workflow).await.expect("deleted");
    }
    assert_eq!(world.made().await.len(), 0);
}

#[tokio::test]
async fn what_a_workflow_names_is_checked_when_it_is_written() {
    let world = World::with([]).await;
    let (job, uuid) = (world.job(list_job()).await, "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b");
    for (key, what) in [
        ("sync_job_id", "sync job"),
        ("integrated_account_id", "integrated account"),
        ("webhook_id", "webhook"),
        ("datastore_id", "datastore"),
    ] {
        let mut config = json!({"sync_job_id": job});
        config[key] = json!(uuid);
        let document = json!({"trigger_name": ACTIVE, "config": {"steps": [step(&config)]}});
        let document = document.as_object().expect("an object").clone();
        let refused = world.jobs.add::<Workflow>(&PERSON, document).await.expect_err("refused");
        let Error::Invalid { field, message, .. } = refused else { panic!("{refused:?}") };
        let path = format!("config.steps[0].config.{key}");
        assert_eq!(
            (field, message),
            (Some(path.clone()), format!("{path} names no {what}: there is none with the id {uuid}."))
        );
    }
}

#[tokio::test]
async fn another_trigger_name_is_followed_from_then_on() {
    let world = World::with([]).await;
    let job = world.job(list_job()).await;
    let workflow = world.workflow("integrated_account:deleted", None, &[step(&json!({"sync_job_id": job}))]).await;
    world.send(json!({"n": 1})).await;
    let change = json!({ "trigger_name": ACTIVE });
    let change = change.as_object().expect("an object").clone();
    world.jobs.change::<Workflow>(&PERSON, workflow, change).await.expect("changed");
    world.start();
    world.send(json!({"n": 2})).await;
    assert_eq!(world.flows(1).await.len(), 1, "what was sent before starts nothing");
    let flow = world.flows(1).await.remove(0);
    world.jobs.delete_workflow_run(&PERSON, flow.id).await.expect("deleted");
    assert_eq!(world.jobs.workflow_run(&PERSON, flow.id).await.expect_err("gone").code(), "not_found");
    assert_eq!(world.jobs.delete_workflow_run(&PERSON, flow.id).await.expect_err("gone").code(), "not_found");
}
