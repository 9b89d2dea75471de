//! For any content, limit and interrupted step of a write, the old or the new item is complete, and
//! no parts are left over.

use proptest::prelude::*;
use relink_domain::Secret;

use super::*;
use crate::keychain::MemoryKeychain;

const NAME: &str = "account/1";

fn items() -> impl Strategy<Value = Item> {
    (any::<u64>(), proptest::collection::btree_map("[a-z_]{1,12}", "\\PC{0,600}", 0..4), "\\PC{0,40}").prop_map(
        |(generation, secrets, note)| Item {
            generation,
            secrets: secrets.into_iter().map(|(name, text)| (name, Secret::new(text))).collect(),
            notes: [("note".to_owned(), note.into())].into_iter().collect(),
        },
    )
}

fn limits() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![Just(None), (MIN_LIMIT..1300).prop_map(Some)]
}

fn long(generation: u64, secret_len: usize) -> Item {
    Item {
        generation,
        secrets: [("api_key".to_owned(), Secret::new("x".repeat(secret_len)))].into(),
        ..Item::default()
    }
}

proptest! {
    #[test]
    fn a_written_item_is_read_back(items in proptest::collection::vec(items(), 1..5), limit in limits()) {
        let mut store = MemoryKeychain::default();
        for item in &items {
            write(&mut store, NAME, "label", item, limit).unwrap();
            prop_assert_eq!(&read(&mut store, NAME).unwrap(), &Some(item.clone()));
            if let Some(limit) = limit {
                prop_assert!(store.texts().iter().all(|text| utf16_len(text) <= limit));
            }
        }
        erase(&mut store, NAME, limit).unwrap();
        prop_assert_eq!(store.names(), Vec::<String>::new());
    }

    #[test]
    fn a_crash_at_any_step_leaves_the_old_or_the_new_item_complete(
        items in proptest::collection::vec((items(), 0_usize..14), 2..6),
        limit in MIN_LIMIT..500,
    ) {
        let mut store = MemoryKeychain::default();
        let mut standing: Option<Item> = None;
        for (item, steps) in &items {
            store.fail_after(*steps);
            let outcome = write(&mut store, NAME, "label", item, Some(limit));
            store.recover();
            let found = read(&mut store, NAME).unwrap();
            if outcome.is_ok() {
                prop_assert_eq!(found.as_ref(), Some(item));
            } else {
                prop_assert!(found == standing || found.as_ref() == Some(item));
            }
            standing = found;
        }
        // The next write removes whatever the crashes left behind.
        let last = long(1, 700);
        write(&mut store, NAME, "label", &last, Some(limit)).unwrap();
        prop_assert_eq!(read(&mut store, NAME).unwrap(), Some(last.clone()));
        prop_assert_eq!(store.names().len(), 1 + split(&last.to_text(), limit).len());
    }

    #[test]
    fn a_crash_in_a_removal_never_leaves_a_part_of_an_item(steps in 0_usize..12, length in 0_usize..2000) {
        let mut store = MemoryKeychain::default();
        let item = long(1, length);
        write(&mut store, NAME, "label", &item, Some(200)).unwrap();
        store.fail_after(steps);
        let _ = erase(&mut store, NAME, Some(200));
        store.recover();
        let found = read(&mut store, NAME).unwrap();
        prop_assert!(found.is_none() || found == Some(item));
        erase(&mut store, NAME, Some(200)).unwrap();
        prop_assert_eq!(store.names(), Vec::<String>::new());
    }
}

#[test]
fn parts_are_named_after_their_item_in_alternating_slots() {
    let mut store = MemoryKeychain::default();
    write(&mut store, NAME, "label", &long(1, 300), Some(200)).unwrap();
    assert_eq!(store.names(), ["account/1", "account/1/a/0", "account/1/a/1"]);
    write(&mut store, NAME, "label", &long(2, 300), Some(200)).unwrap();
    assert_eq!(store.names(), ["account/1", "account/1/b/0", "account/1/b/1"]);
    write(&mut store, NAME, "label", &long(3, 10), Some(200)).unwrap();
    assert_eq!(store.names(), ["account/1"]);
}

#[test]
fn an_item_with_a_missing_or_foreign_part_is_damaged_and_can_be_replaced() {
    let mut store = MemoryKeychain::default();
    write(&mut store, NAME, "label", &long(1, 300), Some(200)).unwrap();
    store.write("account/1/a/1", "label", "something else").unwrap();
    assert_eq!(read(&mut store, NAME), Err(KeychainError::Damaged { what: "its parts don't belong together" }));
    store.remove("account/1/a/1").unwrap();
    assert_eq!(read(&mut store, NAME), Err(KeychainError::Damaged { what: "one of its parts is missing" }));

    write(&mut store, NAME, "label", &long(2, 300), Some(200)).unwrap();
    assert_eq!(read(&mut store, NAME).unwrap(), Some(long(2, 300)));
}

#[test]
fn an_item_of_a_newer_relink_is_never_overwritten() {
    let mut store = MemoryKeychain::default();
    let newer = r#"{"v":9,"new":true}"#;
    store.write(NAME, "label", newer).unwrap();
    assert_eq!(write(&mut store, NAME, "label", &long(1, 10), None), Err(KeychainError::Newer { version: 9 }));
    assert_eq!(store.texts(), [newer]);
}

#[test]
fn a_content_of_too_many_parts_is_refused() {
    let mut store = MemoryKeychain::default();
    assert_eq!(write(&mut store, NAME, "label", &long(1, 400_000), Some(1200)), Err(KeychainError::TooLong));
    assert_eq!(store.names(), Vec::<String>::new());
}
