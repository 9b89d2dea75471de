use relink_domain::{
    AccountId, DeliveryId, IntegrationId, LinkTokenId, Timestamp, WebhookId,
    account::{Attempt, Credential, DeferReason, NewCredential, TimelineEvent},
    caller::TokenLevel,
    link::LinkPurpose,
    schedule::TokenLifetime,
};
use rusqlite::params;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::store::{
    Store, accounts, api_tokens, integrations, links, orphans, outbox, settings, timeline,
    webhooks::{self, DeliveryFilter, DeliveryState},
};

fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).expect("few")
}

fn version_of(connection: &Connection) -> i64 {
    connection.pragma_query_value(None, "user_version", |row| row.get(0)).expect("read")
}

#[test]
fn the_backup_holds_what_was_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut connection = Connection::open(folder.path().join(Store::FILE)).expect("opens");
    run(&mut connection, Some(folder.path())).expect("migrates");
    connection.execute("INSERT INTO setting (name, value) VALUES ('kept', '1')", []).expect("written");
    back_up(&connection, folder.path(), 1).expect("copied");
    let copy = Connection::open(folder.path().join("relink.db.version-1.bak")).expect("opens");
    assert_eq!(settings::get(&copy, "kept").expect("read"), Some(1));
}

#[test]
fn the_newest_version_is_reached_and_reaching_it_again_changes_nothing() {
    let mut connection = Connection::open_in_memory().expect("opens");
    for _ in 0..2 {
        run(&mut connection, None).expect("migrates");
        assert_eq!(version_of(&connection), newest());
    }
}

fn id(number: u128) -> String {
    Uuid::from_u128(number).to_string()
}

const CREATED: &str = "2026-01-02T03:04:05.000Z";
const CREATED_MILLIS: i64 = 1_767_323_045_000;

/// An account in the first version's format: a refresh is deferred, and a reauthorization is in progress.
fn first_versions_account() -> String {
    let lease = json!({ "issued_at": CREATED, "expires_at": "2026-01-02T04:04:05.000Z" });
    json!({
        "profile": {
            "id": id(1), "tenant_id": "acme-1", "environment_integration_id": id(2), "integration": "acme",
            "name": "Ada", "is_sandbox": false, "region": null, "context": {}, "identity": null, "scopes": ["read"],
            "last_error": null, "last_forbidden_error": null, "created_at": CREATED, "updated_at": CREATED,
        },
        "life": {
            "state": "working",
            "credential": {
                "credential": "renewing", "by": "refresh_token", "generation": 3, "lease": lease,
                "attempt": { "attempt": "idle" }, "answer_lost": false, "put_off": "keychain_locked",
            },
        },
        "replacement": {
            "generation": 4,
            "granted": {
                "credential": { "credential": "renewing", "by": "refresh_token", "lease": lease },
                "identity": null, "scopes": ["read"], "context": {},
            },
            "link": id(3),
        },
    })
    .to_string()
}

/// The last version of the schema that [`fill`] fits.
const FILLED_VERSION: usize = 2;

/// Fills the tables that the first and the second version of the schema have in common.
fn fill(connection: &Connection) {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        connection.execute(sql, values).expect(sql);
    };
    run("INSERT INTO setting (name, value) VALUES ('kept', '1')", params![]);
    run(
        "INSERT INTO integration (id, name, built_in, version, document, created_at, updated_at)
         VALUES (?1, 'acme', 0, 2, '{\"name\":\"acme\"}', 1, 2)",
        params![id(4)],
    );
    run("INSERT INTO environment_integration VALUES (?1, ?2, 1, 1, '{}', 1, 2)", params![id(2), id(4)]);
    run(
        "INSERT INTO integrated_account
         VALUES (?1, ?2, 'acme-1', ?3, 'active', 5, 0, 1, 7, ?4, ?4)",
        params![id(1), id(2), first_versions_account(), CREATED_MILLIS],
    );
    run("INSERT INTO stray_item VALUES ('relink/account/x', 1)", params![]);
    for moment in [
        json!({ "kind": "connected", "identity": "ada" }),
        json!({ "kind": "put_off", "why": "offline" }),
        json!({ "kind": "taken_up_again" }),
    ] {
        run("INSERT INTO timeline (account_id, at, moment) VALUES (?1, 1, ?2)", params![id(1), moment.to_string()]);
    }
    let link = json!({
        "purpose": { "purpose": "connect", "tenant_id": "acme-1" },
        "wishes": { "context": {}, "redirect_uri": "https://example.com/back", "scopes": ["read"] },
    });
    run(
        "INSERT INTO link_token VALUES (?1, ?2, NULL, ?3, ?4, NULL)",
        params![id(3), [3_u8; 32], link.to_string(), CREATED_MILLIS],
    );
    run("INSERT INTO api_token (id, name, hash, created_at) VALUES (?1, 'agent', ?2, 1)", params![id(6), [6_u8; 32]]);
    run("INSERT INTO webhook VALUES (?1, 'https://example.com', 1, NULL, 0, NULL, 1, 2)", params![id(5)]);
    // Subject "a": delivered, failed, pending, pending. Subject "b": pending.
    for (seq, (subject, state)) in
        [("a", "delivered"), ("a", "parked"), ("a", "pending"), ("a", "pending"), ("b", "pending")].iter().enumerate()
    {
        let seq = i64::try_from(seq + 1).expect("few");
        run(
            "INSERT INTO outbox (id, event, subject, payload, created_at)
             VALUES (?1, 'integrated_account:active', ?2, '{}', 1)",
            params![Uuid::from_u128(100 + u128::from(seq.unsigned_abs())).to_string(), subject],
        );
        run(
            "INSERT INTO delivery VALUES (?1, ?2, ?3, ?4, ?5, 4, 9, 500, 'answered with 500', 10)",
            params![Uuid::from_u128(200 + u128::from(seq.unsigned_abs())).to_string(), id(5), seq, subject, state],
        );
    }
}

#[test]
fn a_database_of_every_earlier_version_is_backed_up_and_keeps_all_that_it_holds() {
    for earlier in 1..newest() {
        let folder = tempfile::tempdir().expect("a folder");
        let older = Connection::open(folder.path().join(Store::FILE)).expect("opens");
        let migrations = &MIGRATIONS[..usize::try_from(earlier).expect("few")];
        let (until_filled, then) = migrations.split_at(migrations.len().min(FILLED_VERSION));
        let migrate = |versions: &[&str]| older.execute_batch(&versions.concat()).expect("an earlier version");
        migrate(until_filled);
        fill(&older);
        migrate(then);
        older.pragma_update(None, "user_version", earlier).expect("written");
        drop(older);

        let opened = Store::open(folder.path()).expect("opens");
        let database = Connection::open(folder.path().join(Store::FILE)).expect("opens");
        assert_eq!(version_of(&database), newest(), "from {earlier}");
        assert_eq!(settings::get(&database, "kept").expect("read"), Some(1));
        assert_eq!(orphans::list(&database).expect("read"), ["relink/account/x"]);
        let integration = integrations::named(&database, "acme").expect("read").expect("it is there");
        assert_eq!((integration.id, integration.version), (IntegrationId::from_uuid(Uuid::from_u128(4)), 2));
        account_is_kept(&database);
        deliveries_are_kept(&database);
        let broken: Vec<String> = database
            .prepare("PRAGMA foreign_key_check")
            .and_then(|mut check| check.query_map([], |row| row.get(0))?.collect())
            .expect("checked");
        assert_eq!(broken, [] as [String; 0]);
        drop(opened);

        let backup = folder.path().join(format!("relink.db.version-{earlier}.bak"));
        let copy = Connection::open(backup).expect("opens");
        assert_eq!(version_of(&copy), earlier, "the copy is of before");
        assert_eq!(settings::get(&copy, "kept").expect("read"), Some(1));
        let entries: i64 = copy.query_row("SELECT count(*) FROM timeline", [], |row| row.get(0)).expect("read");
        assert_eq!(entries, 3);
    }
}

fn account_is_kept(database: &Connection) {
    let account_id = AccountId::from_uuid(Uuid::from_u128(1));
    let (account, last_used_at) = accounts::get_used(database, account_id).expect("read").expect("it is there");
    assert_eq!(last_used_at, Some(Timestamp::from_millis(7)));
    let created = Timestamp::from_millis(CREATED_MILLIS);
    let lifetime = TokenLifetime::new(created, Some(created.plus_secs(3600)));
    let Credential::Renewing(renewing) = account.state.credential() else { panic!("{account:?}") };
    assert_eq!((renewing.lifetime, renewing.attempt), (lifetime, Attempt::Idle));
    assert_eq!(renewing.deferred, Some(DeferReason::KeychainLocked));
    let replacement = account.replacement.as_ref().expect("it is under way");
    assert!(matches!(replacement.granted.credential, NewCredential::Renewing { lifetime: new, .. } if new == lifetime));
    assert_eq!(accounts::unfinished(database).expect("read").len(), 1);
    assert_eq!(accounts::status_counts(database).expect("read"), [("active".to_owned(), 1)].into());

    let entries = timeline::list(database, Some(account_id), None, None).expect("read");
    let events: Vec<_> = entries.into_iter().map(|entry| entry.event).collect();
    assert_eq!(
        events,
        [
            TimelineEvent::Resumed,
            TimelineEvent::Deferred { why: DeferReason::Offline },
            TimelineEvent::Connected { identity: Some("ada".to_owned()) },
        ]
    );
    let callers: i64 = database.query_row("SELECT count(caller) FROM timeline", [], |row| row.get(0)).expect("read");
    assert_eq!(callers, 0);

    let link = links::find(database, &[3; 32]).expect("read").expect("it is there");
    assert_eq!(link.id, LinkTokenId::from_uuid(Uuid::from_u128(3)));
    assert!(matches!(link.purpose, LinkPurpose::Connect { tenant_id } if tenant_id == "acme-1"));
    assert_eq!(link.options.redirect_uri.as_deref(), Some("https://example.com/back"));
    assert_eq!(link.options.scopes, Some(vec!["read".to_owned()]));
    assert_eq!(link.token_ends_at, None, "it belongs to the person");

    let tokens = api_tokens::all(database).expect("read");
    let levels: Vec<_> = tokens.iter().map(|(_, token)| token.level).collect();
    assert_eq!(levels, [TokenLevel::Full], "a token of before could do everything");
}

fn deliveries_are_kept(database: &Connection) {
    let webhook = WebhookId::from_uuid(Uuid::from_u128(5));
    let oldest_first: Vec<_> = webhooks::deliveries(database, webhook, DeliveryFilter::default(), 100)
        .expect("read")
        .into_iter()
        .rev()
        .collect();
    let states: Vec<_> = oldest_first.iter().map(|delivery| delivery.state).collect();
    let (pending, failed) = (DeliveryState::Pending, DeliveryState::Failed);
    assert_eq!(states, [DeliveryState::Delivered, failed, pending, pending, pending]);
    assert_eq!(oldest_first[1].last_error.as_deref(), Some("answered with 500"));
    assert_eq!(oldest_first[1].id, DeliveryId::from_uuid(Uuid::from_u128(202)));
    let due = webhooks::due(database, webhook, Timestamp::from_millis(9), None).expect("read");
    let seqs: Vec<_> = due.iter().map(|pending| pending.outbox_seq).collect();
    assert_eq!(seqs, [3, 5], "the oldest pending delivery of each subject");
    assert_eq!(outbox::latest(database).expect("read"), 5);
}

#[test]
fn sandbox_accounts_get_the_time_of_their_mark() {
    let connection = Connection::open_in_memory().expect("opens");
    connection.execute_batch("PRAGMA foreign_keys = OFF").expect("for rows alone");
    MIGRATIONS[..15].iter().for_each(|migration| connection.execute_batch(migration).expect("migrates"));
    let marked = Timestamp::from_millis(CREATED_MILLIS + 1234);
    for (number, profile) in [
        (1, json!({ "is_sandbox": true, "settings": { "sandbox_since": marked } })),
        (2, json!({ "is_sandbox": true })),
        (3, json!({ "is_sandbox": false })),
    ] {
        connection
            .execute(
                "INSERT INTO integrated_account VALUES (?1, 'e', 't', ?2, 'active', NULL, 0, 0, NULL, ?3, ?3)",
                params![id(number), json!({ "profile": profile }).to_string(), CREATED_MILLIS],
            )
            .expect("written");
    }
    connection.execute_batch(MIGRATIONS[15]).expect("migrates");
    let since: Vec<Option<i64>> = connection
        .prepare("SELECT sandbox_since FROM integrated_account ORDER BY id")
        .and_then(|mut all| all.query_map([], |row| row.get(0))?.collect())
        .expect("read");
    assert_eq!(since, [Some(marked.as_millis()), Some(CREATED_MILLIS), None]);
}

#[test]
fn the_documentation_of_files_becomes_rows_in_its_order() {
    let connection = Connection::open_in_memory().expect("opens");
    MIGRATIONS[..11].iter().for_each(|migration| connection.execute_batch(migration).expect("migrates"));
    let document = json!({ "name": "acme", "config": {}, "documentation": [
        { "type": "readme", "content": "# Acme" },
        { "type": "query_schema", "content": { "type": "object" }, "resource": "contacts", "method": "list" },
        { "content": "of no type" }, "no row",
    ] });
    connection
        .execute(
            "INSERT INTO integration (id, name, built_in, version, document, created_at, updated_at)
             VALUES (?1, 'acme', 0, 1, ?2, ?3, ?3)",
            params![id(4), document.to_string(), CREATED_MILLIS],
        )
        .expect("written");
    connection.execute_batch(MIGRATIONS[11]).expect("migrates");
    let acme = integrations::named(&connection, "acme").expect("read").expect("there");
    assert_eq!(acme.document, json!({ "name": "acme", "config": {} }));
    let schema =
        json!({ "type": "query_schema", "content": "{\"type\":\"object\"}", "resource": "contacts", "method": "list" });
    assert_eq!(acme.documentation, [json!({ "type": "readme", "content": "# Acme" }), schema]);
    let rows = crate::store::documentation::of_entity(&connection, &id(4)).expect("the ids are UUIDs");
    assert!(rows.iter().all(|row| row.created_at == Timestamp::from_millis(CREATED_MILLIS)));
}
