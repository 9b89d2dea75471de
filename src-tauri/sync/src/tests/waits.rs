use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use relink_domain::sync::OnNeedsReauth;
use serde_json::json;
use tokio::sync::Semaphore;

use super::world::{World, graph, hook, lock, new_run, page, request};
use crate::{Ended, Outcome, RequestError, Run, Runner, Wait};

const DONE: Ended = Ended::Finished(Outcome::Completed);

/// A list of two pages, whose second one is refused the first time.
fn refusing(error: RequestError) -> World {
    let refusals = AtomicUsize::new(0);
    World::new(move |call| match call.cursor {
        None => page(&json!([1, 2]), Some("2")),
        Some(_) if refusals.fetch_add(1, SeqCst) == 0 => Err(error.clone()),
        Some(_) => page(&json!([3]), None),
    })
}

#[tokio::test]
async fn a_limit_is_reported_and_the_run_goes_on_where_it_was() {
    let error = json!({"statusCode": 429});
    let world = refusing(RequestError::RateLimited { seconds: 30, error: error.clone() });
    let (run, graph) = (new_run(), graph(&json!([request("a", "a", &json!({})), hook("out", &["a"])])));
    let mut runner = Runner::new(&run, &graph, &world);
    let wait = Wait::RateLimited { node: "a".to_owned(), seconds: 30, error };
    assert_eq!(runner.run(|| false).await, Ok(Ended::Waits(wait)));
    assert_eq!(world.shown(), ["out a [1,2]"]);
    assert_eq!(runner.run(|| false).await, Ok(DONE));
    assert_eq!(world.shown(), ["out a [1,2]", "out a [3]"]);
    assert_eq!(world.called().len(), 3);
}

#[tokio::test]
async fn an_account_without_its_person_fails_the_run_or_waits() {
    let unauthorized = || RequestError::Unauthorized(json!({"statusCode": 401}));
    let graph = graph(&json!([request("a", "a", &json!({})), hook("out", &["a"])]));
    let world = refusing(unauthorized());
    let run = new_run();
    let ended = Runner::new(&run, &graph, &world).run(|| false).await.expect("a journal");
    assert!(matches!(&ended, Ended::Finished(Outcome::Failed(it)) if it.error["statusCode"] == 401), "{ended:?}");
    let world = refusing(unauthorized());
    let run = Run { on_needs_reauth: OnNeedsReauth::Wait, ..new_run() };
    let ended = Runner::new(&run, &graph, &world).run(|| false).await.expect("a journal");
    let error = json!({"statusCode": 401});
    let wait = Wait::NeedsReauth { node: "a".to_owned(), account: "account".to_owned(), error };
    assert_eq!(ended, Ended::Waits(wait));
    // Days later, in another process.
    assert_eq!(Runner::new(&run, &graph, &world).run(|| false).await, Ok(DONE));
    assert_eq!(world.shown(), ["out a [1,2]", "out a [3]"]);
}

#[tokio::test]
async fn a_busy_destination_slows_the_provider_down_and_repeats_nothing_elsewhere() {
    let world = World::with_repos();
    lock(&world.busy).push("b");
    let (run, graph) =
        (new_run(), graph(&json!([request("r", "code/repos", &json!({})), hook("a", &["r"]), hook("b", &["r"])])));
    let mut runner = Runner::new(&run, &graph, &world);
    assert_eq!(runner.run(|| false).await, Ok(Ended::Waits(Wait::Destination { node: "b".to_owned(), seconds: 3 })));
    assert_eq!(world.called().len(), 2, "one page waits, and no more");
    assert_eq!(runner.run(|| false).await, Ok(DONE));
    let to: Vec<_> = lock(&world.delivered).iter().map(|it| it.to.clone()).collect();
    assert_eq!(to, ["a", "b", "a", "b"]);
    assert_eq!(world.called().len(), 2, "neither the page in progress nor the one that waits is fetched again");
    let stats = serde_json::to_value(&lock(&world.kept).stats).expect("JSON");
    assert_eq!(stats, json!({"code/repos": {"list": {"fetched": 3, "persisted": 6}}}));
}

#[tokio::test]
async fn the_next_page_is_fetched_while_a_batch_is_on_its_way_and_only_then() {
    let list = |of: &[&str]| json!([request("r", "code/repos", &json!({})), hook("a", of)]);
    let (first, second) = ("account code/repos.list {}", "account code/repos.list {} @2");
    // The calls at the time of each delivery.
    for (job, expected) in [
        (list(&["r"]), vec![vec![first, second], vec![first, second]]),
        (
            // Those of the repositories of the first page come before the second one.
            json!([
                request("r", "code/repos", &json!({})),
                request("i", "issues", &json!({"depends_on": "r", "run_if": "false"})),
                hook("a", &["r"]),
            ]),
            vec![vec![first], vec![first, second]],
        ),
        (
            json!([request("r", "code/repos", &json!({"method": "search"})), hook("a", &["r"])]),
            vec![
                vec!["account code/repos.search {}"],
                vec!["account code/repos.search {}", "account code/repos.search {} @2"],
            ],
        ),
    ] {
        let world = World::with_repos();
        assert_eq!(super::world::run(&world, &job).await, DONE);
        let calls: Vec<_> = lock(&world.delivered).iter().map(|it| it.calls.clone()).collect();
        assert_eq!(calls, expected, "{job}");
    }
}

#[tokio::test]
async fn a_batch_does_not_wait_for_the_page_behind_it() {
    let mut world = World::with_repos();
    world.later_pages = Some(Semaphore::new(0));
    let job = json!([request("r", "code/repos", &json!({})), hook("a", &["r"])]);
    // The second page comes after the delivery of the first one, or never.
    assert_eq!(super::world::run(&world, &job).await, DONE);
    assert_eq!(world.shown().len(), 2);
}

#[tokio::test]
async fn who_only_tries_a_destination_again_fetches_one_page() {
    let world = World::with_repos();
    lock(&world.busy).extend(["a", "a"]);
    let (run, graph) = (new_run(), graph(&json!([request("r", "code/repos", &json!({})), hook("a", &["r"])])));
    // As their owner does it: a runner for each try.
    for calls in [2, 3] {
        let ended = Runner::new(&run, &graph, &world).run(|| false).await;
        assert!(matches!(ended, Ok(Ended::Waits(_))), "{ended:?}");
        assert_eq!(world.called().len(), calls);
    }
    assert_eq!(Runner::new(&run, &graph, &world).run(|| false).await, Ok(DONE));
    assert_eq!(world.called().len(), 5);
}

#[tokio::test]
async fn a_run_stops_between_steps_and_is_resumed_from_its_journal() {
    let world = World::with_repos();
    let (run, graph) = (new_run(), graph(&json!([request("r", "code/repos", &json!({})), hook("a", &["r"])])));
    let steps = AtomicUsize::new(0);
    let should_stop = || steps.fetch_add(1, SeqCst) >= 2;
    assert_eq!(Runner::new(&run, &graph, &world).run(should_stop).await, Ok(Ended::Stopped));
    assert_eq!(world.shown().len(), 1);
    let mut resumed = Runner::new(&run, &graph, &world);
    assert_eq!(resumed.run(|| false).await, Ok(DONE));
    assert_eq!(world.shown().len(), 2);
    assert_eq!(resumed.run(|| false).await, Ok(DONE), "over stays over");
    let calls = ["account code/repos.list {}", "account code/repos.list {} @2", "account code/repos.list {} @2"];
    assert_eq!(
        (world.shown().len(), world.called()),
        (2, calls.map(str::to_owned).to_vec()),
        "what waited is fetched again"
    );
}

#[tokio::test]
async fn the_stack_is_as_deep_as_the_graph_however_long_the_lists_are() {
    let world = World::new(|call| {
        let at: usize = call.cursor.map_or(0, |cursor| cursor.parse().expect("a number"));
        let next = (at < 5).then(|| (at + 1).to_string());
        page(&json!([{"id": 1}, {"id": 2}]), next.as_deref())
    });
    let job = json!([
        request("a", "a", &json!({})),
        request("b", "b", &json!({"depends_on": "a", "loop_on": "resources.a"})),
        request("c", "c", &json!({"depends_on": "b"})),
        hook("out", &["c"]),
    ]);
    let (run, graph) = (new_run(), graph(&job));
    assert_eq!(Runner::new(&run, &graph, &world).run(|| false).await, Ok(DONE));
    assert_eq!(world.shown().len(), 6 * 12 * 6);
    assert_eq!(lock(&world.kept).most_tasks, 3);
}
