//! Triggers, what runs are asked with, and states.

use super::*;

#[tokio::test]
async fn a_trigger_fires_once_for_all_that_it_missed() {
    let world = World::with([]).await;
    let job = world.job(list_job()).await;
    let trigger = |cron: &str| {
        let document = json!({"sync_job_id": job, "integrated_account_id": world.account, "cron_expression": cron, "args": {"a": 1}, "meta": {"m": 1}});
        document.as_object().expect("an object").clone()
    };
    let id = world.jobs.add::<CronTrigger>(&PERSON, trigger("0 * * * *")).await.expect("added").id;
    world.start();
    assert_eq!(world.jobs.planned(&PERSON).await.expect("read"), [], "inactive until it is scheduled");
    let first = world.jobs.schedule(&PERSON, id).await.expect("scheduled");
    // The machine slept over a whole day.
    world.services.clock.advance_secs(24 * 60 * 60);
    let next = first.plus_secs(24 * 60 * 60);
    let mut changes = world.services.store.changes();
    while world.jobs.planned(&PERSON).await.expect("read") != [(id, next)] {
        changes.next().await.expect("open");
    }
    let runs = loop {
        let runs = world.jobs.runs(&PERSON, RunFilter::default()).await.expect("read");
        if runs.iter().any(|run| run.status.is_over()) {
            break runs;
        }
        changes.next().await.expect("open");
    };
    let seen: Vec<_> = runs.iter().map(|run| (run.trigger_id, json!(run.spec.args), run.spec.meta.clone())).collect();
    assert_eq!(seen, [(Some(id), json!({"a": 1}), Some(json!({"m": 1})))]);

    world.jobs.change::<CronTrigger>(&PERSON, id, trigger("30 * * * *")).await.expect("changed");
    assert_eq!(world.jobs.planned(&PERSON).await.expect("read"), [], "inactive after each change of the expression");
    world.jobs.schedule(&PERSON, id).await.expect("scheduled");
    world.jobs.delete::<SyncJob>(&PERSON, job.parse().expect("an id")).await.expect("deleted");
    let gone = world.jobs.get::<CronTrigger>(&PERSON, id).await.expect_err("gone with its job");
    assert_eq!(gone.code(), "not_found");
}

#[tokio::test]
async fn while_a_triggers_run_waits_to_be_started_no_further_one_is_made() {
    const HOUR: i64 = 60 * 60;
    let limited =
        RequestError::RateLimited { seconds: 48 * 3600, error: json!({"statusCode": 429, "message": "Slow"}) };
    let world = World::with([Err(limited)]).await;
    let job = world.job(list_job()).await;
    let document = json!({"sync_job_id": job, "integrated_account_id": world.account, "cron_expression": "0 * * * *"});
    let document = document.as_object().expect("an object").clone();
    let id = world.jobs.add::<CronTrigger>(&PERSON, document).await.expect("added").id;
    world.start();
    let first = world.jobs.schedule(&PERSON, id).await.expect("scheduled");
    let mut changes = world.services.store.changes();
    for (hour, statuses) in [
        (0, &[RunStatus::RateLimited][..]),
        (1, &[RunStatus::RateLimited, RunStatus::Created]),
        (2, &[RunStatus::RateLimited, RunStatus::Created]),
        (3, &[RunStatus::RateLimited, RunStatus::Created]),
    ] {
        let now = world.services.clock.now();
        world.services.clock.advance_secs((first.plus_secs(hour * HOUR).as_millis() - now.as_millis()) / 1000 + 1);
        let next = first.plus_secs((hour + 1) * HOUR);
        loop {
            let planned = world.jobs.planned(&PERSON).await.expect("read");
            let runs = world.jobs.runs(&PERSON, RunFilter::default()).await.expect("read");
            let found: Vec<_> = runs.iter().map(|run| run.status).collect();
            if planned == [(id, next)] && found == statuses {
                break;
            }
            assert!(found.len() <= statuses.len(), "{found:?} after {hour} hours");
            changes.next().await.expect("open");
        }
    }
}

/// A day has 24 hours in UTC all year, also where people change their clocks.
#[tokio::test]
async fn a_daily_trigger_makes_a_run_on_each_day_of_a_year_and_one_for_days_of_sleep() {
    const DAY: i64 = 24 * 60 * 60;
    let world = World::with([]).await;
    let job = world.job(list_job()).await;
    let document = json!({"sync_job_id": job, "integrated_account_id": world.account, "cron_expression": "30 2 * * *"});
    let document = document.as_object().expect("an object").clone();
    let id = world.jobs.add::<CronTrigger>(&PERSON, document).await.expect("added").id;
    world.start();
    let first = world.jobs.schedule(&PERSON, id).await.expect("scheduled");
    assert!(first.to_string().ends_with("T02:30:00.000Z"), "{first}");
    let mut changes = world.services.store.changes();
    let (mut day, mut made) = (0, 0);
    while day < 365 {
        // In March the machine sleeps for ten days, in October for two.
        let slept = match day {
            80 => 10,
            290 => 2,
            _ => 0,
        };
        day += slept;
        // When: it is a minute after the time
        let now = world.services.clock.now();
        let at = first.plus_secs(day * DAY + 60);
        world.services.clock.advance_secs((at.as_millis() - now.as_millis()) / 1000);
        day += 1;
        made += 1;
        // Then
        let next = first.plus_secs(day * DAY);
        while world.jobs.planned(&PERSON).await.expect("read") != [(id, next)] {
            changes.next().await.expect("open");
        }
        loop {
            let runs = world.jobs.runs(&PERSON, RunFilter::default()).await.expect("read");
            assert!(runs.len() <= made, "{} runs instead of {made} on day {day}", runs.len());
            if runs.len() == made && runs.iter().all(|run| run.status.is_over()) {
                break;
            }
            changes.next().await.expect("open");
        }
    }
    assert_eq!((day, made), (365, 365 - 12));
}

/// Adds the datastore's row without its keys.
async fn datastore(world: &World) -> String {
    let document = json!({"type": "s3", "label": "Exports"}).as_object().expect("an object").clone();
    let row = Document::<Datastore>::new(document, START);
    let id = row.id.to_string();
    world.services.store.write(move |tx| documents::put(tx, &row)).await.expect("written");
    id
}

#[tokio::test]
async fn a_trigger_that_cant_make_its_run_says_why_until_it_can() {
    const HOUR: i64 = 60 * 60;
    let world = World::with([]).await;
    let flat =
        json!({"args_schema": {"n": {"type": "number"}}, "resources": [{"resource": "people", "method": "list"}]});
    let job = world.job(flat.clone()).await;
    let job_id = job.parse().expect("an id");
    let store = datastore(&world).await;
    let document = json!({
        "sync_job_id": job, "integrated_account_id": world.account, "datastore_id": store,
        "cron_expression": "0 * * * *", "args": {"n": 1},
    });
    let document = document.as_object().expect("an object").clone();
    let id = world.jobs.add::<CronTrigger>(&PERSON, document).await.expect("added").id;
    world.start();
    let first = world.jobs.schedule(&PERSON, id).await.expect("scheduled");
    let mut changes = world.services.store.changes();
    let mut hour = 0;
    // The next time passes. Gives why no run was made.
    let mut fire = async || {
        let at = first.plus_secs(hour * HOUR + 60);
        world.services.clock.advance_secs((at.as_millis() - world.services.clock.now().as_millis()) / 1000);
        hour += 1;
        let next = first.plus_secs(hour * HOUR);
        while world.jobs.planned(&PERSON).await.expect("read") != [(id, next)] {
            changes.next().await.expect("open");
        }
        world.jobs.trigger_errors(&PERSON).await.expect("read").pop().map(|(of, error)| {
            assert_eq!((of, error.at), (id, at));
            error.message
        })
    };
    let change = async |change: Value| {
        let Value::Object(change) = change else { panic!("an object") };
        world.jobs.change::<SyncJob>(&PERSON, job_id, change).await.expect("changed");
    };
    // Given: all is well
    assert_eq!(fire().await, None);
    let run = world.jobs.runs(&PERSON, RunFilter::default()).await.expect("read").pop().expect("a run");
    world.over(run.id).await;

    // When: its arguments are no longer taken, Then: the next time says why
    change(json!({"args_schema": {"n": {"type": "boolean"}}})).await;
    let said = fire().await.expect("it can't");
    assert!(said.starts_with("The job doesn't take the trigger's arguments: n must be"), "{said}");
    assert!(said.ends_with(" Remove the trigger, and add one with other arguments."), "{said}");
    change(json!({"args_schema": null, "args_validation": "refuse"})).await;
    let said = fire().await.expect("it can't");
    assert_eq!(
        said,
        "The job doesn't take the trigger's arguments: No such project. Remove the trigger, and add one with other arguments."
    );
    // When: they are taken, Then: a run is made, and the reason is gone
    change(json!({"args_validation": null})).await;
    assert_eq!(fire().await, None);

    // Its job's nodes are no longer valid: an earlier version took them.
    let broken = json!([{"resource": "people", "method": "list", "depends_on": "nobody"}]);
    let mut row = world.jobs.get::<SyncJob>(&PERSON, job_id).await.expect("there");
    let good = row.document.insert("resources".to_owned(), broken);
    let broken = row.clone();
    world.services.store.write(move |tx| documents::put(tx, &broken)).await.expect("written");
    let said = fire().await.expect("it can't");
    assert!(said.starts_with("The job can't run: resources[0].depends_on names \"nobody\""), "{said}");
    assert!(said.ends_with(" Correct the job."), "{said}");
    row.document.insert("resources".to_owned(), good.expect("it had some"));
    world.services.store.write(move |tx| documents::put(tx, &row)).await.expect("written");

    // Its datastore is gone.
    let store_id = store.parse().expect("an id");
    world.services.store.write(move |tx| documents::delete::<Datastore>(tx, store_id)).await.expect("deleted");
    let gone = |what: &str, other: &str| {
        Some(format!("The trigger's {what} was deleted. Remove the trigger, and add one {other} {what}."))
    };
    assert_eq!(fire().await, gone("datastore", "with another"));
    // It names nothing for its records.
    let without = json!({"datastore_id": null}).as_object().expect("an object").clone();
    world.jobs.change::<CronTrigger>(&PERSON, id, without).await.expect("changed");
    assert!(fire().await.expect("it can't").contains("the trigger names neither"));
    // Its webhook is gone.
    let mut row = world.jobs.get::<CronTrigger>(&PERSON, id).await.expect("there");
    row.document.insert("webhook_id".to_owned(), json!("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"));
    world.services.store.write(move |tx| documents::put(tx, &row)).await.expect("written");
    assert_eq!(fire().await, gone("webhook", "with another"));
    // Its account is gone.
    world.jobs.0.uses.accounts.delete(&PERSON, world.account).await.expect("deleted");
    assert_eq!(fire().await, gone("account", "for another"));
    assert_eq!(world.jobs.runs(&PERSON, RunFilter::default()).await.expect("read").len(), 2);

    // When: it is scheduled again, Then: what went wrong before is over
    world.jobs.schedule(&PERSON, id).await.expect("scheduled");
    assert_eq!(world.jobs.trigger_errors(&PERSON).await.expect("read"), []);
}

#[tokio::test]
async fn what_a_run_is_asked_with_is_checked() {
    let world = World::with([]).await;
    let mut document = list_job();
    document["args_schema"] = json!({"n": {"type": "number", "required": true}});
    document["args_validation"] = json!("refuse");
    let job = world.job(document).await;
    let refused = async |new: NewRun| match world.jobs.start_run(&PERSON, new).await.expect_err("refused") {
        RunProblems::Args(failures) => failures[0].path.clone(),
        RunProblems::Other(Error::Invalid { field, message, .. }) => {
            format!("{}: {message}", field.unwrap_or_default())
        }
        RunProblems::Other(other) => other.to_string(),
    };
    assert_eq!(refused(world.of(&job)).await, "args.n");
    let args = Map::from_iter([("n".to_owned(), json!(1))]);
    let good = NewRun { args, ..world.of(&job) };
    assert_eq!(refused(good.clone()).await, "args: No such project.");
    let plain = world.job(list_job()).await;
    let known = "error_handling \"retry\" isn't known. Use fail_fast, ignore, batch.";
    let uuid = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let missing =
        |what: &str, field: &str| format!("{field}: {field} names no {what}: there is none with the id {uuid}.");
    for (new, problem) in [
        (NewRun { error_handling: Some("retry".to_owned()), ..world.of(&plain) }, format!("error_handling: {known}")),
        (world.of(uuid), missing("sync job", "sync_job_id")),
        (
            NewRun { integrated_account_id: Some(uuid.to_owned()), ..world.of(&plain) },
            missing("integrated account", "integrated_account_id"),
        ),
        (NewRun { webhook_id: Some(uuid.to_owned()), ..world.of(&plain) }, missing("webhook", "webhook_id")),
        (world.of(""), "sync_job_id: sync_job_id is missing. Give the id of a sync job.".to_owned()),
    ] {
        assert_eq!(refused(new).await, problem);
    }
    let flat = world.job(json!({"resources": [{"resource": "people", "method": "list"}]})).await;
    assert!(refused(world.of(&flat)).await.starts_with("webhook_id: webhook_id is missing."), "its records go nowhere");
    assert_eq!(world.jobs.runs(&PERSON, RunFilter::default()).await.expect("read").len(), 0);
}

#[tokio::test]
async fn cells_of_a_state_are_added_changed_and_removed() {
    let world = World::with([]).await;
    let jobs = &world.jobs;
    let cell = jobs.add_state(&PERSON, "k", "a", json!("1")).await.expect("added");
    assert_eq!((cell.value, cell.run_id, cell.created_at), (json!("1"), None, START));
    assert_eq!(jobs.add_state(&PERSON, "k", "a", json!("2")).await.expect_err("there").code(), "state_exists");
    assert_eq!(jobs.change_state(&PERSON, "k", "b", json!("2")).await.expect_err("not there").code(), "not_found");
    jobs.change_state(&PERSON, "k", "a", json!({"b": 1})).await.expect("changed");
    jobs.add_state(&PERSON, "other", "a", json!(1)).await.expect("another state");
    assert_eq!(jobs.states(&PERSON, "k").await.expect("read").len(), 1);
    assert_eq!(jobs.delete_state(&PERSON, "k", "a").await.expect("removed").value, json!({"b": 1}));
    assert_eq!(jobs.state(&PERSON, "k", "a").await.expect_err("gone").code(), "not_found");
    assert_eq!(jobs.add_state(&PERSON, "k", "", json!(1)).await.expect_err("no key").code(), "key_invalid");
}

#[tokio::test]
async fn a_trigger_that_is_unscheduled_while_it_fires_makes_no_run() {
    let world = World::new(Script { evaluations: Some(tokio::sync::Semaphore::new(0)), ..Script::default() }).await;
    let mut document = list_job();
    document["args_validation"] = json!("null");
    let job = world.job(document).await;
    let document = json!({"sync_job_id": job, "integrated_account_id": world.account, "cron_expression": "0 * * * *"});
    let document = document.as_object().expect("an object").clone();
    let id = world.jobs.add::<CronTrigger>(&PERSON, document).await.expect("added").id;
    world.start();
    world.jobs.schedule(&PERSON, id).await.expect("scheduled");
    // Given: its time has come, and its arguments are being checked
    world.services.clock.advance_secs(60 * 60);
    tokio::time::timeout(WAIT_TIMEOUT, world.script.evaluating.notified()).await.expect("in time");
    // When: its times are changed, which unschedules it
    let change = json!({"cron_expression": "30 * * * *"}).as_object().cloned().expect("an object");
    world.jobs.change::<CronTrigger>(&PERSON, id, change).await.expect("changed");
    world.script.evaluations.as_ref().expect("a gate").add_permits(100);
    // Then: another run is made after that, and there is none of the trigger
    let other = world.run(NewRun { force: true, ..world.of(&job) }).await;
    world.over(other).await;
    let runs = world.jobs.runs(&PERSON, RunFilter::default()).await.expect("read");
    assert_eq!(runs.iter().map(|run| run.id).collect::<Vec<_>>(), [other]);
    assert_eq!(world.jobs.planned(&PERSON).await.expect("read"), []);
}
