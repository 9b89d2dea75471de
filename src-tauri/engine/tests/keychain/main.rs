//! The keychain layer with a real gnome-keyring: every way in which it can be unavailable, and its recovery.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs)]

mod session;

use std::time::{Duration, Instant};

use relink_domain::{AccountId, Secret};
use relink_engine::keychain::{Item, Key, Keychain, KeychainError, KeychainOptions, KeychainState};
use session::{Session, alone};
use tokio::time::timeout;
use uuid::Uuid;

const LABEL: &str = "Relink: Acme engineering (GitHub)";

fn key(n: u128) -> Key {
    Key::Account(AccountId::from_uuid(Uuid::from_u128(n)))
}

fn item(generation: u64, refresh_token: &str) -> Item {
    Item { generation, secrets: [("refresh_token".to_owned(), Secret::new(refresh_token))].into(), ..Item::default() }
}

/// The app's timeouts, but a shorter interval for checking whether the keychain is available again.
fn keychain() -> Keychain {
    Keychain::os(KeychainOptions { poll_interval: Duration::from_millis(50), ..KeychainOptions::default() })
}

/// Times out after two seconds, which is still long enough for a keychain that responds.
fn keychain_with_short_deadlines() -> Keychain {
    Keychain::os(KeychainOptions {
        deadline: Duration::from_secs(2),
        poll_interval: Duration::from_millis(50),
        ..KeychainOptions::default()
    })
}

async fn reaches(keychain: &Keychain, wanted: fn(&KeychainState) -> bool) {
    let mut state = keychain.state();
    let reached = timeout(Duration::from_secs(20), state.wait_for(wanted)).await.is_ok();
    assert!(reached, "the state is still {:?}", keychain.state().borrow());
}

async fn is_available_again(keychain: &Keychain) {
    timeout(Duration::from_secs(20), keychain.available()).await.expect("available again");
}

fn open_session(session: &mut Session) {
    session.start_bus();
    session.start_keyring();
}

#[test]
fn a_stored_item_is_found_by_relink_and_by_the_user() {
    alone(async |session| {
        open_session(session);
        let keychain = keychain();
        assert_eq!(keychain.get(&key(1)).await, Ok(None));

        keychain.set(&key(1), LABEL, &item(3, "r1")).await.unwrap();

        assert_eq!(keychain.get(&key(1)).await, Ok(Some(item(3, "r1"))));
        let name = key(1).to_string();
        assert_eq!(
            session.lookup(&name).trim(),
            r#"{"v":1,"generation":3,"secrets":{"refresh_token":"r1"},"notes":{}}"#
        );
        assert!(session.search(&name).contains(&format!("label = {LABEL}")));
        assert_eq!(*keychain.state().borrow(), KeychainState::Available);
    });
}

#[test]
fn storing_again_replaces_the_item_and_its_label() {
    alone(async |session| {
        open_session(session);
        let keychain = keychain();
        keychain.set(&key(1), LABEL, &item(1, "r1")).await.unwrap();

        keychain.set(&key(1), "Relink: Renamed (GitHub)", &item(2, "r2")).await.unwrap();

        assert_eq!(keychain.get(&key(1)).await, Ok(Some(item(2, "r2"))));
        let seen = session.search(&key(1).to_string());
        assert_eq!(seen.matches("label = ").count(), 1, "{seen}");
        assert!(seen.contains("label = Relink: Renamed (GitHub)"), "{seen}");
    });
}

#[test]
fn a_deleted_item_is_gone_and_deleting_it_again_succeeds() {
    alone(async |session| {
        open_session(session);
        let keychain = keychain();
        keychain.set(&key(1), LABEL, &item(1, "r1")).await.unwrap();

        keychain.delete(&key(1)).await.unwrap();
        keychain.delete(&key(1)).await.unwrap();

        assert_eq!(keychain.get(&key(1)).await, Ok(None));
        assert_eq!(session.lookup(&key(1).to_string()), "");
    });
}

#[test]
fn an_item_deleted_by_the_user_reads_as_none() {
    alone(async |session| {
        open_session(session);
        let keychain = keychain();
        keychain.set(&key(1), LABEL, &item(1, "r1")).await.unwrap();

        session.clear(&key(1).to_string());

        assert_eq!(keychain.get(&key(1)).await, Ok(None));
        keychain.set(&key(1), LABEL, &item(2, "r2")).await.unwrap();
        assert_eq!(keychain.get(&key(1)).await, Ok(Some(item(2, "r2"))));
    });
}

#[test]
fn an_item_of_64_kib_is_stored_in_one_piece() {
    alone(async |session| {
        open_session(session);
        let keychain = keychain();
        let long = item(1, &"é\"x".repeat(16 * 1024));

        keychain.set(&key(1), LABEL, &long).await.unwrap();

        assert_eq!(keychain.get(&key(1)).await, Ok(Some(long)));
    });
}

#[test]
fn with_the_limit_of_windows_an_item_is_split_and_its_parts_are_removed() {
    alone(async |session| {
        open_session(session);
        let keychain = Keychain::os(KeychainOptions { limit: Some(1_200), ..KeychainOptions::default() });
        let name = key(1).to_string();
        for generation in 1..=3 {
            let long = item(generation, &"é\"x".repeat(1_000 * usize::try_from(4 - generation).unwrap()));
            keychain.set(&key(1), LABEL, &long).await.unwrap();
            assert_eq!(keychain.get(&key(1)).await, Ok(Some(long)));
        }
        assert!(session.search(&format!("{name}/a/0")).contains(&format!("label = {LABEL} (1 of ")));
        assert_eq!(session.lookup(&format!("{name}/b/0")), "");

        keychain.set(&key(1), LABEL, &item(4, "short")).await.unwrap();
        assert_eq!(keychain.get(&key(1)).await, Ok(Some(item(4, "short"))));
        assert_eq!(session.lookup(&format!("{name}/a/0")), "");
    });
}

#[test]
fn a_locked_keychain_reports_locked_at_once_without_a_prompt() {
    alone(async |session| {
        session.start_bus_whose_prompts_stay_open();
        session.start_keyring();
        let keychain = keychain();
        keychain.set(&key(1), LABEL, &item(1, "r1")).await.unwrap();

        session.lock();

        let asked = Instant::now();
        assert_eq!(keychain.get(&key(1)).await, Err(KeychainError::Locked));
        assert_eq!(keychain.get(&key(2)).await, Err(KeychainError::Locked), "the item may exist");
        assert_eq!(keychain.set(&key(1), LABEL, &item(2, "r2")).await, Err(KeychainError::Locked));
        assert_eq!(keychain.delete(&key(1)).await, Err(KeychainError::Locked));
        println!("four responses while locked: {:?}", asked.elapsed());
        assert_eq!(session.prompts(), 0);
        assert_eq!(*keychain.state().borrow(), KeychainState::Locked);
    });
}

#[test]
fn a_call_that_waits_for_a_locked_keychain_continues_when_it_is_unlocked() {
    alone(async |session| {
        open_session(session);
        let keychain = keychain();
        keychain.set(&key(1), LABEL, &item(1, "r1")).await.unwrap();
        session.lock();
        assert_eq!(keychain.get(&key(1)).await, Err(KeychainError::Locked));
        let waiter = tokio::spawn({
            let keychain = keychain.clone();
            async move {
                keychain.available().await;
                keychain.get(&key(1)).await
            }
        });

        session.unlock();

        let found = timeout(Duration::from_secs(20), waiter).await.expect("the waiting call continues").unwrap();
        assert_eq!(found, Ok(Some(item(1, "r1"))));
    });
}

#[test]
fn a_dismissed_prompt_is_reported_as_refused() {
    alone(async |session| {
        // No prompter can be started on this bus. The keyring treats that as a dismissed prompt.
        open_session(session);
        let keychain = keychain();
        keychain.set(&key(1), LABEL, &item(1, "r1")).await.unwrap();
        session.lock();

        assert_eq!(keychain.unlock().await, Err(KeychainError::Denied));
        assert_eq!(keychain.get(&key(1)).await, Err(KeychainError::Locked));
    });
}

#[test]
fn an_open_prompt_does_not_block_other_calls() {
    alone(async |session| {
        session.start_bus_whose_prompts_stay_open();
        session.start_keyring();
        let keychain = Keychain::os(KeychainOptions {
            unlock_deadline: Duration::from_secs(1),
            poll_interval: Duration::from_millis(50),
            ..KeychainOptions::default()
        });
        keychain.set(&key(1), LABEL, &item(1, "r1")).await.unwrap();
        session.lock();

        let (first, second, get) = tokio::join!(keychain.unlock(), keychain.unlock(), async {
            while session.prompts() == 0 {
                tokio::task::yield_now().await;
            }
            let asked = Instant::now();
            let answer = keychain.get(&key(1)).await;
            println!("a response during an open prompt: {:?}", asked.elapsed());
            answer
        });

        assert_eq!(get, Err(KeychainError::Locked));
        assert_eq!((first, second), (Err(KeychainError::Locked), Err(KeychainError::Locked)), "no answer yet");
        assert_eq!(session.prompts(), 1, "both calls waited for the same prompt");
        session.unlock();
        is_available_again(&keychain).await;
        assert_eq!(keychain.get(&key(1)).await, Ok(Some(item(1, "r1"))));
    });
}

#[test]
fn without_a_bus_the_keychain_is_absent_until_a_bus_starts() {
    alone(async |session| {
        let keychain = keychain();
        assert!(matches!(keychain.get(&key(1)).await, Err(KeychainError::Absent { .. })));
        assert!(matches!(*keychain.state().borrow(), KeychainState::Absent { .. }));

        open_session(session);

        is_available_again(&keychain).await;
        keychain.set(&key(1), LABEL, &item(1, "r1")).await.unwrap();
        assert_eq!(keychain.get(&key(1)).await, Ok(Some(item(1, "r1"))));
    });
}

#[test]
fn a_service_that_starts_after_relink_is_found() {
    alone(async |session| {
        session.start_bus();
        let keychain = keychain();
        assert!(matches!(keychain.get(&key(1)).await, Err(KeychainError::Absent { .. })));

        session.start_keyring();

        is_available_again(&keychain).await;
        assert_eq!(keychain.get(&key(1)).await, Ok(None));
    });
}

#[test]
fn without_a_default_keyring_reads_and_writes_report_absent() {
    alone(async |session| {
        session.start_bus();
        session.start_keyring_without_signing_in();
        let keychain = keychain();

        let get = keychain.get(&key(1)).await;
        let set = keychain.set(&key(1), LABEL, &item(1, "r1")).await;

        assert!(matches!(get, Err(KeychainError::Absent { .. })), "{get:?}");
        assert!(matches!(set, Err(KeychainError::Absent { .. })), "{set:?}");
    });
}

#[test]
fn a_restarted_daemon_is_found_by_the_next_call() {
    alone(async |session| {
        open_session(session);
        let keychain = keychain();
        keychain.set(&key(1), LABEL, &item(1, "r1")).await.unwrap();

        session.stop_keyring();
        session.start_keyring();

        assert_eq!(keychain.get(&key(1)).await, Ok(Some(item(1, "r1"))));
        keychain.set(&key(1), LABEL, &item(2, "r2")).await.unwrap();
        session.stop_keyring();
        session.start_keyring();
        keychain.set(&key(1), LABEL, &item(3, "r3")).await.unwrap();
        assert_eq!(keychain.get(&key(1)).await, Ok(Some(item(3, "r3"))));
    });
}

#[test]
fn a_daemon_that_dies_is_absent_until_it_is_restarted() {
    alone(async |session| {
        open_session(session);
        let keychain = keychain();
        keychain.set(&key(1), LABEL, &item(1, "r1")).await.unwrap();

        session.stop_keyring();
        let get = keychain.get(&key(1)).await;
        assert!(matches!(get, Err(KeychainError::Absent { .. })), "{get:?}");
        session.start_keyring();

        is_available_again(&keychain).await;
        assert_eq!(keychain.get(&key(1)).await, Ok(Some(item(1, "r1"))));
    });
}

#[test]
fn a_hanging_daemon_times_out_and_is_used_again_when_it_resumes() {
    alone(async |session| {
        open_session(session);
        let keychain = keychain_with_short_deadlines();
        keychain.set(&key(1), LABEL, &item(1, "r1")).await.unwrap();
        session.freeze_keyring();

        let asked = Instant::now();
        assert_eq!(keychain.get(&key(1)).await.map_err(|error| error.code()), Err("keychain_slow"));
        println!("timed out after {:?} with a timeout of 2 s and one check", asked.elapsed());
        reaches(&keychain, |state| *state == KeychainState::Slow).await;
        let asked = Instant::now();
        for n in 0..20 {
            assert_eq!(keychain.get(&key(n)).await.map_err(|error| error.code()), Err("keychain_slow"));
        }
        println!("20 further responses: {:?}", asked.elapsed());

        session.thaw_keyring();

        is_available_again(&keychain).await;
        assert_eq!(keychain.get(&key(1)).await, Ok(Some(item(1, "r1"))));
        keychain.set(&key(1), LABEL, &item(2, "r2")).await.unwrap();
        assert_eq!(keychain.get(&key(1)).await, Ok(Some(item(2, "r2"))));
    });
}

#[test]
fn a_timed_out_write_never_overwrites_a_later_one() {
    alone(async |session| {
        open_session(session);
        let keychain = keychain_with_short_deadlines();
        keychain.set(&key(1), LABEL, &item(1, "r1")).await.unwrap();
        session.freeze_keyring();
        assert_eq!(
            keychain.set(&key(1), LABEL, &item(2, "r2")).await.map_err(|error| error.code()),
            Err("keychain_slow")
        );
        session.thaw_keyring();

        // Like the engine: wait until a retry is possible, and retry until it succeeds.
        let written = async {
            loop {
                keychain.available().await;
                match keychain.set(&key(1), LABEL, &item(3, "r3")).await {
                    Ok(()) => break,
                    Err(error) => assert!(error.is_passing(), "{error:?}"),
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(20), written).await.expect("the item is finally written");

        assert_eq!(keychain.get(&key(1)).await, Ok(Some(item(3, "r3"))));
        assert!(session.lookup(&key(1).to_string()).contains("r3"));
    });
}

#[test]
fn nothing_is_written_outside_the_keyring() {
    alone(async |session| {
        open_session(session);
        keychain().set(&key(1), LABEL, &item(1, "canary-canary")).await.unwrap();

        let mut folders = vec![session.folder().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let kind = entry.file_type().unwrap();
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() {
                    let bytes = std::fs::read(entry.path()).unwrap();
                    assert!(!bytes.windows(6).any(|part| part == b"canary"), "{}", entry.path().display());
                }
            }
        }
    });
}
