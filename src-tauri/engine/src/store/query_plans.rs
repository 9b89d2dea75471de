//! Tests of the plans of frequent queries: each searches by an index, and none reads or sorts rows that it doesn't
//! return.

use std::sync::{Arc, Mutex};

use relink_domain::{AccountId, DeliveryId, EnvironmentIntegrationId, Timestamp, WebhookId, call::Day};
use rusqlite::{
    Connection,
    trace::{TraceEvent, TraceEventCodes},
};
use uuid::Uuid;

use super::{
    Result, accounts, calls,
    filter::{AccountOrder, AccountPlace, AccountText, AccountTime, Comparison, Condition, Filter},
    links, migrations, outbox, timeline, webhooks,
};

/// A database in memory with the newest schema.
pub(super) fn in_memory() -> Connection {
    let mut connection = Connection::open_in_memory().expect("opens");
    super::configure(&connection).expect("configured");
    migrations::run(&mut connection, None).expect("migrates");
    connection
}

/// The plan of every statement that a query runs, a line for each step.
fn plan_of<T>(query: impl FnOnce(&Connection) -> Result<T>) -> Vec<String> {
    let mut connection = in_memory();
    let statements = Arc::new(Mutex::new(Vec::<String>::new()));
    let seen = Arc::clone(&statements);
    let note = move |event: TraceEvent<'_>| {
        if let TraceEvent::Stmt(_, sql) = event {
            seen.lock().expect("not poisoned").push(sql.to_owned());
        }
    };
    connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(note)).expect("traced");
    query(&connection).expect("runs");
    connection.trace_v2(TraceEventCodes::empty(), None::<fn(TraceEvent<'_>)>).expect("not traced");
    let statements = statements.lock().expect("not poisoned");
    assert!(!statements.is_empty(), "the query runs a statement");
    let explain = |sql: &String| {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("explained");
        // Values stay unbound: the plan doesn't depend on them.
        let mut rows = statement.raw_query();
        let mut steps = Vec::new();
        while let Some(row) = rows.next().expect("a step") {
            steps.push(row.get::<_, String>(3).expect("text"));
        }
        steps
    };
    statements.iter().filter(|sql| !sql.starts_with("--")).flat_map(explain).collect()
}

#[track_caller]
fn searches<T>(query: impl FnOnce(&Connection) -> Result<T>) {
    let plan = plan_of(query);
    let slow = plan.iter().find(|step| step.starts_with("SCAN") || step.starts_with("USE TEMP B-TREE"));
    assert!(slow.is_none(), "{plan:#?}");
}

/// Reads an index from end to end, without the table.
#[track_caller]
fn reads_the_index_alone<T>(index: &str, query: impl FnOnce(&Connection) -> Result<T>) {
    let plan = plan_of(query);
    assert!(plan.len() == 1 && plan[0].ends_with(index), "{plan:#?}");
}

fn write<T>(write: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T>) -> impl FnOnce(&Connection) -> Result<T> {
    |connection| write(&connection.unchecked_transaction()?)
}

fn account() -> AccountId {
    AccountId::from_uuid(Uuid::from_u128(1))
}

fn webhook() -> WebhookId {
    WebhookId::from_uuid(Uuid::from_u128(1))
}

const THEN: Timestamp = Timestamp::from_millis(1_700_000_000_000);

#[test]
fn timelines_are_read_newest_first_by_their_index() {
    for account in [None, Some(account())] {
        for before in [None, Some(1000)] {
            searches(|c| timeline::list(c, account, before, Some(100)));
            searches(|c| timeline::page(c, account, before, true, (50, 2000)));
        }
    }
    searches(|c| timeline::name_of_deleted(c, account()));
}

#[test]
fn one_account_and_its_name_are_found_by_id() {
    searches(|c| accounts::get(c, account()));
    searches(|c| accounts::get_used(c, account()));
    searches(|c| accounts::name_of(c, account()));
}

#[test]
fn accounts_are_listed_in_each_order_by_an_index_of_each_filter() {
    let after = Some(AccountPlace { at: THEN, id: account() });
    let orders = [AccountTime::Created, AccountTime::Updated]
        .map(|by| [false, true].map(|newest_first| AccountOrder { by, newest_first }))
        .concat();
    let text = |field, value: &str| Filter {
        texts: vec![(field, Condition::In(vec![value.to_owned()]))],
        ..Filter::default()
    };
    let of_time = |comparison| Filter {
        times: vec![(AccountTime::Updated, Condition::Compare(comparison, THEN))],
        ..Filter::default()
    };
    let status = |names: &[&str]| Filter {
        statuses: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Filter::default()
    };
    let filters = [
        text(AccountText::TenantId, "acme"),
        text(AccountText::Status, "needs_reauth"),
        status(&["needs_reauth"]),
        text(AccountText::Integration, "github"),
        Filter {
            environment_integration_id: Some(EnvironmentIntegrationId::from_uuid(Uuid::from_u128(1))),
            ..Filter::default()
        },
    ];
    for filter in filters {
        for order in &orders {
            for after in [None, after] {
                searches(|c| accounts::list(c, &filter, *order, after, Some(100)));
            }
        }
    }
    for order in &orders {
        let list = |filter: &Filter, after| plan_of(|c| accounts::list(c, filter, *order, after, Some(100)));
        searches(|c| accounts::list(c, &Filter::default(), *order, after, Some(100)));
        // The first page begins at the start of its index.
        let plan = list(&Filter::default(), None);
        let in_order = match order.by {
            AccountTime::Created => "SEARCH integrated_account USING PRIMARY KEY",
            AccountTime::Updated => "SCAN integrated_account USING INDEX integrated_account_updated",
            AccountTime::SandboxSince => unreachable!("not an order of all accounts"),
        };
        assert!(plan.len() == 1 && plan[0].starts_with(in_order), "{plan:#?}");
        if order.by == AccountTime::Updated {
            for comparison in [Comparison::Greater, Comparison::LessOrEqual] {
                searches(|c| accounts::list(c, &of_time(comparison), *order, after, Some(100)));
                searches(|c| accounts::list(c, &of_time(comparison), *order, None, Some(100)));
            }
        }
    }
    // With several statuses, either the order or the index can be used.
    let several = plan_of(|c| accounts::list(c, &status(&["needs_reauth", "validation_error"]), orders[0], None, None));
    assert!(several[0].contains("integrated_account_status (status=?"), "{several:#?}");
}

#[test]
fn sandbox_accounts_are_listed_in_each_order_by_an_index_of_them_alone() {
    let filter = Filter { is_sandbox: vec![Condition::In(vec![true])], ..Filter::default() };
    for (by, index) in [
        (AccountTime::Created, "integrated_account_sandbox"),
        (AccountTime::SandboxSince, "integrated_account_sandbox_since"),
        (AccountTime::Updated, "integrated_account_sandbox_updated"),
    ] {
        for newest_first in [false, true] {
            for after in [None, Some(AccountPlace { at: THEN, id: account() })] {
                let plan = plan_of(|c| accounts::list(c, &filter, AccountOrder { by, newest_first }, after, Some(100)));
                let is_of_index = |step: &str| step.split(" (").next().is_some_and(|step| step.ends_with(index));
                assert!(plan.len() == 1 && is_of_index(&plan[0]), "{by:?}: {plan:#?}");
            }
        }
    }
}

#[test]
fn counts_and_schedules_read_an_index_alone() {
    reads_the_index_alone("COVERING INDEX integrated_account_integration", accounts::counts);
    assert_eq!(plan_of(accounts::status_counts), ["SCAN account_count"]);
    searches(accounts::due);
    searches(accounts::unfinished);
    let used = plan_of(|c| accounts::used_since(c, THEN));
    assert!(used[0].contains("integrated_account_used (last_used_at>?"), "{used:#?}");
}

#[test]
fn due_deliveries_are_found_by_the_index_of_their_webhook() {
    searches(|c| webhooks::due(c, webhook(), THEN, Some(8)));
    searches(|c| webhooks::next_due(c, webhook(), THEN));
    searches(|c| webhooks::deliveries(c, webhook(), webhooks::DeliveryFilter::default(), 100));
    for before in [None, Some(1000)] {
        let failed = webhooks::DeliveryFilter { state: Some(webhooks::DeliveryState::Failed), before };
        let plan = plan_of(|c| webhooks::deliveries(c, webhook(), failed, 100));
        assert!(plan[0].contains("delivery_state (webhook_id=? AND state=?"), "{plan:#?}");
        searches(|c| webhooks::deliveries(c, webhook(), failed, 100));
    }
    let delivery = DeliveryId::from_uuid(Uuid::from_u128(1));
    searches(|c| webhooks::delivery(c, webhook(), delivery));
    searches(|c| webhooks::pending(c, webhook(), delivery));
    searches(|c| webhooks::attempts_of(c, delivery));
    searches(write(|tx| webhooks::retry(tx, webhook(), delivery, THEN)));
    // There are few webhooks; each of their deliveries is searched.
    let plan = plan_of(webhooks::all_next_due);
    assert!(!plan.iter().any(|step| step.starts_with("SCAN d")), "{plan:#?}");
}

#[test]
fn calls_are_read_by_their_time_and_those_of_an_account_by_its_index() {
    use calls::CallQuery;
    for place in [None, Some((THEN, 7))] {
        let query = CallQuery { after: Some(THEN), before: Some(THEN), place, ..CallQuery::default() };
        searches(|c| calls::list(c, &query, 100));
        let query = CallQuery { accounts: Some(vec![account()]), ..query };
        let plan = plan_of(|c| calls::list(c, &query, 100));
        assert!(plan[0].contains("INDEX call_account (account_id=?"), "{plan:#?}");
    }
    searches(|c| calls::usage_since(c, account(), Day::of(THEN)));
    searches(write(|tx| calls::add(tx, account(), &[], 100)));
    let plan = plan_of(write(|tx| calls::prune(tx, THEN, 500)));
    assert!(plan.iter().all(|step| !step.starts_with("SCAN call")), "{plan:#?}");
}

#[test]
fn the_outbox_is_read_by_sequence_number() {
    searches(|c| outbox::after(c, 1000, 100));
}

#[test]
fn pruning_reads_the_range_that_it_prunes() {
    let subquery = ["SCAN (subquery-1)", "CO-ROUTINE (subquery-1)"];
    for plan in [plan_of(|c| timeline::old(c, 0, THEN, 500)), plan_of(|c| outbox::old(c, 0, THEN, 500))] {
        let scans = plan.iter().filter(|step| step.starts_with("SCAN") && !subquery.contains(&step.as_str()));
        assert_eq!(scans.count(), 0, "{plan:#?}");
    }
    searches(write(|tx| timeline::prune(tx, 0, 500, THEN, 100)));
    searches(write(|tx| outbox::prune(tx, 0, 500, THEN, THEN)));
}

#[test]
fn links_are_listed_newest_first_by_their_index() {
    let plan = plan_of(links::all);
    assert!(plan[0].contains("USING INDEX link_token_created"), "{plan:#?}");
    assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{plan:#?}");
    searches(write(|tx| links::forget_before(tx, THEN)));
}
