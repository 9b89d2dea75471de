use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use relink_domain::sync::OnNeedsReauth;
use serde_json::json;

use super::world::{World, graph, hook, lock, new_run, page, request};
use crate::{Ended, Outcome, Pause, RequestError, Run, Runner};

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
    let pause = Pause::RateLimited { node: "a".to_owned(), seconds: 30, error };
    assert_eq!(runner.run(|| false).await, Ok(Ended::Paused(pause)));
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
    let pause = Pause::NeedsReauth { node: "a".to_owned(), account: "account".to_owned(), error };
    assert_eq!(ended, Ended::Paused(pause));
    // Days later, in another process.
    assert_eq!(Runner::new(&run, &graph, &world).run(|| false).await, Ok(DONE));
    assert_eq!(world.shown(), ["out a [1,2]", "out a [3]"]);
}

#[tokio::test]
async fn a_busy_destination_pauses_the_provider_and_repeats_nothing_elsewhere() {
    let world = World::with_repos();
    lock(&world.busy).push("b");
    let (run, graph) =
        (new_run(), graph(&json!([request("r", "code/repos", &json!({})), hook("a", &["r"]), hook("b", &["r"])])));
    let mut runner = Runner::new(&run, &graph, &world);
    assert_eq!(runner.run(|| false).await, Ok(Ended::Paused(Pause::Destination { node: "b".to_owned(), seconds: 3 })));
    assert_eq!(world.called().len(), 1, "the next page isn't fetched");
    assert_eq!(runner.run(|| false).await, Ok(DONE));
    let to: Vec<_> = lock(&world.delivered).iter().map(|it| it.to.clone()).collect();
    assert_eq!(to, ["a", "b", "a", "b"]);
    assert_eq!(world.called().len(), 2, "the page in progress isn't fetched again");
    let stats = serde_json::to_value(&lock(&world.kept).stats).expect("JSON");
    assert_eq!(stats, json!({"code/repos": {"list": {"fetched": 3, "persisted": 6}}}));
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
    assert_eq!((world.shown().len(), world.called().len()), (2, 2));
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
