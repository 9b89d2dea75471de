//! Tests of the dispatcher, on a keychain in memory whose calls hang while the test keeps its door shut.

use std::sync::{
    Condvar, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use relink_domain::Secret;
use tokio::time::timeout;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::*;

/// A keychain whose calls hang while its door is shut.
#[derive(Clone, Default)]
struct Hanging {
    backend: MemoryKeychain,
    doors: Arc<Doors>,
    connections: Arc<AtomicUsize>,
    /// Locks the keychain after the next read.
    locks_at_read: Arc<AtomicBool>,
}

#[derive(Default)]
struct Doors {
    shut: Mutex<Shut>,
    opened: Condvar,
    /// How many calls have come to a door that was shut.
    hanging: AtomicUsize,
    /// Of how many of them the deadline has passed.
    passed: AtomicUsize,
}

#[derive(Default, Clone, Copy)]
struct Shut {
    access: bool,
    write: bool,
    unlock: bool,
}

impl Hanging {
    fn keychain(&self) -> Keychain {
        let this = self.clone();
        let open = move || {
            this.connections.fetch_add(1, Ordering::SeqCst);
            Ok(Box::new(this.clone()) as Box<dyn KeychainBackend>)
        };
        let poll_interval = Duration::from_millis(5);
        let options =
            KeychainOptions { deadline: LONG, check_deadline: LONG, poll_interval, ..KeychainOptions::default() };
        Keychain::over(Arc::new(open), options)
    }

    fn set_doors(&self, shut: Shut) {
        *self.doors.shut.lock().unwrap() = shut;
        self.doors.opened.notify_all();
    }

    fn pass(&self, is_shut: fn(&Shut) -> bool) {
        let shut = self.doors.shut.lock().unwrap();
        if is_shut(&shut) {
            self.doors.hanging.fetch_add(1, Ordering::SeqCst);
        }
        drop(self.doors.opened.wait_while(shut, |shut| is_shut(shut)).unwrap());
    }

    /// Waits until another call hangs than the first `known`. Returns how many that are.
    async fn hangs(&self, known: usize) -> usize {
        loop {
            match self.doors.hanging.load(Ordering::SeqCst) {
                hanging if hanging > known => return hanging,
                _ => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    }

    /// Makes a call during which the deadline of everything that hangs passes. Whatever doesn't hang has all the time that
    /// it needs.
    async fn past_deadlines<T>(&self, call: impl Future<Output = T>) -> T {
        let deadlines_pass = async {
            loop {
                let hanging = self.hangs(self.doors.passed.load(Ordering::SeqCst)).await;
                self.doors.passed.store(hanging, Ordering::SeqCst);
                tokio::time::pause();
                tokio::time::advance(LONG).await;
                tokio::time::resume();
            }
        };
        tokio::select! {
            outcome = call => outcome,
            () = deadlines_pass => unreachable!("it never ends"),
        }
    }
}

impl KeychainBackend for Hanging {
    fn access(&mut self) -> Result<(), KeychainError> {
        self.pass(|shut| shut.access);
        self.backend.access()
    }

    fn read(&mut self, name: &str) -> Result<Option<Zeroizing<String>>, KeychainError> {
        let text = self.backend.read(name);
        if self.locks_at_read.swap(false, Ordering::SeqCst) {
            self.backend.refuse(KeychainError::Locked);
        }
        text
    }

    fn write(&mut self, name: &str, label: &str, text: &str) -> Result<(), KeychainError> {
        self.pass(|shut| shut.write);
        self.backend.write(name, label, text)
    }

    fn remove(&mut self, name: &str) -> Result<(), KeychainError> {
        self.backend.remove(name)
    }

    fn unlock(&mut self) -> Result<(), KeychainError> {
        self.pass(|shut| shut.unlock);
        self.backend.unlock()
    }
}

/// Longer than any thread needs to answer, however busy the machine is. What hangs is not waited for: the test moves the clock.
const LONG: Duration = Duration::from_mins(1);
const SLOW: KeychainError = KeychainError::Slow { after: LONG };

fn key(n: u128) -> Key {
    Key::Account(AccountId::from_uuid(Uuid::from_u128(n)))
}

fn item(generation: u64) -> Item {
    Item { generation, secrets: [("api_key".to_owned(), Secret::new("k"))].into(), ..Item::default() }
}

#[tokio::test]
async fn a_write_that_hangs_is_abandoned_and_other_items_can_be_used() {
    let hanging = Hanging::default();
    let keychain = hanging.keychain();
    keychain.set(&key(2), "label", &item(1)).await.unwrap();
    hanging.set_doors(Shut { write: true, ..Shut::default() });

    assert_eq!(hanging.past_deadlines(keychain.set(&key(1), "label", &item(1))).await, Err(SLOW));

    assert_eq!(keychain.get(&key(2)).await, Ok(Some(item(1))));
}

#[tokio::test]
async fn calls_for_an_item_are_refused_while_an_abandoned_write_of_it_is_under_way() {
    let hanging = Hanging::default();
    let keychain = hanging.keychain();
    hanging.set_doors(Shut { write: true, ..Shut::default() });
    assert_eq!(hanging.past_deadlines(keychain.set(&key(1), "label", &item(1))).await, Err(SLOW));

    assert_eq!(keychain.set(&key(1), "label", &item(2)).await, Err(SLOW));
    assert_eq!(keychain.get(&key(1)).await, Err(SLOW));
    assert_eq!(keychain.delete(&key(1)).await, Err(SLOW));

    hanging.set_doors(Shut::default());
    let written = async {
        while keychain.set(&key(1), "label", &item(3)).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, written).await.expect("the door is open");
    assert_eq!(keychain.get(&key(1)).await, Ok(Some(item(3))));
}

#[tokio::test]
async fn a_keychain_that_hangs_holds_few_threads_and_recovers() {
    let hanging = Hanging::default();
    let keychain = hanging.keychain();
    timeout(LONG, keychain.available()).await.expect("available");
    hanging.set_doors(Shut { access: true, ..Shut::default() });
    for _ in 0..10 {
        assert_eq!(hanging.past_deadlines(keychain.get(&key(1))).await, Err(SLOW));
        // Longer than the poll interval: access is checked, and hangs, unless too many threads hang already.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(*keychain.state().borrow(), KeychainState::Slow);

    hanging.set_doors(Shut::default());
    timeout(LONG, keychain.available()).await.expect("the door is open");
    assert_eq!(keychain.get(&key(1)).await, Ok(None));
    let connections = hanging.connections.load(Ordering::SeqCst);
    assert!(connections <= 4, "{connections} connections");
}

#[tokio::test]
async fn a_keychain_that_is_locked_during_a_read_does_not_answer_that_there_is_no_item() {
    let hanging = Hanging::default();
    let keychain = hanging.keychain();
    hanging.locks_at_read.store(true, Ordering::SeqCst);

    assert_eq!(keychain.get(&key(1)).await, Err(KeychainError::Locked));
}

#[tokio::test]
async fn a_change_of_state_is_published_and_can_be_awaited() {
    let backend = MemoryKeychain::default();
    let hanging = Hanging { backend: backend.clone(), ..Hanging::default() };
    let keychain = hanging.keychain();
    backend.refuse(KeychainError::Locked);
    assert_eq!(keychain.get(&key(1)).await, Err(KeychainError::Locked));
    assert_eq!(*keychain.state().borrow(), KeychainState::Locked);

    backend.recover();

    timeout(LONG, keychain.available()).await.expect("recovered");
}

#[tokio::test]
async fn calls_are_answered_beside_an_open_prompt_and_two_callers_share_it() {
    let hanging = Hanging::default();
    let keychain = hanging.keychain();
    hanging.backend.refuse(KeychainError::Locked);
    assert_eq!(keychain.get(&key(1)).await, Err(KeychainError::Locked));
    let before = hanging.connections.load(Ordering::SeqCst);
    hanging.set_doors(Shut { unlock: true, ..Shut::default() });

    let (first, second, ()) = tokio::join!(keychain.unlock(), keychain.unlock(), async {
        assert_eq!(keychain.get(&key(1)).await, Err(KeychainError::Locked));
        hanging.set_doors(Shut::default());
    });

    assert_eq!((first, second), (Ok(()), Ok(())));
    assert_eq!(hanging.connections.load(Ordering::SeqCst), before + 1);
    assert_eq!(keychain.get(&key(1)).await, Ok(None));
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_stop_the_write() {
    let hanging = Hanging::default();
    let keychain = hanging.keychain();
    timeout(LONG, keychain.available()).await.expect("available");
    hanging.set_doors(Shut { write: true, ..Shut::default() });

    let (key, item) = (key(1), item(1));
    tokio::select! {
        _ = keychain.set(&key, "label", &item) => panic!("it hangs"),
        _ = hanging.hangs(0) => {}
    }
    hanging.set_doors(Shut::default());

    assert_eq!(keychain.get(&key).await, Ok(Some(item)));
}

#[tokio::test]
async fn a_broken_connection_is_replaced_and_the_call_retried_once() {
    let hanging = Hanging::default();
    let keychain = hanging.keychain();
    timeout(LONG, keychain.available()).await.expect("available");
    hanging.backend.refuse(KeychainError::Other("NoSession".to_owned()));

    assert_eq!(keychain.get(&key(1)).await, Err(KeychainError::Other("NoSession".to_owned())));

    assert_eq!(hanging.connections.load(Ordering::SeqCst), 2);
    hanging.backend.recover();
    assert_eq!(keychain.get(&key(1)).await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn the_keychain_in_memory_answers_without_waiting() {
    let backend = MemoryKeychain::default();
    let keychain = Keychain::memory(backend.clone());
    keychain.set(&key(1), "label", &item(1)).await.unwrap();
    backend.refuse(KeychainError::Absent { reason: "none".to_owned() });
    assert_eq!(keychain.get(&key(1)).await.map_err(|error| error.code()), Err("keychain_absent"));
    assert!(matches!(*keychain.state().borrow(), KeychainState::Absent { .. }));

    backend.refuse(KeychainError::Locked);
    keychain.unlock().await.unwrap();

    assert_eq!(keychain.get(&key(1)).await, Ok(Some(item(1))));
    assert_eq!(backend.label(&key(1).to_string()).as_deref(), Some("label"));
}

#[test]
fn every_error_has_its_own_code_and_a_sentence() {
    let errors = [
        KeychainError::Locked,
        KeychainError::Absent { reason: "none".to_owned() },
        KeychainError::Slow { after: Duration::from_secs(10) },
        KeychainError::Denied,
        KeychainError::TooLong,
        KeychainError::Damaged { what: "a part is missing" },
        KeychainError::Newer { version: 2 },
        KeychainError::Other("it broke".to_owned()),
    ];
    let codes: std::collections::BTreeSet<_> = errors.iter().map(KeychainError::code).collect();
    assert_eq!(codes.len(), errors.len());
    for error in &errors {
        assert!(error.to_string().ends_with('.'), "{error}");
    }
}
