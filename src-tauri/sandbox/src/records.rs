//! As many records as a caller asks for, for tests under load: `GET /api/records`. They are written as they are asked for, the same
//! ones each time, and nothing is kept of them.

use std::fmt::Write as _;

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use crate::extract::refusal;

const MAX_COUNT: u64 = 100_000_000;
const MAX_LIMIT: u64 = 5_000;
/// 1 January 2025, 00:00 UTC. Each record is a second younger than the one before.
const FIRST_SECOND: i64 = 1_735_689_600;

/// Which records are asked for.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    /// How many there are in all.
    count: u64,
    /// How many a page has.
    limit: u64,
    /// The `next` of the page before: the number of its last record.
    after: u64,
}

impl Default for Asked {
    fn default() -> Self {
        Self { count: 1_000, limit: 100, after: 0 }
    }
}

/// A page of the records.
pub(crate) fn page(asked: &Asked) -> Response {
    if asked.count > MAX_COUNT || !(1..=MAX_LIMIT).contains(&asked.limit) || asked.after > asked.count {
        let message = "The count is at most 100,000,000, the limit 1 to 5,000, and after is the next of a page.";
        return refusal(StatusCode::BAD_REQUEST, message);
    }
    ([(header::CONTENT_TYPE, "application/json")], text(asked)).into_response()
}

fn text(asked: &Asked) -> String {
    let end = asked.after.saturating_add(asked.limit).min(asked.count);
    let records = end.saturating_sub(asked.after);
    let mut text = String::with_capacity(usize::try_from(records).unwrap_or_default() * 200 + 64);
    text.push_str("{\"items\":[");
    for n in asked.after + 1..=end {
        let separator = if n == asked.after + 1 { "" } else { "," };
        let at = jiff::Timestamp::from_second(FIRST_SECOND.saturating_add_unsigned(n)).unwrap_or_default();
        // Writing to a String can't fail.
        let _ = write!(
            text,
            "{separator}{{\"id\":\"{n}\",\"name\":\"Record {n}\",\"email\":\"record{n}@example.com\",\"amount\":{},\"is_even\":{},\
             \"created_at\":\"{at}\",\"updated_at\":\"{at}\"}}",
            n % 1_000,
            n % 2 == 0,
        );
    }
    let next = if end < asked.count { format!("\"{end}\"") } else { "null".to_owned() };
    let _ = write!(text, "],\"next\":{next}}}");
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(count: u64, limit: u64, after: u64) -> Value {
        serde_json::from_str(&text(&Asked { count, limit, after })).expect("JSON")
    }

    #[test]
    fn the_pages_have_each_record_once_and_always_the_same() {
        let (mut after, mut ids, mut sizes) = (0, Vec::new(), Vec::new());
        loop {
            let page = read(2_500, 1_000, after);
            assert_eq!(page, read(2_500, 1_000, after));
            let items = page["items"].as_array().expect("a list");
            sizes.push(items.len());
            ids.extend(items.iter().map(|item| item["id"].as_str().expect("a text").to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            after = next.parse().expect("a number");
        }
        assert_eq!(sizes, [1_000, 1_000, 500]);
        assert_eq!(ids, (1..=2_500).map(|n: u64| n.to_string()).collect::<Vec<_>>());
    }

    #[test]
    fn a_page_begins_anywhere_and_says_what_each_record_has() {
        let last = read(1_000_000, 100, 999_999);
        let expected = json!({
            "id": "1000000", "name": "Record 1000000", "email": "record1000000@example.com", "amount": 0, "is_even": true,
            "created_at": "2025-01-12T13:46:40Z", "updated_at": "2025-01-12T13:46:40Z",
        });
        assert_eq!((&last["items"], &last["next"]), (&json!([expected]), &Value::Null));
        assert_eq!(read(0, 100, 0), json!({ "items": [], "next": null }));
    }

    #[test]
    fn what_is_out_of_bounds_is_refused() {
        let status = |count, limit, after| page(&Asked { count, limit, after }).status();
        assert_eq!(status(10, 5_000, 10), StatusCode::OK);
        for (count, limit, after) in [(MAX_COUNT + 1, 1, 0), (10, 0, 0), (10, 5_001, 0), (10, 1, 11)] {
            assert_eq!(status(count, limit, after), StatusCode::BAD_REQUEST, "{count} {limit} {after}");
        }
    }
}
