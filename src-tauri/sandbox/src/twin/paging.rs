//! Pages: which records a request gets, and what leads to the others.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::records::with;
use crate::scenario::{
    PageKind, Pages,
    template::{find, text_of},
};

/// Where a page begins. A cursor also names its collection, and what it remembers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) offset: usize,
    pub(crate) collection: Option<String>,
    pub(crate) remembered: Option<String>,
}

/// The request's cursor wasn't issued here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnknownCursor;

/// The number of records that the request asks for, within bounds.
pub(crate) fn limit(pages: &Pages, scope: &Value) -> usize {
    let asked = pages.limit.as_deref().and_then(|at| find(scope, at)).and_then(|it| text_of(it).parse::<usize>().ok());
    asked.filter(|limit| *limit > 0).unwrap_or(pages.default_limit).min(pages.max_limit)
}

pub(crate) fn start(pages: &Pages, scope: &Value) -> Result<Start, UnknownCursor> {
    let asked = find(scope, &pages.at).map(text_of).filter(|text| !text.is_empty());
    let Some(asked) = asked else { return Ok(Start::default()) };
    let number = || asked.parse::<usize>().map_err(|_| UnknownCursor);
    let offset = match pages.kind {
        PageKind::Page => number()?.saturating_sub(1).saturating_mul(limit(pages, scope)),
        PageKind::Offset => number()?,
        PageKind::Cursor => return of_cursor(&asked).ok_or(UnknownCursor),
    };
    Ok(Start { offset, ..Start::default() })
}

fn of_cursor(cursor: &str) -> Option<Start> {
    let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let mut parts = text.splitn(3, ':').map(str::to_owned);
    let collection = parts.next();
    Some(Start { offset: parts.next()?.parse().ok()?, collection, remembered: parts.next() })
}

fn cursor(pages: &Pages, collection: &str, offset: usize, scope: &Value) -> String {
    let remembered =
        pages.remembers.as_deref().and_then(|at| find(scope, at)).map(|value| format!(":{}", text_of(value)));
    BASE64_URL_SAFE_NO_PAD.encode(format!("{collection}:{offset}{}", remembered.unwrap_or_default()))
}

/// The scope of a request with what its cursor remembers.
pub(crate) fn with_remembered(pages: &Pages, start: &Start, scope: &Value) -> Value {
    let Some((at, text)) = pages.remembers.as_deref().zip(start.remembered.as_deref()) else { return scope.clone() };
    with(scope, at.rsplit('.').fold(Value::from(text), |value, step| json!({ step: value })))
}

/// A page's records, and what its answer can name.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) values: Value,
    pub(crate) link: Option<String>,
}

/// `collection`: its name, which a cursor contains. `own_url`: the request's, without a query.
pub(crate) fn page(
    pages: &Pages,
    collection: &str,
    records: &[Value],
    start: usize,
    scope: &Value,
    own_url: &str,
) -> Page {
    let (limit, total) = (limit(pages, scope), records.len());
    let items: Vec<_> = records.iter().skip(start).take(limit).cloned().collect();
    let end = start.saturating_add(items.len());
    let place = |offset: usize| match pages.kind {
        PageKind::Page => Value::from(offset / limit + 1),
        PageKind::Offset => Value::from(offset),
        PageKind::Cursor => Value::from(cursor(pages, collection, offset, scope)),
    };
    let next = (end < total && !items.is_empty()).then(|| place(end));
    let previous = (start > 0).then(|| place(start.saturating_sub(limit)));
    let last = total.saturating_sub(1) / limit * limit;
    let url = |at: &Value| url_of(pages, scope, own_url, at);
    let mut links = Vec::new();
    if pages.link_header {
        let of = |rel: &str, at: &Value| format!("<{}>; rel=\"{rel}\"", url(at));
        links.extend(previous.iter().map(|at| of("prev", at)));
        links.extend(next.iter().map(|at| of("next", at)));
        links.extend(next.iter().map(|_| of("last", &place(last))));
        links.extend(previous.iter().map(|_| of("first", &place(0))));
    }
    let mut values = Map::new();
    values.insert("count".into(), items.len().into());
    values.insert("items".into(), items.into());
    values.insert("total".into(), total.into());
    values.insert("start".into(), start.into());
    values.insert("limit_asked".into(), limit.into());
    values.insert("has_more".into(), next.is_some().into());
    values.insert("is_last".into(), next.is_none().into());
    if let Some(next) = next {
        values.insert("next_url".into(), url(&next).into());
        values.insert("next".into(), next);
    }
    Page { values: json!(values), link: (!links.is_empty()).then(|| links.join(", ")) }
}

/// The request's URL with another place in the query.
fn url_of(pages: &Pages, scope: &Value, own_url: &str, at: &Value) -> String {
    let Some(param) = pages.at.strip_prefix("query.") else { return own_url.to_owned() };
    let mut query = form_urlencoded::Serializer::new(String::new());
    let asked = scope.get("query").and_then(Value::as_object);
    for (name, value) in asked.into_iter().flatten().filter(|(name, _)| *name != param) {
        query.append_pair(name, &text_of(value));
    }
    query.append_pair(param, &text_of(at));
    format!("{own_url}?{}", query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(kind: PageKind, at: &str) -> Pages {
        Pages {
            kind,
            at: at.into(),
            limit: Some("query.size".into()),
            default_limit: 3,
            max_limit: 4,
            link_header: kind == PageKind::Page,
            remembers: None,
            bad_cursor: None,
        }
    }

    /// Follows the pages from the first one to the last, and returns the sizes and the records.
    fn walk(pages: &Pages, param: &str, size: &str) -> (Vec<u64>, Vec<Value>) {
        let records: Vec<Value> = (0..10).map(Value::from).collect();
        let (mut sizes, mut seen) = (Vec::new(), Vec::new());
        let mut scope = json!({ "query": { "size": size, "q": "a b" } });
        loop {
            let start = start(pages, &scope).expect("an own cursor").offset;
            let found = page(pages, "numbers", &records, start, &scope, "http://h/numbers");
            sizes.push(found.values["count"].as_u64().expect("a number"));
            seen.extend(found.values["items"].as_array().expect("a list").clone());
            let Some(next) = found.values.get("next") else { return (sizes, seen) };
            scope["query"][param] = next.clone();
        }
    }

    #[test]
    fn every_kind_of_page_leads_through_all_records_once() {
        for kind in [PageKind::Page, PageKind::Offset, PageKind::Cursor] {
            let pages = pages(kind, "query.at");
            for (size, sizes) in
                [("", vec![3, 3, 3, 1]), ("99", vec![4, 4, 2]), ("0", vec![3, 3, 3, 1]), ("2", vec![2; 5])]
            {
                let (found, seen) = walk(&pages, "at", size);
                assert_eq!(found, sizes, "{kind:?} {size}");
                assert_eq!(seen, (0..10).map(Value::from).collect::<Vec<_>>(), "{kind:?} {size}");
            }
        }
    }

    #[test]
    fn links_lead_to_the_pages_around() {
        let pages = pages(PageKind::Page, "query.page");
        let records: Vec<Value> = (0..10).map(Value::from).collect();
        let scope = json!({ "query": { "page": "2", "q": "a b" } });
        let start = start(&pages, &scope).expect("a page").offset;
        let link = page(&pages, "numbers", &records, start, &scope, "http://h/n").link.expect("links");
        let expected = "<http://h/n?q=a+b&page=1>; rel=\"prev\", <http://h/n?q=a+b&page=3>; rel=\"next\", \
                        <http://h/n?q=a+b&page=4>; rel=\"last\", <http://h/n?q=a+b&page=1>; rel=\"first\"";
        assert_eq!(link, expected);
        let whole = page(&pages, "numbers", &records[..2], 0, &json!({}), "http://h/n");
        assert_eq!((whole.link, whole.values.get("next")), (None, None));
    }

    #[test]
    fn a_cursor_remembers_a_part_of_the_request() {
        let pages = Pages { remembers: Some("query.q".into()), ..pages(PageKind::Cursor, "path.at") };
        let records: Vec<Value> = (0..10).map(Value::from).collect();
        let asked = json!({ "query": { "q": "a: b" } });
        let next = page(&pages, "numbers", &records, 0, &asked, "http://h/n").values["next"].clone();
        let follows = json!({ "path": { "at": next }, "query": {} });
        let start = start(&pages, &follows).expect("an own cursor");
        assert_eq!((start.offset, start.collection.as_deref()), (3, Some("numbers")));
        assert_eq!(with_remembered(&pages, &start, &follows)["query"], asked["query"]);
    }

    #[test]
    fn a_cursor_from_elsewhere_is_refused() {
        let pages = pages(PageKind::Cursor, "query.at");
        for cursor in ["2", "!!", "bm8", "bm86eA"] {
            assert_eq!(start(&pages, &json!({ "query": { "at": cursor } })), Err(UnknownCursor), "{cursor}");
        }
        let pages = Pages { kind: PageKind::Page, ..pages };
        assert_eq!(start(&pages, &json!({ "query": { "at": "x" } })), Err(UnknownCursor));
    }
}
