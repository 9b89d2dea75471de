//! Where a list goes on, read in a page's answer.

use std::fmt::Write as _;

use http::header::CONTENT_RANGE;
use percent_encoding::percent_decode_str;
use relink_domain::integration::resources::{CursorPagination, CursorPath, CursorSource, Pagination, RangePagination};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    Asked, PageAnswer, PageError, PageRequest, Pages,
    cursor::{Place, Start},
    link::{below_base, url_of_relation},
    request::asked_size,
};
use crate::expressions::Expressions;

/// The pages around a page.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Around {
    pub(super) next: Option<Place>,
    pub(super) prev: Option<Place>,
    /// The page has the same records as the one before, so it is none of its own.
    pub(super) is_repetition: bool,
}

impl Pages<'_> {
    /// `place` and `request`: what [`Pages::begin`] made.
    pub(super) async fn around(
        &self,
        place: Option<&Place>,
        request: &PageRequest,
        asked: &Asked,
        answer: &PageAnswer<'_>,
        expressions: &impl Expressions,
    ) -> Result<Around, PageError> {
        let count = u32::try_from(answer.records.count).unwrap_or(u32::MAX);
        let found = match (self.pagination, place) {
            (Pagination::Page(pages), Some(Place::Page { n, limit })) => {
                let is_last = count == 0 || asked_size(request, &pages.size).is_some_and(|size| count < size);
                let at = |n: u32| Place::Page { n, limit: *limit };
                Around {
                    next: n.checked_add(1).filter(|_| !is_last).map(at),
                    prev: n.checked_sub(1).filter(|n| *n >= pages.start_page).map(at),
                    is_repetition: false,
                }
            }
            (Pagination::Offset(offset), Some(Place::Offset(start))) => {
                let size = asked_size(request, &offset.size);
                // Without a maximum, a short page may only be as long as the provider allows.
                let is_short = offset.size.max.is_some() && size.is_some_and(|size| count < size);
                Around {
                    next: (count > 0 && !is_short).then(|| Place::Offset(start.next(count))),
                    prev: start.prev(size).map(Place::Offset),
                    is_repetition: false,
                }
            }
            (Pagination::Range(range), Some(Place::Range(start))) => {
                let size = start.limit.or(asked.limit);
                let size = size.map(|limit| range.max.map_or(limit, |max| limit.min(max)).get());
                Around {
                    next: next_range(range, *start, size, count, answer).map(Place::Range),
                    prev: start.prev(size).map(Place::Range),
                    is_repetition: false,
                }
            }
            (Pagination::LinkHeader(_), _) => {
                let link = |relations: &[&str]| url_of_relation(answer.headers, relations);
                let to = |link: &str| {
                    below_base(self.base, &request.path, link, answer.withheld).map(|to| Place::Link { to, seen: None })
                };
                Around {
                    next: link(&["next"]).map(to).transpose()?,
                    prev: link(&["prev", "previous"]).map(to).transpose()?,
                    is_repetition: false,
                }
            }
            (Pagination::Cursor(cursor), _) => self.around_cursor(cursor, place, request, answer)?,
            (Pagination::Dynamic(dynamic), Some(Place::Dynamic { values })) => Around {
                next: self.next_values(dynamic, values, request, asked.limit, answer, expressions).await?,
                ..Around::default()
            },
            (Pagination::Page(_) | Pagination::Offset(_) | Pagination::Range(_) | Pagination::Dynamic(_), _) => {
                return Err(PageError::ForeignCursor);
            }
        };
        let leads_elsewhere = |other: &Place| place.is_none_or(|here| !is_same(here, other));
        Ok(Around { next: found.next.filter(leads_elsewhere), prev: found.prev.filter(leads_elsewhere), ..found })
    }

    fn around_cursor(
        &self,
        cursor: &CursorPagination,
        place: Option<&Place>,
        request: &PageRequest,
        answer: &PageAnswer<'_>,
    ) -> Result<Around, PageError> {
        let seen = cursor.ends_at_repetition.then(|| fingerprint(&answer.records.text));
        let is_repetition = match place {
            Some(Place::Cursor { seen: before, .. } | Place::Link { seen: before, .. }) => {
                before.is_some() && *before == seen
            }
            _ => false,
        };
        let has_next = cursor
            .has_next
            .as_ref()
            .is_none_or(|path| path.find(answer.body.clone()).is_some_and(|found| says_yes(&found.value())));
        let ends_here = is_repetition || !has_next || (cursor.ends_at_empty_page && answer.records.count == 0);
        let to = |path: &CursorPath, seen: Option<String>| -> Result<Option<Place>, PageError> {
            let Some(c) = value_at(path, answer, cursor.is_percent_encoded) else { return Ok(None) };
            Ok(match (cursor.source, &c) {
                (CursorSource::Value, _) => Some(Place::Cursor { c, seen }),
                (_, Value::String(link)) => {
                    Some(Place::Link { to: below_base(self.base, &request.path, link, answer.withheld)?, seen })
                }
                _ => None,
            })
        };
        Ok(Around {
            next: if ends_here { None } else { to(&cursor.next, seen)? },
            prev: cursor.prev.as_ref().map(|path| to(path, None)).transpose()?.flatten(),
            is_repetition,
        })
    }
}

/// Whether two places are the same page.
fn is_same(one: &Place, other: &Place) -> bool {
    match (one, other) {
        (Place::Cursor { c: one, .. }, Place::Cursor { c: other, .. }) => one == other,
        (Place::Link { to: one, .. }, Place::Link { to: other, .. }) => one == other,
        (Place::Offset(one), Place::Offset(other)) | (Place::Range(one), Place::Range(other)) => one.at == other.at,
        _ => one == other,
    }
}

/// A cursor in an answer. What stands for none gives `None`.
fn value_at(path: &CursorPath, answer: &PageAnswer<'_>, is_percent_encoded: bool) -> Option<Value> {
    let value = match path {
        CursorPath::Body(path) => path.find(answer.body.clone())?.value(),
        CursorPath::Header(name) => answer.headers.get(name.as_str())?.to_str().ok()?.into(),
    };
    let value = match value {
        Value::String(text) if is_percent_encoded => percent_decode_str(&text).decode_utf8().ok()?.into(),
        value => value,
    };
    let is_none = match &value {
        Value::Null | Value::Bool(_) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Number(_) => false,
    };
    (!is_none).then_some(value)
}

/// Truthy as in JavaScript, but for the text "false".
fn says_yes(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty() && !text.trim().eq_ignore_ascii_case("false"),
        Value::Array(_) | Value::Object(_) => true,
    }
}

/// Short enough for a cursor, and long enough not to be met by chance.
fn fingerprint(records: &[u8]) -> String {
    Sha256::digest(records).iter().take(12).fold(String::new(), |mut text, byte| {
        // Writing to a `String` can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `Content-Range: items 0-24/67` (RFC 9110 §14.4).
struct ContentRange {
    last: Option<u64>,
    complete: Option<u64>,
}

impl ContentRange {
    fn of(range: &RangePagination, answer: &PageAnswer<'_>) -> Option<Self> {
        let text = answer.headers.get(CONTENT_RANGE)?.to_str().ok()?.trim();
        // Some providers leave out the unit.
        let text = text.strip_prefix(range.unit.as_str()).unwrap_or(text).trim_start();
        let (part, complete) = text.split_once('/')?;
        let last = part.split_once('-').and_then(|(_, last)| last.trim().parse().ok());
        Some(Self { last, complete: complete.trim().parse().ok() })
    }
}

fn next_range(
    range: &RangePagination,
    start: Start,
    size: Option<u32>,
    count: u32,
    answer: &PageAnswer<'_>,
) -> Option<Start> {
    let said = ContentRange::of(range, answer);
    // A provider that doesn't know ranges gives the whole list (RFC 9110 §14.2).
    if count == 0 || said.is_none() && answer.status == http::StatusCode::OK {
        return None;
    }
    let ContentRange { last, complete } = said.unwrap_or(ContentRange { last: None, complete: None });
    let next = start.next(count);
    let next =
        last.and_then(|last| last.checked_add(1)).filter(|at| *at > start.at).map_or(next, |at| Start { at, ..next });
    let is_short = range.max.is_some() && size.is_some_and(|size| count < size);
    let is_last = complete.map_or(is_short, |complete| next.at >= complete);
    (!is_last).then_some(next)
}
