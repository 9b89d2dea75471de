//! The request for a page.

use std::num::NonZeroU32;

use http::{HeaderName, HeaderValue, header::RANGE};
use relink_domain::integration::resources::{
    CursorPagination, CursorSource, LimitType, PageSize, Pagination, RangePagination,
};
use serde_json::{Map, Value};

use super::{
    Asked, PageError, PageRequest, Pages,
    cursor::{Place, Start},
};
use crate::expressions::Expressions;

impl Pages<'_> {
    /// Makes a list's request one for the page that a caller asks for. `None`: it has no place of its own, because only its
    /// answer says where the list goes on.
    pub(super) async fn begin(
        &self,
        request: &mut PageRequest,
        asked: &Asked,
        expressions: &impl Expressions,
    ) -> Result<Option<Place>, PageError> {
        let place = asked.place.clone();
        Ok(match self.pagination {
            Pagination::Page(pages) => {
                let (n, limit) = match place {
                    Some(Place::Page { n, limit }) => (n, limit.or(asked.limit)),
                    Some(_) => return Err(PageError::ForeignCursor),
                    // A caller may name a page in the provider's own words.
                    None => (number_of(request, &pages.page_key).unwrap_or(pages.start_page), asked.limit),
                };
                set_limit(request, &pages.size, limit);
                set(&mut request.query, &pages.page_key, n.to_string());
                Some(Place::Page { n, limit })
            }
            Pagination::Offset(offset) => {
                let start = match place {
                    Some(Place::Offset(start)) => start,
                    Some(_) => return Err(PageError::ForeignCursor),
                    None => Start { at: number_of(request, &offset.offset_key).unwrap_or(0), ..Start::FIRST },
                };
                set_limit(request, &offset.size, start.limit.or(asked.limit));
                set(&mut request.query, &offset.offset_key, start.at.to_string());
                Some(Place::Offset(start))
            }
            Pagination::Range(range) => {
                let start = match place {
                    Some(Place::Range(start)) => start,
                    Some(_) => return Err(PageError::ForeignCursor),
                    None => Start::FIRST,
                };
                set_range(request, range, start, start.limit.or(asked.limit));
                Some(Place::Range(start))
            }
            Pagination::LinkHeader(size) => match place {
                Some(Place::Link { to, seen }) => {
                    let (path, query) = self.link(&to)?;
                    (request.path, request.query) = (path.to_owned(), query);
                    Some(Place::Link { to, seen })
                }
                Some(_) => return Err(PageError::ForeignCursor),
                None => {
                    set_limit(request, size, asked.limit);
                    None
                }
            },
            Pagination::Cursor(cursor) => {
                self.begin_at_cursor(request, cursor, place.as_ref(), asked.limit)?;
                place
            }
            Pagination::Dynamic(dynamic) => {
                let values = match place {
                    Some(Place::Dynamic { values }) => values,
                    Some(_) => return Err(PageError::ForeignCursor),
                    None => self.initial_values(dynamic, request, asked.limit, expressions).await?,
                };
                merge(request, &values, dynamic.in_body)?;
                Some(Place::Dynamic { values })
            }
        })
    }

    fn begin_at_cursor(
        &self,
        request: &mut PageRequest,
        cursor: &CursorPagination,
        place: Option<&Place>,
        limit: Option<NonZeroU32>,
    ) -> Result<(), PageError> {
        for (name, value) in &cursor.headers {
            let pair = (name.as_str().parse::<HeaderName>(), HeaderValue::from_str(value));
            // Checked when the definition was decoded.
            if let (Ok(name), Ok(value)) = pair {
                request.headers.insert(name, value);
            }
        }
        match (place, cursor.source) {
            (None, _) => {}
            (Some(Place::Cursor { c, .. }), CursorSource::Value) => {
                if cursor.in_query {
                    set(&mut request.query, &cursor.cursor_key, plain(c));
                }
                if cursor.in_body {
                    set_in_body(request, &cursor.cursor_key, c.clone())?;
                }
            }
            (Some(Place::Link { to, .. }), CursorSource::LinkQuery | CursorSource::Link) => {
                let (path, query) = self.link(to)?;
                if cursor.source == CursorSource::Link {
                    path.clone_into(&mut request.path);
                }
                request.query = query;
            }
            (Some(_), _) => return Err(PageError::ForeignCursor),
        }
        let (Some(key), Some(limit)) = (&cursor.size.key, effective(limit, cursor.size.max)) else { return Ok(()) };
        if place.is_some() && cursor.limits_first_page_only {
            return Ok(());
        }
        // A link has the limit of the page before.
        let is_there = cursor.source != CursorSource::Value && request.query.iter().any(|(name, _)| name == key);
        if cursor.in_query && !(place.is_some() && is_there) {
            set(&mut request.query, key, limit.to_string());
        }
        if cursor.in_body {
            let value = match cursor.limit_type {
                LimitType::Number => limit.get().into(),
                LimitType::Text => limit.to_string().into(),
            };
            set_in_body(request, key, value)?;
        }
        Ok(())
    }
}

/// How many records a request asks for, as far as the provider gives so many.
pub(super) fn asked_size(request: &PageRequest, size: &PageSize) -> Option<u32> {
    let asked = number_of(request, size.key.as_ref()?)?;
    Some(size.max.map_or(asked, |max| asked.min(max.get())))
}

fn number_of<N: std::str::FromStr>(request: &PageRequest, key: &str) -> Option<N> {
    request.query.iter().rev().find(|(name, _)| name == key)?.1.parse().ok()
}

fn effective(limit: Option<NonZeroU32>, max: Option<NonZeroU32>) -> Option<NonZeroU32> {
    limit.map(|limit| max.map_or(limit, |max| limit.min(max)))
}

fn set_limit(request: &mut PageRequest, size: &PageSize, limit: Option<NonZeroU32>) {
    if let (Some(key), Some(limit)) = (&size.key, effective(limit, size.max)) {
        set(&mut request.query, key, limit.to_string());
    }
}

fn set_range(request: &mut PageRequest, range: &RangePagination, start: Start, limit: Option<NonZeroU32>) {
    let limit = effective(limit, range.max);
    if limit.is_none() && start == Start::FIRST {
        return;
    }
    let last = limit.map(|limit| start.at.saturating_add(u64::from(limit.get() - 1)).to_string());
    let text = format!("{}={}-{}", range.unit, start.at, last.unwrap_or_default());
    // Its unit was checked when the definition was decoded.
    if let Ok(value) = HeaderValue::from_str(&text) {
        request.headers.insert(RANGE, value);
    }
}

/// Sets a parameter, in place of all of its name.
fn set(query: &mut Vec<(String, String)>, name: &str, value: String) {
    query.retain(|(other, _)| other != name);
    query.push((name.to_owned(), value));
}

/// Sets a member of the body. The dots in its name lead into objects, which are made where there are none.
fn set_in_body(request: &mut PageRequest, path: &str, value: Value) -> Result<(), PageError> {
    let mut object = body_object(request)?;
    let mut names = path.split('.').peekable();
    while let Some(name) = names.next() {
        if names.peek().is_none() {
            object.insert(name.to_owned(), value);
            return Ok(());
        }
        let below = object.entry(name).or_insert(Value::Null);
        if below.is_null() {
            *below = Map::new().into();
        }
        object = below.as_object_mut().ok_or(PageError::Body)?;
    }
    Ok(())
}

fn body_object(request: &mut PageRequest) -> Result<&mut Map<String, Value>, PageError> {
    let body = request.body.get_or_insert(Value::Null);
    if body.is_null() {
        *body = Map::new().into();
    }
    body.as_object_mut().ok_or(PageError::Body)
}

/// Merges values into the query or the body. Null takes a parameter away.
fn merge(request: &mut PageRequest, values: &Map<String, Value>, in_body: bool) -> Result<(), PageError> {
    if in_body {
        let body = body_object(request)?;
        for (name, value) in values {
            body.insert(name.clone(), value.clone());
        }
        return Ok(());
    }
    for (name, value) in values {
        match value {
            Value::Null => request.query.retain(|(other, _)| other != name),
            value => set(&mut request.query, name, plain(value)),
        }
    }
    Ok(())
}

/// A value as a parameter's text.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
