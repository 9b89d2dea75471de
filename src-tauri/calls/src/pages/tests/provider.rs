//! A provider with one list, which it gives in pages of any format.

use std::{
    num::NonZeroU32,
    sync::{Arc, LazyLock, Mutex},
};

use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use relink_domain::integration::{
    JsonPath,
    resources::{
        CursorPagination, CursorPath, CursorSource, LimitType, OffsetPagination, PagePagination, PageSize, Pagination,
        RangePagination,
    },
};
use serde_json::{Value, json};
use url::Url;

use super::super::{Asked, FetchError, Fetched, Page, PageAnswer, PageError, PageRequest, PageSource, Pages, Seal};
use crate::{
    account::CursorKey,
    expressions::{ExpressionError, Expressions},
    json::{Json, Records},
    withheld::Withheld,
};

impl Kind {
    /// How a definition describes it.
    pub(super) fn pagination(self, max: Option<u32>) -> Pagination {
        let max = max.and_then(NonZeroU32::new);
        let size = PageSize { key: Some("limit".to_owned()), max };
        match self {
            Self::Page { start } => Pagination::Page(PagePagination {
                page_key: "page".to_owned(),
                size,
                start_page: u32::try_from(start).expect("a small number"),
            }),
            Self::Offset => Pagination::Offset(OffsetPagination { offset_key: "offset".to_owned(), size }),
            Self::Cursor => Pagination::Cursor(Box::new(CursorPagination { size, ..cursor() })),
            Self::LinkInBody => {
                let source = CursorSource::LinkQuery;
                Pagination::Cursor(Box::new(CursorPagination { size, source, ..cursor() }))
            }
            Self::LinkHeader => Pagination::LinkHeader(size),
            Self::Range | Self::RangeOfUnknownLength => {
                Pagination::Range(RangePagination { unit: "items".to_owned(), max })
            }
        }
    }
}

pub(super) fn path(text: &str) -> CursorPath {
    CursorPath::Body(JsonPath::parse(text).expect("a path"))
}

pub(super) fn cursor() -> CursorPagination {
    CursorPagination {
        next: path("next"),
        prev: Some(path("prev")),
        cursor_key: "cursor".to_owned(),
        has_next: None,
        size: PageSize { key: Some("limit".to_owned()), max: None },
        limit_type: LimitType::Number,
        in_query: true,
        in_body: false,
        source: CursorSource::Value,
        headers: Vec::new(),
        limits_first_page_only: false,
        ends_at_repetition: false,
        is_percent_encoded: false,
        ends_at_empty_page: false,
    }
}

/// How the provider gives its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Page {
        start: usize,
    },
    Offset,
    /// The cursor is the number of the next record, after a "c".
    Cursor,
    /// The body has the next page's URL.
    LinkInBody,
    LinkHeader,
    Range,
    /// As [`Kind::Range`], without the number of all records.
    RangeOfUnknownLength,
}

/// A record that the provider leaves out of its pages is `None`, as if a filter hid it.
#[derive(Debug, Clone)]
pub(super) struct Provider {
    pub(super) kind: Kind,
    pub(super) list: Vec<Option<u32>>,
    /// A page has no more records.
    pub(super) cap: usize,
    pub(super) seen: Arc<Mutex<Vec<String>>>,
}

pub(super) static WITHHELD: LazyLock<Withheld> = LazyLock::new(|| Withheld::new("api_key", "secret"));

pub(super) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Json,
    records: Records,
}

impl Page for Answer {
    fn answer(&self) -> PageAnswer<'_> {
        let Self { status, headers, body, records } = self;
        PageAnswer { status: *status, headers, body, records, withheld: &WITHHELD }
    }
}

impl Provider {
    pub(super) fn new(kind: Kind, list: Vec<Option<u32>>, cap: usize) -> Self {
        Self { kind, list, cap, seen: Arc::default() }
    }

    /// A list of so many records, without hidden ones.
    pub(super) fn of(kind: Kind, length: u32, cap: usize) -> Self {
        Self::new(kind, (0..length).map(Some).collect(), cap)
    }

    pub(super) fn seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().expect("no panic"))
    }

    fn answer(&self, request: &PageRequest) -> Answer {
        let number =
            |name: &str| request.query.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.parse().ok());
        let range = request.headers.get(header::RANGE).and_then(|value| value.to_str().ok()?.strip_prefix("items="));
        let range = range.and_then(|text| text.split_once('-'));
        let size = match range {
            Some((first, last)) => {
                last.parse::<usize>().ok().map(|last| last + 1 - first.parse::<usize>().expect("a number"))
            }
            None => number("limit"),
        };
        let size = size.unwrap_or(3).min(self.cap);
        let from = match self.kind {
            Kind::Page { start } => (number("page").unwrap_or(start) - start) * size,
            Kind::Offset => number("offset").unwrap_or(0),
            Kind::Cursor => {
                let cursor = request.query.iter().find(|(key, _)| key == "cursor");
                cursor.map_or(0, |(_, text)| text.trim_start_matches('c').parse().expect("a cursor"))
            }
            Kind::LinkInBody | Kind::LinkHeader => number("from").unwrap_or(0),
            Kind::Range | Kind::RangeOfUnknownLength => range.map_or(0, |(first, _)| first.parse().expect("a number")),
        };
        let to = (from + size).min(self.list.len());
        let page = self.list.get(from..to).unwrap_or_default();
        let records: Vec<Value> = page.iter().flatten().map(|id| json!({"id": id})).collect();
        let next = (to < self.list.len()).then_some(to);
        let prev = (from > 0).then(|| from.saturating_sub(size));
        let link =
            |at: usize| format!("https://api.example.com/v1{}?limit={size}&from={at}&api_key=secret", request.path);
        let mut headers = HeaderMap::new();
        let mut body = json!({"data": records});
        match self.kind {
            Kind::Page { .. } | Kind::Offset => {}
            Kind::Cursor => {
                body["next"] = next.map(|at| format!("c{at}")).into();
                body["prev"] = prev.map(|at| format!("c{at}")).into();
            }
            Kind::LinkInBody => {
                body["next"] = next.map(link).into();
                body["prev"] = prev.map(link).into();
            }
            Kind::LinkHeader => {
                let of = |relation: &str, at: Option<usize>| at.map(|at| format!("<{}>; rel=\"{relation}\"", link(at)));
                let links: Vec<_> = of("next", next).into_iter().chain(of("prev", prev)).collect();
                headers.insert(header::LINK, HeaderValue::from_str(&links.join(", ")).expect("a value"));
            }
            Kind::Range | Kind::RangeOfUnknownLength => {
                let all = if self.kind == Kind::Range { self.list.len().to_string() } else { "*".to_owned() };
                let part = if from < to { format!("{from}-{}", to - 1) } else { "*".to_owned() };
                let text = format!("items {part}/{all}");
                headers.insert(header::CONTENT_RANGE, HeaderValue::from_str(&text).expect("a value"));
            }
        }
        let [body, records] = [&body, &body["data"]].map(|value| Json::of(value).expect("JSON"));
        Answer { status: StatusCode::OK, headers, body, records: Records::of(&records) }
    }
}

impl PageSource for Provider {
    type Page = Answer;
    type Error = ();

    fn outline(&self, is_later_page: bool) -> Result<PageRequest, ()> {
        Ok(PageRequest { is_later_page, ..request() })
    }

    async fn fetch(&self, request: &PageRequest) -> Result<Answer, ()> {
        self.seen.lock().expect("no panic").push(shown(request));
        Ok(self.answer(request))
    }
}

/// A source whose list is asked for with another request.
pub(super) struct Asking<'s, S>(pub(super) &'s PageRequest, pub(super) &'s S);

impl<S: PageSource + Sync> PageSource for Asking<'_, S> {
    type Page = S::Page;
    type Error = S::Error;

    fn outline(&self, is_later_page: bool) -> Result<PageRequest, S::Error> {
        Ok(PageRequest { is_later_page, ..self.0.clone() })
    }

    async fn fetch(&self, request: &PageRequest) -> Result<S::Page, S::Error> {
        self.1.fetch(request).await
    }
}

/// A request on one line.
pub(super) fn shown(request: &PageRequest) -> String {
    let query: Vec<_> = request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let header =
        |(name, value): (&http::HeaderName, &HeaderValue)| format!("{name}: {}", value.to_str().expect("text"));
    let mut parts = vec![format!("{}?{}", request.path, query.join("&"))];
    parts.extend(request.headers.iter().map(header));
    parts.extend(request.body.as_ref().map(ToString::to_string));
    parts.join(" ")
}

/// JSONata for tests: of the expressions, only these are known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fake;

impl Expressions for Fake {
    async fn evaluate(&self, expression: &str, input: Value) -> Result<Option<Value>, ExpressionError> {
        Ok(match expression {
            "first" => Some(json!({"from": 0, "size": input["query"]["limit"]})),
            "next if any" => {
                let next = input["body"]["next"].as_str().map(|text| text.trim_start_matches('c').to_owned());
                next.map(|at| json!({"from": at, "size": input["paginationValues"]["size"]}))
            }
            "cursor" => input["response"]["data"]["next"].as_str().map(Into::into),
            "of cursor" => Some(json!({"from": input["cursor"]})),
            "the scope" => Some(json!({"scope": input.to_string()})),
            "text" => Some("text".into()),
            "nothing" => None,
            _ => {
                let message = format!("{expression} is not known");
                return Err(ExpressionError { code: Some("S0201".to_owned()), message, position: None, advice: None });
            }
        })
    }
}

pub(super) fn request() -> PageRequest {
    PageRequest {
        method: Method::GET,
        path: "/items".to_owned(),
        query: vec![("q".to_owned(), "x".to_owned())],
        raw_query: None,
        headers: HeaderMap::new(),
        body: None,
        is_later_page: false,
    }
}

type FetchResult = Result<Fetched<Answer>, FetchError<()>>;

pub(super) fn with_pages<T>(pagination: &Pagination, act: impl FnOnce(&Pages<'_>) -> T) -> T {
    let base: Url = "https://api.example.com/v1".parse().expect("a URL");
    act(&Pages { pagination, base: &base, seal: &seal() })
}

pub(super) fn seal() -> Seal {
    Seal::new(CursorKey([7; 32]), &["the list"])
}

/// One page for a caller.
pub(super) fn page(pagination: &Pagination, source: &Provider, asked: Asked) -> FetchResult {
    with_pages(pagination, |pages| pages.fetch(asked, source, &Fake).now_or_never().expect("nothing to wait for"))
}

pub(super) fn asked(limit: Option<u32>, next: Option<&str>, prev: Option<&str>) -> Asked {
    Asked::read(limit.map(|limit| limit.to_string()).as_deref(), next, prev, &seal()).expect("a page")
}

pub(super) fn ids(fetched: &Fetched<Answer>) -> Vec<u64> {
    let records: Vec<Value> = serde_json::from_slice(&fetched.page.records.text).expect("a list");
    records.iter().filter_map(|record| record["id"].as_u64()).collect()
}

/// The pages from the beginning of the list to its end.
pub(super) fn forward(pagination: &Pagination, source: &Provider, limit: Option<u32>) -> Vec<Fetched<Answer>> {
    let mut pages: Vec<Fetched<Answer>> = Vec::new();
    loop {
        let cursor = pages.last().and_then(|page| page.next_cursor.clone());
        if !pages.is_empty() && cursor.is_none() {
            return pages;
        }
        pages.push(page(pagination, source, asked(limit, cursor.as_deref(), None)).expect("a page"));
        assert!(pages.len() < 1000, "the walk doesn't end");
    }
}

/// The pages before one, the nearest first.
pub(super) fn back(
    pagination: &Pagination,
    source: &Provider,
    limit: Option<u32>,
    from: &Fetched<Answer>,
) -> Vec<Fetched<Answer>> {
    let mut pages: Vec<Fetched<Answer>> = Vec::new();
    let mut cursor = from.prev_cursor.clone();
    while let Some(text) = cursor {
        pages.push(page(pagination, source, asked(limit, None, Some(&text))).expect("a page"));
        assert!(pages.len() < 1000, "the walk doesn't end");
        cursor = pages.last().and_then(|page| page.prev_cursor.clone());
    }
    pages
}

pub(super) fn error(result: FetchResult) -> PageError {
    match result {
        Err(FetchError::Page(error)) => error,
        Err(FetchError::Source(())) => panic!("the source failed"),
        Ok(_) => panic!("a page"),
    }
}
