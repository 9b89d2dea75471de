//! What callers send: limits, and cursors that are broken, foreign or made up.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::json;

use super::{
    super::{Asked, PageError, Seal, cursor::Place},
    provider::*,
};
use crate::account::CursorKey;

fn read(limit: Option<&str>, next: Option<&str>, prev: Option<&str>) -> Option<PageError> {
    Asked::read(limit, next, prev, &seal()).err()
}

/// A cursor with Relink's signature.
fn signed(json: &serde_json::Value) -> String {
    let mut bytes = json.to_string().into_bytes();
    bytes.extend(seal().tag(&bytes));
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn limits_are_whole_numbers_from_1_on() {
    for limit in [None, Some(""), Some("1"), Some(" 25 "), Some("4294967295")] {
        assert_eq!(read(limit, Some(""), Some(" ")), None, "{limit:?}");
    }
    for limit in ["0", "-1", "1.5", "ten", "4294967296"] {
        assert_eq!(read(Some(limit), None, None), Some(PageError::Limit), "{limit}");
    }
}

#[test]
fn a_cursor_that_no_list_gave_is_refused() {
    let good = signed(&json!({"v": 1, "f": "page", "n": 2, "limit": null}));
    assert_eq!(read(None, Some(&good), None), None);
    assert_eq!(read(None, Some(&format!("{good}==")), None), None, "with padding");
    assert_eq!(read(None, Some(&good), Some(&good)), Some(PageError::TwoCursors));
    for text in [
        "2".to_owned(),
        "eyJ".to_owned(),
        "not base64!".to_owned(),
        signed(&json!([])),
        signed(&json!({"v": 1, "f": "page"})),
        signed(&json!({"v": 1, "f": "page", "n": -1})),
        signed(&json!({"v": 1, "f": "other"})),
        signed(&json!({"f": "page", "n": 1})),
        "A".repeat(10_000),
        "AAAA".to_owned(),
    ] {
        assert_eq!(read(None, Some(&text), None), Some(PageError::Cursor), "{text:.40}");
    }
    let newer = signed(&json!({"v": 2, "f": "page", "page": 2}));
    assert_eq!(read(None, Some(&newer), None), Some(PageError::ForeignCursor));
}

#[test]
fn a_cursor_is_good_for_the_list_that_gave_it_and_no_other() {
    let place = Place::Link { to: "/items?page=2".to_owned(), seen: None };
    let cursor = place.encode(&seal()).expect("a cursor");
    assert_eq!(read(None, Some(&cursor), None), None);
    let (key, other) = (CursorKey([7; 32]), CursorKey([8; 32]));
    for foreign in [Seal::new(key, &["another"]), Seal::new(key, &["the", "list"]), Seal::new(other, &["the list"])] {
        assert_eq!(Asked::read(None, Some(&cursor), None, &foreign), Err(PageError::ForeignCursor));
    }
    // Parts of a list's name don't run into each other.
    let cursor = place.encode(&Seal::new(key, &["a", "bc"])).expect("a cursor");
    assert_eq!(Asked::read(None, Some(&cursor), None, &Seal::new(key, &["ab", "c"])), Err(PageError::ForeignCursor));
}

#[test]
fn a_cursor_that_somebody_changed_or_wrote_is_refused() {
    let cursor = signed(&json!({"v": 1, "f": "link", "to": "/items"}));
    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(&cursor).expect("base64");
    for at in 0..bytes.len() {
        bytes[at] ^= 1;
        assert_eq!(read(None, Some(&BASE64_URL_SAFE_NO_PAD.encode(&bytes)), None), Some(PageError::ForeignCursor));
        bytes[at] ^= 1;
    }
    let unsigned = BASE64_URL_SAFE_NO_PAD.encode(r#"{"v":1,"f":"link","to":"/orders/7/cancel"}"#);
    assert_eq!(read(None, Some(&unsigned), None), Some(PageError::ForeignCursor));
}

#[test]
fn a_cursor_of_another_format_is_refused() {
    let kinds = [Kind::Page { start: 1 }, Kind::Offset, Kind::Cursor, Kind::LinkHeader, Kind::Range];
    for from in kinds {
        let first = page(&from.pagination(None), &Provider::of(from, 9, 100), asked(Some(2), None, None));
        let cursor = first.expect("a page").next_cursor.expect("a cursor");
        for to in kinds.into_iter().filter(|to| *to != from) {
            let provider = Provider::of(to, 9, 100);
            let refused = error(page(&to.pagination(None), &provider, asked(Some(2), Some(&cursor), None)));
            assert_eq!((refused, provider.seen().len()), (PageError::ForeignCursor, 0), "{from:?} → {to:?}");
        }
    }
}

#[test]
fn a_made_up_link_leads_nowhere_else() {
    for to in ["https://evil.example/", "@evil.example", "/../admin", "/%2e%2e/x", "/a%0d%0ab", "x", "/a#b"] {
        let cursor = signed(&json!({"v": 1, "f": "link", "to": to}));
        for kind in [Kind::LinkHeader, Kind::LinkInBody] {
            let provider = Provider::of(kind, 9, 100);
            let refused = error(page(&kind.pagination(None), &provider, asked(None, Some(&cursor), None)));
            assert_eq!((refused, provider.seen().len()), (PageError::Cursor, 0), "{to}");
        }
    }
}

#[test]
fn a_numbered_page_keeps_its_size() {
    let kind = Kind::Page { start: 1 };
    let provider = Provider::of(kind, 9, 100);
    let first = page(&kind.pagination(None), &provider, asked(Some(2), None, None)).expect("a page");
    let second = page(&kind.pagination(None), &provider, asked(Some(5), first.next_cursor.as_deref(), None));
    assert_eq!(ids(&second.expect("a page")), [2, 3]);
}

proptest! {
    #[test]
    fn reading_a_cursor_never_panics(
        text in prop_oneof!["\\PC{0,40}", "[A-Za-z0-9_=-]{0,60}"],
        format in "page|cursor|link|offset|range|dynamic|x",
        number in any::<i64>(),
        value in prop_oneof![Just(json!(null)), Just(json!({})), Just(json!("x")), Just(json!(u64::MAX))],
    ) {
        let _ = read(Some(&text), None, None);
        let _ = read(None, Some(&text), None);
        let json = json!({
            "v": 1, "f": format, "n": number, "limit": value, "at": number, "back": value, "c": value, "to": text, "values": value,
        });
        let Ok(asked) = Asked::read(None, Some(&signed(&json)), None, &seal()) else { return Ok(()) };
        for kind in [Kind::Page { start: 1 }, Kind::Cursor, Kind::LinkHeader, Kind::Range] {
            let mut provider = Provider::of(kind, 3, 100);
            // The provider in memory isn't made for numbers beyond its list.
            provider.kind = Kind::LinkHeader;
            let _ = page(&kind.pagination(None), &provider, asked.clone());
        }
    }
}
