use relink_contract::call::CallWithBodies;
use relink_domain::{
    ApiTokenId, Timestamp,
    call::{CallRoute, Program},
    caller::Caller,
};
use uuid::Uuid;

use super::{
    unsaved::{MAX_ACCOUNTS, MAX_CALLS},
    *,
};
use crate::{
    sync::lock,
    testing::{NOWHERE, PERSON, SIGN_IN, START, Services, program},
};

/// A log that was built alone, and an account.
struct Alone {
    services: Services,
    log: CallLog,
    account: AccountId,
}

fn id(number: usize) -> AccountId {
    AccountId::from_uuid(Uuid::from_u128(number as u128))
}

fn call(at: Timestamp, path: &str, status: u16) -> Call {
    Call {
        at,
        program: Program { api_token_id: None, name: "you".to_owned() },
        route: CallRoute::Via,
        method: "GET".to_owned(),
        path: path.to_owned(),
        status: Some(status),
        headers_micros: Some(1_500),
        total_micros: 2_000,
        sent_bytes: 0,
        received_bytes: 12,
        error: None,
    }
}

impl Alone {
    async fn new() -> Self {
        let services = Services::new();
        let log = CallLog::new(Dependencies {
            store: services.store.clone(),
            accounts: services.accounts(),
            clock: services.clock.clone(),
            tasks: services.tasks.clone(),
        });
        let it = Self { services, log, account: id(1) };
        it.insert_account(it.account).await;
        it
    }

    async fn insert_account(&self, account: AccountId) {
        let insert = move |tx: &rusqlite::Transaction<'_>| {
            tx.execute_batch(
                "INSERT OR IGNORE INTO integration (id, name, built_in, version, document, created_at, updated_at)
                   VALUES ('i', 'acme', 0, 1, '{}', 0, 0);
                 INSERT OR IGNORE INTO environment_integration VALUES ('e', 'i', 1, 1, '{}', 0, 0, '{}', 0)",
            )?;
            tx.execute(
                "INSERT INTO integrated_account VALUES (?1, 'e', 't', '{}', 'active', NULL, 0, 0, NULL, 0, 0, NULL)",
                [account.to_string()],
            )?;
            Ok(())
        };
        self.services.store.write(insert).await.expect("inserted");
    }

    fn record(&self, call: Call) {
        self.log.record(&PERSON, self.account, call);
    }

    async fn paths(&self, query: CallQuery, limit: usize) -> Vec<String> {
        let calls = self.log.calls(&PERSON, query, limit).await.expect("read");
        calls.into_iter().map(|recorded| recorded.call.path).collect()
    }

    async fn usage(&self, account: AccountId, days: i64) -> Result<Vec<DayOfProgram>> {
        self.log.days_of(account, Day::of(START) - (days - 1)).await
    }

    fn of_account(&self) -> CallQuery {
        CallQuery { accounts: Some(vec![self.account]), ..CallQuery::default() }
    }
}

#[tokio::test]
async fn a_recorded_call_is_read_at_once_as_it_was() {
    let it = Alone::new().await;
    let recorded = call(START, "/v1/users?page=…", 200);
    it.record(recorded.clone());
    let read = it.log.calls(&PERSON, it.of_account(), 10).await.expect("read");
    assert_eq!(read.len(), 1);
    assert_eq!((read[0].account_id, &read[0].call), (it.account, &recorded));
    assert_eq!(it.paths(CallQuery::default(), 10).await, ["/v1/users?page=…"]);
}

#[tokio::test]
async fn each_account_keeps_its_last_calls_however_they_are_written() {
    let it = Alone::new().await;
    it.insert_account(id(2)).await;
    it.log.record(&PERSON, id(2), call(START, "/other", 200));
    for number in 0..CALLS_OF_ACCOUNT + 7 {
        it.record(call(START, &format!("/{number}"), 200));
    }
    let newest_first: Vec<_> = (7..CALLS_OF_ACCOUNT + 7).rev().map(|number| format!("/{number}")).collect();
    assert_eq!(it.paths(it.of_account(), 1000).await, newest_first);
    // Another batch pushes out those of the first.
    for number in 0..3 {
        it.record(call(START, &format!("/next-{number}"), 200));
    }
    let all = it.paths(it.of_account(), 1000).await;
    assert_eq!((all.len(), all[0].as_str(), all[99].as_str()), (CALLS_OF_ACCOUNT, "/next-2", "/10"));
    let other = CallQuery { accounts: Some(vec![id(2)]), ..CallQuery::default() };
    assert_eq!(it.paths(other, 1000).await, ["/other"]);
    assert_eq!(it.log.dropped(), 0, "what is pushed out isn't kept anyway");
}

#[tokio::test]
async fn calls_are_listed_newest_first_within_a_time_and_after_a_place() {
    let it = Alone::new().await;
    for secs in [3, 1, 2, 4] {
        it.record(call(START.plus_secs(secs), &format!("/{secs}"), 200));
    }
    assert_eq!(it.paths(CallQuery::default(), 10).await, ["/4", "/3", "/2", "/1"]);
    assert_eq!(it.paths(CallQuery::default(), 2).await, ["/4", "/3"]);
    let within =
        CallQuery { after: Some(START.plus_secs(1)), before: Some(START.plus_secs(4)), ..CallQuery::default() };
    assert_eq!(it.paths(within.clone(), 10).await, ["/3", "/2"]);
    let first = &it.log.calls(&PERSON, within.clone(), 1).await.expect("read")[0];
    let next = CallQuery { place: Some((first.call.at, first.seq)), ..within };
    assert_eq!(it.paths(next, 10).await, ["/2"]);
    let none = CallQuery { accounts: Some(Vec::new()), ..CallQuery::default() };
    assert_eq!(it.paths(none, 10).await, [] as [&str; 0]);
}

#[tokio::test]
async fn usage_adds_up_by_day_and_program_over_several_writes() {
    const DAY: i64 = 24 * 60 * 60;
    let it = Alone::new().await;
    let agent =
        |name: &str| Program { api_token_id: Some(ApiTokenId::from_uuid(Uuid::from_u128(9))), name: name.into() };
    it.record(call(START.plus_secs(-40 * DAY), "/long-ago", 200));
    it.record(call(START.plus_secs(-DAY), "/yesterday", 200));
    it.record(Call { program: agent("agent"), ..call(START, "/a", 200) });
    it.log.save().await;
    it.record(Call { program: agent("renamed"), ..call(START.plus_secs(5), "/a", 503) });
    it.record(call(START, "/mine", 200));
    it.record(Call { program: Program::from(&Caller::Internal), ..call(START, "/form", 200) });
    it.log.save().await;
    it.record(Call { program: Program::from(&Caller::Internal), ..call(START, "/form", 200) });
    let days = it.usage(it.account, 2).await.expect("read");
    let rows: Vec<_> =
        days.iter().map(|it| (it.day.to_string(), it.program.name.as_str(), it.usage.calls, it.usage.errors)).collect();
    let (yesterday, today) = ("2027-01-14".to_owned(), "2027-01-15".to_owned());
    assert_eq!(
        rows,
        [
            (yesterday, "you", 1, 0),
            (today.clone(), "you", 1, 0),
            (today.clone(), "renamed", 2, 1),
            (today, "Relink", 2, 0),
        ]
    );
    assert_eq!(days[2].usage.last_at, Some(START.plus_secs(5)));
    assert_eq!(days[2].usage.latency.percentile(100), Some(2_000));
    assert_eq!(it.usage(it.account, 60).await.expect("read").len(), 5);
}

#[tokio::test(start_paused = true)]
async fn calls_are_written_together_some_seconds_later() {
    let it = Alone::new().await;
    it.log.start();
    let mut changes = it.services.store.changes();
    for _ in 0..50 {
        it.record(call(START, "/x", 200));
    }
    assert_eq!(changes.take(), None, "nothing is written at once");
    let began = tokio::time::Instant::now();
    let written = changes.next().await.expect("written");
    assert!(written.calls && began.elapsed() >= SAVE_INTERVAL);
    let stored = it.services.store.read(|c| calls::list(c, &CallQuery::default(), 1000)).await.expect("read");
    assert_eq!(stored.len(), 50);
}

#[tokio::test]
async fn what_does_not_fit_into_memory_is_counted_and_dropped() {
    let it = Alone::new().await;
    let accounts = MAX_CALLS / CALLS_OF_ACCOUNT + 1;
    for number in 1..=accounts {
        for _ in 0..CALLS_OF_ACCOUNT {
            it.log.record(&PERSON, id(number), call(START, "/x", 200));
        }
    }
    assert_eq!(it.log.dropped(), CALLS_OF_ACCOUNT as u64);
    for number in accounts + 1..=MAX_ACCOUNTS {
        it.log.record(&PERSON, id(number), call(START, "/x", 200));
    }
    let before = it.log.dropped();
    it.log.record(&PERSON, id(MAX_ACCOUNTS + 1), call(START, "/x", 200));
    assert_eq!(it.log.dropped(), before + 1);
    let usage = it.usage(it.account, 1).await.expect("read");
    assert_eq!(usage[0].usage.calls, CALLS_OF_ACCOUNT as u64, "written, and nothing of accounts that don't exist");
}

#[tokio::test]
async fn a_disk_that_takes_nothing_costs_the_records_and_no_call() {
    let it = Alone::new().await;
    it.services.store.accept_writes(false).await.expect("set");
    it.record(call(START, "/lost", 200));
    assert_eq!(it.paths(it.of_account(), 10).await, [] as [&str; 0]);
    assert_eq!(it.log.dropped(), 1);
    it.services.store.accept_writes(true).await.expect("set");
    it.record(call(START, "/kept", 200));
    assert_eq!(it.paths(it.of_account(), 10).await, ["/kept"]);
}

#[tokio::test]
async fn records_go_with_their_account_and_with_time() {
    let it = Alone::new().await;
    it.insert_account(id(2)).await;
    it.record(call(START, "/x", 200));
    it.log.record(&PERSON, id(2), call(START.plus_secs(60), "/y", 200));
    it.log.save().await;
    let pruned = |before| it.services.store.write(move |tx| calls::prune(tx, before, 1));
    let day = 24 * 60 * 60;
    assert!(pruned(START.plus_secs(30)).await.expect("pruned"), "there may be more");
    assert_eq!(it.paths(CallQuery::default(), 10).await, ["/y"]);
    while pruned(START.plus_secs(30 + day)).await.expect("pruned") {}
    assert_eq!(it.usage(id(2), 5).await.expect("read"), [], "the day is gone as well");
    it.record(call(START.plus_secs(2 * day), "/z", 200));
    it.log.save().await;
    it.services.store.write(|tx| Ok(tx.execute("DELETE FROM integrated_account", [])?)).await.expect("deleted");
    it.record(call(START, "/late", 200));
    assert_eq!(it.paths(CallQuery::default(), 10).await, [] as [&str; 0]);
    assert_eq!(it.usage(it.account, 60).await.expect("read"), []);
}

fn with_bodies(path: &str) -> CallWithBodies {
    CallWithBodies {
        at: START,
        program: "you".to_owned(),
        method: "POST".to_owned(),
        path: path.to_owned(),
        status: Some(200),
        request: Some("{}".to_owned()),
        response: None,
    }
}

#[tokio::test]
async fn bodies_are_kept_for_an_hour_after_the_person_has_switched_them_on() {
    let it = Alone::new().await;
    let accounts = it.services.accounts();
    let installed = it.services.install_sandbox(NOWHERE).await;
    let account = it.services.connect(&accounts, &installed, SIGN_IN).await;
    let paths = async || {
        let bodies = it.log.bodies(&PERSON, account).await.expect("read");
        bodies.calls.into_iter().map(|call| call.path).collect::<Vec<_>>()
    };
    it.log.keep_bodies(&PERSON, account, with_bodies("/before"));
    assert!(!it.log.records_bodies(&PERSON, account));
    assert_eq!(paths().await, [] as [&str; 0]);
    let refused = it.log.record_bodies(&program(), account, true).await.expect_err("a program may not");
    assert_eq!(refused.code(), "forbidden");
    it.log.bodies(&program(), account).await.expect_err("nor read them");

    let on = it.log.record_bodies(&PERSON, account, true).await.expect("on");
    assert_eq!(on.until, Some(START.plus_secs(3600)));
    assert!(it.log.records_bodies(&program(), account) && !it.log.records_bodies(&PERSON, id(1)));
    for number in 0..25 {
        it.log.keep_bodies(&program(), account, with_bodies(&format!("/{number}")));
    }
    let newest_first: Vec<_> = (5..25).rev().map(|number| format!("/{number}")).collect();
    assert_eq!(paths().await, newest_first);

    it.services.clock.advance_secs(1800);
    let on = it.log.record_bodies(&PERSON, account, true).await.expect("on");
    assert_eq!((on.until, on.calls.len()), (Some(START.plus_secs(5400)), 20), "for another hour");
    it.services.clock.advance_secs(3600);
    assert!(!it.log.records_bodies(&PERSON, account));
    it.log.keep_bodies(&PERSON, id(1), with_bodies("/another account's"));
    assert!(!format!("{:?}", it.log.0.bodies).contains("/24"), "they are gone, although nobody has looked");
    assert_eq!(it.log.bodies(&PERSON, account).await.expect("read").until, None);

    it.log.record_bodies(&PERSON, account, true).await.expect("on");
    it.log.keep_bodies(&PERSON, account, with_bodies("/x"));
    let off = it.log.record_bodies(&PERSON, account, false).await.expect("off");
    assert_eq!((off.until, off.calls.len()), (None, 0));
    assert!(lock(&it.log.0.unsaved).is_empty(), "nothing of them is to be written");
}
