//! What becomes of runs.

use super::*;

#[tokio::test]
async fn a_run_goes_to_its_end_and_says_so() {
    let world =
        World::with([page(&[json!({"id": 1}), json!({"id": 2})], Some("b")), page(&[json!({"id": 3})], None)]).await;
    let job = world.job(list_job()).await;
    let id = world.run(world.of(&job)).await;
    assert_eq!(world.jobs.run(&PERSON, id).await.expect("a run").status, RunStatus::Created);
    world.start();
    let run = world.over(id).await;
    assert_eq!(run.status, RunStatus::Completed);
    assert_eq!(json!(run.stats), json!({"people": {"list": {"fetched": 3, "persisted": 0}}}));
    assert_eq!((run.started_at, run.finished_at), (Some(START), Some(START)));
    assert_eq!(*lock(&world.script.calls), ["people first", "people b"]);
    assert_eq!(world.events().await, ["created", "started", "updated", "updated", "completed"]);
    let cell = world.jobs.state(&PERSON, &job, "last").await.expect("written");
    assert_eq!((cell.value, cell.run_id), (json!(3), Some(id)));
    let next = world.run(world.of(&job)).await;
    let known = world.jobs.run(&PERSON, next).await.expect("a run").spec.previous_run_date;
    assert_eq!(known, Some(START), "the next one knows when this one began");
}

#[tokio::test]
async fn a_limited_run_waits_and_goes_on_where_it_was() {
    let limited = Err(RequestError::RateLimited { seconds: 60, error: json!({"statusCode": 429, "message": "Slow"}) });
    let world = World::with([page(&[json!({"id": 1})], Some("b")), limited, page(&[json!({"id": 2})], None)]).await;
    let job = world.job(list_job()).await;
    let id = world.run(world.of(&job)).await;
    world.start();
    let run = world.until(id, |run| run.status == RunStatus::RateLimited).await;
    assert_eq!(run.wait_until, Some(START.plus_secs(60)));
    world.services.clock.advance_secs(60);
    let run = world.over(id).await;
    assert_eq!((run.status, run.wait_until), (RunStatus::Completed, None));
    assert_eq!(*lock(&world.script.calls), ["people first", "people b", "people b"]);
    assert_eq!(
        world.events().await,
        ["created", "started", "updated", "rate_limited", "updated", "updated", "updated", "completed"]
    );
    let line = "info The provider limits calls. The run goes on in 60 s: 429: Slow";
    assert_eq!(world.log(id).await, [line]);
}

#[tokio::test]
async fn an_error_ends_a_run_or_is_reported() {
    let error = || Err(RequestError::Other(json!({"statusCode": 403, "message": "Forbidden here"})));
    let world = World::with([error(), error(), error()]).await;
    let job = world.job(list_job()).await;
    world.start();
    let failed = world.run(world.of(&job)).await;
    assert_eq!(world.over(failed).await.status, RunStatus::Failed);
    assert_eq!(world.log(failed).await, ["error people: 403: Forbidden here"]);
    let kinds = |handling: &str| NewRun { error_handling: Some(handling.to_owned()), ..world.of(&job) };
    let ignored = world.run(kinds("ignore")).await;
    assert_eq!(world.over(ignored).await.status, RunStatus::Completed);
    let batched = world.run(kinds("batch")).await;
    assert_eq!(world.over(batched).await.status, RunStatus::Completed);
    let events = world.services.store.read(|c| crate::store::outbox::after(c, 0, 100)).await.expect("read");
    let sent: Vec<_> = events.iter().filter(|it| it.kind.as_str() == "sync_job_run:record_error").collect();
    let error = json!({"statusCode": 403, "message": "Forbidden here"});
    assert_eq!(sent.len(), 2);
    assert_eq!((&sent[0].payload["resource"], &sent[0].payload["error"]), (&json!("people"), &error));
    assert_eq!(sent[0].payload["meta"]["sync_job_run_id"], json!(ignored));
    assert_eq!(sent[1].payload["errors"], json!([{"resource": "people", "error": error}]));
    let names = ["created", "completed"].map(str::to_owned).to_vec();
    let before = world.events().await.len();
    let quiet = world.run(NewRun { events_to_send: Some(names), ..world.of(&job) }).await;
    world.over(quiet).await;
    assert_eq!(world.events().await[before..], ["created", "completed"]);
}

#[tokio::test]
async fn a_stop_ends_a_run_wherever_it_is() {
    let world = World::new(Script { gate: Some(tokio::sync::Semaphore::new(0)), ..Script::default() }).await;
    let job = world.job(list_job()).await;
    let (calling, waiting) = (world.run(world.of(&job)).await, world.run(world.of(&job)).await);
    world.start();
    world.until(calling, |run| run.status == RunStatus::Running).await;
    for (id, how) in [(calling, Stop::Patch), (waiting, Stop::Delete)] {
        let run = world.jobs.stop(&PERSON, id, how).await.expect("stopped");
        assert_eq!((run.status, run.finished_at), (RunStatus::Stopped, Some(START)));
        assert_eq!(world.log(id).await, ["info Stopped by you."]);
        world.jobs.stop(&PERSON, id, Stop::Delete).await.expect("it stays as it is");
    }
    assert_eq!(world.events().await.last().map(String::as_str), Some("deleted"));
    let again = world.jobs.stop(&PERSON, waiting, Stop::Patch).await.map(|run| run.status);
    assert_eq!(again.expect("nothing changes"), RunStatus::Stopped);
}

#[tokio::test]
async fn a_stopped_run_is_resumed_where_it_was_and_a_deleted_one_is_not() {
    let world = World::with_two_pages().await;
    let job = world.job(list_job()).await;
    let id = world.run(world.of(&job)).await;
    world.start();
    let of_first_page = |runs: &LiveRuns| runs.get(&id).is_some_and(|run| run.steps == 2);
    let mut live = world.jobs.live_runs(&PERSON);
    tokio::time::timeout(WAIT_TIMEOUT, live.wait_for(of_first_page)).await.expect("in time").expect("open");
    world.jobs.stop(&PERSON, id, Stop::Patch).await.expect("stopped");
    tokio::time::timeout(WAIT_TIMEOUT, live.wait_for(LiveRuns::is_empty)).await.expect("in time").expect("open");
    world.services.clock.advance_secs(60);
    world.script.gate.as_ref().expect("a gate").add_permits(100);

    let resumed = world.jobs.resume(&PERSON, id).await.expect("resumed");
    assert_eq!((resumed.status, resumed.finished_at), (RunStatus::Created, None));
    let run = world.over(id).await;
    assert_eq!((run.status, run.started_at), (RunStatus::Completed, Some(START)));
    assert_eq!(json!(run.stats), json!({"people": {"list": {"fetched": 2, "persisted": 0}}}), "each page once");
    assert_eq!(world.log(id).await, ["info Stopped by you.", "info Resumed by you."]);
    // It is started once.
    let events = ["created", "started", "updated", "updated", "updated", "updated", "updated", "completed"];
    assert_eq!(world.events().await, events);
    let over = world.jobs.resume(&PERSON, id).await.expect_err("it has completed");
    assert_eq!(
        (over.code(), over.to_string().as_str()),
        ("run_is_over", "The run is completed, and can't be changed any more. Start another one.")
    );

    let before_its_start = world.run(world.of(&job)).await;
    world.jobs.stop(&PERSON, before_its_start, Stop::Patch).await.expect("stopped");
    world.jobs.resume(&PERSON, before_its_start).await.expect("resumed");
    assert_eq!(world.over(before_its_start).await.status, RunStatus::Completed);

    for first in [Stop::Patch, Stop::Delete] {
        let deleted = world.run(world.of(&job)).await;
        for how in [first, Stop::Delete] {
            world.jobs.stop(&PERSON, deleted, how).await.expect("stopped");
        }
        let gone = world.jobs.resume(&PERSON, deleted).await.expect_err("for good");
        assert!(gone.to_string().starts_with("The run was deleted"), "{gone}");
    }
}

#[tokio::test]
async fn an_offline_run_calls_nobody_waits_and_says_so_once() {
    let no_response = Err(RequestError::NoResponse(json!({"statusCode": 503, "message": "No such name"})));
    let world = World::with([no_response, page(&[json!({"id": 1})], None)]).await;
    let mut document = list_job();
    document["resources"][0]["debug"] = json!(true);
    let job = world.job(document).await;
    world.script.is_offline.store(true, SeqCst);
    let id = world.run(world.of(&job)).await;
    world.start();
    for turn in 1..=2 {
        let run = world.until(id, |run| run.wait_until == Some(START.plus_secs(10 * turn))).await;
        assert_eq!(run.status, RunStatus::Running);
        world.services.clock.advance_secs(if turn == 1 { 10 } else { 0 });
    }
    assert_eq!(*lock(&world.script.calls), Vec::<String>::new(), "a call could only do harm");
    // There is a route again, but names aren't resolved yet.
    world.script.is_offline.store(false, SeqCst);
    world.services.clock.advance_secs(10);
    world.until(id, |run| run.wait_until == Some(START.plus_secs(30))).await;
    world.services.clock.advance_secs(10);
    assert_eq!(world.over(id).await.status, RunStatus::Completed);
    let log = world.log(id).await;
    let waits: Vec<_> = log.iter().filter(|line| line.contains("offline")).collect();
    let line = "info This computer is offline. The run goes on when it is online again: 503: ";
    let expected = ["There is no network that reaches the provider.", "No such name"].map(|why| format!("{line}{why}"));
    assert_eq!(waits, expected.iter().collect::<Vec<_>>(), "{log:#?}");
    assert_eq!(world.events().await, ["created", "started", "updated", "updated", "completed"]);
}

#[tokio::test]
async fn a_provider_that_does_not_respond_is_an_error_while_the_computer_is_online() {
    let no_response = Err(RequestError::NoResponse(json!({"statusCode": 503, "message": "Nothing came"})));
    let world = World::with([no_response]).await;
    let job = world.job(list_job()).await;
    let id = world.run(world.of(&job)).await;
    world.start();
    assert_eq!(world.over(id).await.status, RunStatus::Failed);
    assert_eq!(world.log(id).await, ["error people: 503: Nothing came"]);
}

#[tokio::test]
async fn a_resumed_run_waits_for_its_mutex() {
    let world = World::new(Script { gate: Some(tokio::sync::Semaphore::new(0)), ..Script::default() }).await;
    let mut document = list_job();
    document["mutex_key"] = json!("one");
    let job = world.job(document).await;
    let stopped = world.run(world.of(&job)).await;
    world.start();
    world.until(stopped, |run| run.status == RunStatus::Running).await;
    world.jobs.stop(&PERSON, stopped, Stop::Patch).await.expect("stopped");
    let other = world.run(world.of(&job)).await;
    world.until(other, |run| run.status == RunStatus::Running).await;
    world.jobs.resume(&PERSON, stopped).await.expect("resumed");
    // Another one begins after it was looked at.
    let beside = world.run(NewRun { force: true, ..world.of(&job) }).await;
    world.until(beside, |run| run.status == RunStatus::Running).await;
    assert_eq!(world.jobs.run(&PERSON, stopped).await.expect("a run").status, RunStatus::Created);
    world.script.gate.as_ref().expect("a gate").add_permits(100);
    assert_eq!(world.over(stopped).await.status, RunStatus::Completed);
}

#[tokio::test]
async fn no_error_of_a_batch_and_no_line_of_a_step_goes_in_silence() {
    let errors = 1001;
    let refuse = || Err(RequestError::Other(json!({"statusCode": 403, "message": "no"})));
    let ids: Vec<_> = (0..errors).map(|id| json!({"id": id})).collect();
    let pages = std::iter::once(page(&ids, None)).chain((0..errors).map(|_| refuse()));
    let world = World::with(pages).await;
    let job = world
        .job(json!({"default_runtime_version": 4, "resources": [
            {"name": "people", "type": "request", "resource": "people", "method": "list"},
            {"name": "each", "type": "request", "resource": "mails", "method": "list", "depends_on": "people",
             "loop_on": "resources.people", "debug": true},
        ]}))
        .await;
    let id = world.run(NewRun { error_handling: Some("batch".to_owned()), ..world.of(&job) }).await;
    world.start();
    assert_eq!(world.over(id).await.status, RunStatus::Completed);
    let events = world.services.store.read(|c| crate::store::outbox::after(c, 0, 100)).await.expect("read");
    let sent = events.iter().filter(|it| it.kind.as_str() == "sync_job_run:record_error");
    let counts: Vec<_> = sent.map(|it| it.payload["errors"].as_array().map_or(0, Vec::len)).collect();
    assert_eq!(counts, [1000, 1]);
    let filter = LogFilter { run: Some(id), before: None, between: None, limit: 5000 };
    let lines = world.jobs.run_log(&PERSON, filter).await.expect("read");
    assert!(
        lines.iter().any(|line| line.level == "debug" && line.message.starts_with("Request: mails list with account ")),
        "{lines:?}"
    );
    let left_out = format!("{} more lines of this step are left out.", errors - 200);
    assert!(lines.iter().any(|line| line.message == left_out), "{:?}", lines.last());
}

#[tokio::test]
async fn runs_with_one_mutex_run_one_after_the_other() {
    let world = World::new(Script { gate: Some(tokio::sync::Semaphore::new(0)), ..Script::default() }).await;
    let mut document = list_job();
    document["mutex_key"] = json!("{{args.project}}");
    let job = world.job(document).await;
    let with = |project: &str, force| {
        let args = Map::from_iter([("project".to_owned(), json!(project))]);
        NewRun { args, force, ..world.of(&job) }
    };
    let first = world.run(with("a", false)).await;
    world.start();
    world.until(first, |run| run.status == RunStatus::Running).await;
    let (second, forced) = (world.run(with("a", false)).await, world.run(with("a", true)).await);
    let other = world.run(with("b", false)).await;
    for id in [forced, other] {
        world.until(id, |run| run.status == RunStatus::Running).await;
    }
    let waiting = world.jobs.run(&PERSON, second).await.expect("a run");
    assert_eq!((waiting.status, waiting.spec.mutex_key.as_deref()), (RunStatus::Created, Some("a")));
    world.script.gate.as_ref().expect("a gate").add_permits(100);
    assert_eq!(world.over(second).await.status, RunStatus::Completed);
}

#[tokio::test]
async fn a_run_goes_on_after_a_restart_with_the_page_in_progress() {
    let world = World::with_two_pages().await;
    let job = world.job(list_job()).await;
    let id = world.run(world.of(&job)).await;
    world.start();
    // The first page is committed, and the second one is asked for.
    let mut changes = world.services.store.changes();
    while lock(&world.script.calls).len() < 2 {
        let _ = tokio::time::timeout(std::time::Duration::from_millis(20), changes.next()).await;
    }
    assert!(world.services.tasks.stop(WAIT_TIMEOUT).await, "all tasks end");
    let stopped = world.jobs.run(&PERSON, id).await.expect("a run");
    assert_eq!(json!(stopped.stats), json!({"people": {"list": {"fetched": 1, "persisted": 0}}}));

    let again = SyncJobs::new(Dependencies {
        store: world.services.store.clone(),
        keychain: world.services.keychain.clone(),
        clock: world.services.clock.clone(),
        outbound: Services::outbound(),
        orphans: world.services.orphans.clone(),
        tasks: Tasks::new(),
        accounts: world.services.accounts(),
        outbox: world.jobs.0.uses.outbox.clone(),
        runners: world.services.runners.clone(),
        environment: world.services.ids.environment,
        data_dir: std::path::PathBuf::new(),
    });
    again.set_calls(&PERSON, &world.calls);
    world.script.gate.as_ref().expect("a gate").add_permits(100);
    again.start();
    let run = world.over(id).await;
    assert_eq!(run.status, RunStatus::Completed);
    assert_eq!(json!(run.stats), json!({"people": {"list": {"fetched": 2, "persisted": 0}}}));
    assert_eq!(*lock(&world.script.calls), ["people first", "people b", "people b"]);
    assert_eq!(world.events().await, ["created", "started", "updated", "updated", "completed"]);
}

#[tokio::test]
async fn who_watches_sees_where_a_run_is_until_it_rests() {
    let world = World::with_two_pages().await;
    let mut live = world.jobs.live_runs(&PERSON);
    let mut set = world.services.store.changes();
    let job = world.job(list_job()).await;
    let id = world.run(world.of(&job)).await;
    world.start();
    let is_at_second_page = |runs: &LiveRuns| runs.get(&id).is_some_and(|run| run.node.is_some());
    let seen = tokio::time::timeout(WAIT_TIMEOUT, live.wait_for(is_at_second_page)).await.expect("in time");
    let seen = seen.expect("open").get(&id).cloned();
    assert_eq!(seen, Some(LiveRun { node: Some("people".to_owned()), waiting: 1, steps: 2 }));
    // The start was a change of what lists show. The page is none.
    while set.take().is_some() {}
    world.script.gate.as_ref().expect("a gate").add_permits(100);
    world.over(id).await;
    let rested = tokio::time::timeout(WAIT_TIMEOUT, live.wait_for(LiveRuns::is_empty)).await;
    rested.expect("in time").expect("open");
}

#[tokio::test]
async fn a_batch_changes_no_list() {
    let world = World::with([]).await;
    let job = world.job(list_job()).await;
    let id = world.run(world.of(&job)).await;
    let mut set = world.services.store.changes();
    let mut stats = ResourceStats::default();
    stats.add("people", "list", Counts { fetched: 1, ..Counts::default() });
    let write = move |tx: &rusqlite::Transaction<'_>| crate::store::sync_jobs::runs::add_stats(tx, id, &stats, START);
    assert!(world.services.store.write(write).await.expect("written"));
    assert!(!set.take().is_some_and(|set| set.sync_jobs));
    world.jobs.stop(&PERSON, id, Stop::Patch).await.expect("stopped");
    assert!(set.take().is_some_and(|set| set.sync_jobs), "its status is in lists");
}

#[tokio::test]
async fn a_run_is_made_again_with_what_it_was_made_with() {
    let world = World::with([]).await;
    let job = world.job(list_job()).await;
    let args = Map::from_iter([("from".to_owned(), json!("2026-01-01"))]);
    let new = NewRun { args, on_needs_reauth: Some("wait".to_owned()), ..world.of(&job) };
    let first = world.jobs.start_run(&PERSON, new).await.expect("made");
    let again = world.jobs.run_again(&PERSON, first.id).await.expect("made");
    assert_ne!(first.id, again.id);
    assert_eq!((&first.spec, first.account_id), (&again.spec, again.account_id));
    let job = first.sync_job_id;
    let ids = async |before, limit| {
        let runs = world.jobs.latest_runs(&PERSON, job, before, limit).await.expect("read");
        runs.into_iter().map(|run| run.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(None, 9).await, [again.id, first.id]);
    assert_eq!(ids(None, 1).await, [again.id]);
    assert_eq!(ids(Some(again.id), 9).await, [first.id]);
    let current = world.jobs.current_runs(&PERSON).await.expect("read");
    assert_eq!(current.last.iter().map(|run| run.id).collect::<Vec<_>>(), [again.id]);
    assert_eq!(current.open.len(), 2);
}

#[tokio::test]
async fn a_job_is_replaced_whole_unless_it_was_changed_since() {
    let world = World::with([]).await;
    let mut document = list_job();
    document["mutex_key"] = json!("k");
    let id = world.job(document).await.parse().expect("an id");
    let before = world.jobs.get::<SyncJob>(&PERSON, id).await.expect("there");
    let without = list_job().as_object().cloned().expect("an object");
    world.services.clock.advance_secs(1);
    let replace = world.jobs.replace::<SyncJob>(&PERSON, id, before.updated_at, without.clone()).await;
    assert_eq!(replace.expect("replaced").document, without, "a key that is left out is gone");
    let stale = world.jobs.replace::<SyncJob>(&PERSON, id, before.updated_at, without).await.expect_err("stale");
    assert_eq!(stale.code(), "changed_meanwhile");
}
