//! The keys of each format, one by one.

use std::{num::NonZeroU32, sync::Mutex};

use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue, StatusCode};
use relink_domain::integration::{
    HeaderName, JsonPath,
    resources::{CursorPagination, CursorPath, CursorSource, DynamicPagination, LimitType, PageSize, Pagination},
};
use serde_json::{Value, json};

use super::{
    super::{Fetched, Page, PageAnswer, PageError, PageRequest, PageSource},
    provider::*,
};
use crate::json::{Json, Records};

/// Answers with these bodies, one after another, and keeps the requests. Their records are at "data".
#[derive(Default)]
struct Script {
    answers: Mutex<Vec<(HeaderMap, Value)>>,
    seen: Mutex<Vec<String>>,
}

#[derive(Debug)]
struct Scripted(HeaderMap, Json, Records);

impl Page for Scripted {
    fn answer(&self) -> PageAnswer<'_> {
        let Self(headers, body, records) = self;
        PageAnswer { status: StatusCode::OK, headers, body, records, withheld: &WITHHELD }
    }
}

impl PageSource for Script {
    type Page = Scripted;
    type Error = ();

    fn outline(&self, is_later_page: bool) -> Result<PageRequest, ()> {
        Ok(PageRequest { is_later_page, ..request() })
    }

    async fn fetch(&self, request: &PageRequest) -> Result<Scripted, ()> {
        self.seen.lock().expect("no panic").push(shown(request));
        let (headers, body) = self.answers.lock().expect("no panic").remove(0);
        let [body, records] = [&body, &body["data"]].map(|value| Json::of(value).expect("JSON"));
        Ok(Scripted(headers, body, Records::of(&records)))
    }
}

/// The pages of a list until its end, and the requests for them.
fn walk(pagination: &Pagination, body: Option<Value>, answers: &[Value]) -> (Vec<Fetched<Scripted>>, Vec<String>) {
    walk_with(pagination, body, answers.iter().map(|body| (HeaderMap::new(), body.clone())).collect())
}

fn walk_with(
    pagination: &Pagination,
    body: Option<Value>,
    answers: Vec<(HeaderMap, Value)>,
) -> (Vec<Fetched<Scripted>>, Vec<String>) {
    let script = Script { answers: answers.into(), ..Script::default() };
    let request = PageRequest { body, ..request() };
    let mut pages: Vec<Fetched<Scripted>> = Vec::new();
    with_pages(pagination, |all| {
        while pages.last().is_none_or(|page| page.next_cursor.is_some()) {
            let cursor = pages.last().and_then(|page| page.next_cursor.clone());
            let asked = asked(Some(2), cursor.as_deref(), None);
            let fetched =
                all.fetch(asked, &Asking(&request, &script), &Fake).now_or_never().expect("nothing to wait for");
            pages.push(fetched.expect("a page"));
        }
    });
    assert!(script.answers.into_inner().expect("no panic").is_empty(), "the walk ended early");
    (pages, script.seen.into_inner().expect("no panic"))
}

fn requests(cursor: CursorPagination, body: Option<Value>, answers: &[Value]) -> Vec<String> {
    walk(&Pagination::Cursor(Box::new(cursor)), body, answers).1
}

fn with(change: impl FnOnce(&mut CursorPagination)) -> CursorPagination {
    let mut cursor = cursor();
    change(&mut cursor);
    cursor
}

#[test]
fn a_cursor_may_be_anything_that_names_a_page() {
    for (next, sent) in [(json!("a b"), "a b"), (json!(7), "7"), (json!(0), "0"), (json!({"k": 1}), "{\"k\":1}")] {
        let answers = [json!({"data": [1], "next": next}), json!({"data": [2]})];
        assert_eq!(requests(cursor(), None, &answers)[1], format!("/items?q=x&cursor={sent}&limit=2"));
    }
    for none in [json!(null), json!(""), json!(false), json!(true), json!({}), json!([])] {
        assert_eq!(requests(cursor(), None, &[json!({"data": [1], "next": none})]).len(), 1, "{none}");
    }
}

#[test]
fn a_cursor_may_be_in_a_header_and_percent_encoded() {
    let name = HeaderName::parse("X-Next").expect("a name");
    let cursor = with(|cursor| {
        cursor.next = CursorPath::Header(name);
        cursor.is_percent_encoded = true;
    });
    let headers = HeaderMap::from_iter([("x-next".parse().expect("a name"), HeaderValue::from_static("a%20b%2Bc"))]);
    let answers = vec![(headers, json!({"data": [1]})), (HeaderMap::new(), json!({"data": [2]}))];
    let (_, requests) = walk_with(&Pagination::Cursor(Box::new(cursor)), None, answers);
    assert_eq!(requests[1], "/items?q=x&cursor=a b+c&limit=2");
}

#[test]
fn a_cursor_goes_into_the_body_the_query_or_both() {
    let answers = [json!({"data": [1], "next": 5}), json!({"data": [2]})];
    let in_body = |in_query: bool, limit_type: LimitType| {
        with(|cursor| {
            (cursor.in_body, cursor.in_query, cursor.limit_type) = (true, in_query, limit_type);
            "page.after".clone_into(&mut cursor.cursor_key);
        })
    };
    assert_eq!(
        requests(in_body(false, LimitType::Number), Some(json!({"filter": 1, "page": {"x": 1}})), &answers),
        [
            "/items?q=x {\"filter\":1,\"page\":{\"x\":1},\"limit\":2}",
            "/items?q=x {\"filter\":1,\"page\":{\"x\":1,\"after\":5},\"limit\":2}",
        ]
    );
    assert_eq!(
        requests(in_body(true, LimitType::Text), None, &answers)[1],
        "/items?q=x&page.after=5&limit=2 {\"page\":{\"after\":5},\"limit\":\"2\"}"
    );
    let script = Script { answers: vec![].into(), ..Script::default() };
    let pagination = Pagination::Cursor(Box::new(in_body(false, LimitType::Number)));
    let request = PageRequest { body: Some(json!([1])), ..request() };
    let refused = with_pages(&pagination, |pages| {
        pages
            .fetch(asked(Some(2), None, None), &Asking(&request, &script), &Fake)
            .now_or_never()
            .expect("nothing to wait for")
    });
    assert!(matches!(refused, Err(super::super::FetchError::Page(PageError::Body))));
}

#[test]
fn the_answer_may_say_whether_there_is_a_next_page() {
    let has_next = with(|cursor| cursor.has_next = Some(JsonPath::parse("more").expect("a path")));
    for more in [json!(true), json!("true"), json!(1), json!("yes"), json!({})] {
        let answers =
            [json!({"data": [1], "next": "c", "more": more}), json!({"data": [2], "next": "d", "more": false})];
        assert_eq!(requests(has_next.clone(), None, &answers).len(), 2, "{more}");
    }
    for more in [json!(false), json!("false"), json!("False"), json!(""), json!(0), json!(null)] {
        let answers = [json!({"data": [1], "next": "c", "more": more})];
        assert_eq!(requests(has_next.clone(), None, &answers).len(), 1, "{more}");
    }
    assert_eq!(requests(has_next, None, &[json!({"data": [1], "next": "c"})]).len(), 1, "it isn't there");
}

#[test]
fn limits_and_headers_go_with_each_page_unless_the_definition_says_otherwise() {
    let answers = [json!({"data": [1], "next": "c"}), json!({"data": [2]})];
    let cursor = with(|cursor| {
        cursor.limits_first_page_only = true;
        cursor.headers = vec![(HeaderName::parse("X-Mode").expect("a name"), "paged".to_owned())];
    });
    assert_eq!(
        requests(cursor, None, &answers),
        ["/items?q=x&limit=2 x-mode: paged", "/items?q=x&cursor=c x-mode: paged"]
    );
    let most = with(|cursor| cursor.size = PageSize { key: Some("first".to_owned()), max: NonZeroU32::new(1) });
    assert_eq!(requests(most, None, &answers), ["/items?q=x&first=1", "/items?q=x&cursor=c&first=1"]);
    let none = with(|cursor| cursor.size = PageSize::default());
    assert_eq!(requests(none, None, &answers), ["/items?q=x", "/items?q=x&cursor=c"]);
}

#[test]
fn a_link_gives_its_query_and_only_on_request_its_path() {
    let next = "https://api.example.com/v1/items/more?after=7&api_key=secret";
    let answers = [json!({"data": [1], "next": next}), json!({"data": [2]})];
    for (source, expected) in
        [(CursorSource::LinkQuery, "/items?after=7&limit=2"), (CursorSource::Link, "/items/more?after=7&limit=2")]
    {
        assert_eq!(requests(with(|cursor| cursor.source = source), None, &answers)[1], expected);
    }
    let foreign = Script::default();
    let body = json!({"data": [1], "next": "https://evil.example/v1/items"});
    foreign.answers.lock().expect("no panic").push((HeaderMap::new(), body));
    let pagination = Pagination::Cursor(Box::new(with(|cursor| cursor.source = CursorSource::Link)));
    let refused = with_pages(&pagination, |pages| {
        pages.fetch(asked(None, None, None), &foreign, &Fake).now_or_never().expect("nothing to wait for")
    });
    assert!(
        matches!(refused, Err(super::super::FetchError::Page(PageError::ForeignLink(host))) if host == "evil.example")
    );
}

#[test]
fn a_page_that_repeats_the_one_before_is_the_end() {
    let cursor = with(|cursor| cursor.ends_at_repetition = true);
    let answers = [
        json!({"data": [1, 2], "next": "c"}),
        json!({"data": [3, 4], "next": "d"}),
        json!({"data": [3, 4], "next": "e"}),
    ];
    let (pages, _) = walk(&Pagination::Cursor(Box::new(cursor)), None, &answers);
    let flags: Vec<_> = pages.iter().map(|page| (page.is_repetition, page.is_partial)).collect();
    assert_eq!(flags, [(false, false), (false, false), (true, false)]);
}

#[test]
fn a_page_that_leads_to_itself_is_the_last() {
    let answers = [json!({"data": [1], "next": "c"}), json!({"data": [2], "next": "c"})];
    assert_eq!(requests(cursor(), None, &answers).len(), 2);
}

#[test]
fn a_caller_may_begin_in_the_providers_own_words() {
    for (kind, given) in [(Kind::Page { start: 1 }, ("page", "3")), (Kind::Offset, ("offset", "4"))] {
        let provider = Provider::of(kind, 7, 100);
        let request = PageRequest { query: vec![(given.0.to_owned(), given.1.to_owned())], ..request() };
        let pagination = kind.pagination(Some(100));
        let fetched = with_pages(&pagination, |pages| {
            pages
                .fetch(asked(Some(2), None, None), &Asking(&request, &provider), &Fake)
                .now_or_never()
                .expect("nothing to wait for")
        });
        let fetched = fetched.expect("a page");
        assert_eq!(ids(&fetched), [4, 5], "{kind:?}");
        let earlier = back(&pagination, &provider, Some(2), &fetched);
        assert_eq!(earlier.iter().map(ids).collect::<Vec<_>>(), [[2, 3], [0, 1]], "{kind:?}");
    }
    // Where fewer records come before than a page has, no record comes twice.
    let provider = Provider::of(Kind::Offset, 7, 100);
    let request = PageRequest { query: vec![("offset".to_owned(), "1".to_owned())], ..request() };
    let pagination = Kind::Offset.pagination(None);
    let fetched = with_pages(&pagination, |pages| {
        pages
            .fetch(asked(Some(3), None, None), &Asking(&request, &provider), &Fake)
            .now_or_never()
            .expect("nothing to wait for")
    });
    let earlier = back(&pagination, &provider, Some(3), &fetched.expect("a page"));
    assert_eq!(earlier.iter().map(ids).collect::<Vec<_>>(), [[0]]);
}

#[test]
fn a_range_behind_the_end_is_an_empty_page() {
    let behind =
        |kind: Kind, status: StatusCode| with_pages(&kind.pagination(None), |pages| pages.is_behind_the_end(status));
    assert!(behind(Kind::Range, StatusCode::RANGE_NOT_SATISFIABLE));
    assert!(!behind(Kind::Range, StatusCode::NOT_FOUND));
    assert!(!behind(Kind::Offset, StatusCode::RANGE_NOT_SATISFIABLE));
}

fn dynamic(initial: Option<&str>, values: Option<&str>, cursor: Option<&str>, in_body: bool) -> Pagination {
    let own = |text: Option<&str>| text.map(str::to_owned);
    Pagination::Dynamic(Box::new(DynamicPagination {
        initial: own(initial),
        values: own(values),
        cursor: own(cursor),
        in_body,
    }))
}

#[test]
fn expressions_decide_over_the_pages() {
    let answers = [json!({"data": [1], "next": "c2"}), json!({"data": [2], "next": "c4"}), json!({"data": [3]})];
    let (_, requests) = walk(&dynamic(Some("first"), Some("next if any"), None, false), None, &answers);
    assert_eq!(requests, ["/items?q=x&from=0&size=2", "/items?q=x&from=2&size=2", "/items?q=x&from=4&size=2"]);
    let (_, requests) = walk(&dynamic(None, Some("of cursor"), Some("cursor"), true), Some(json!({"a": 1})), &answers);
    assert_eq!(
        requests,
        ["/items?q=x {\"a\":1}", "/items?q=x {\"a\":1,\"from\":\"c2\"}", "/items?q=x {\"a\":1,\"from\":\"c4\"}"]
    );
}

#[test]
fn expressions_see_the_request_and_the_answer_and_no_header_of_the_request() {
    let script = Script { answers: vec![(HeaderMap::new(), json!({"data": [1]}))].into(), ..Script::default() };
    let mut request = request();
    request.headers.insert("x-api-key", HeaderValue::from_static("secret"));
    request.query.push(("q".to_owned(), "y".to_owned()));
    let pagination = dynamic(Some("the scope"), Some("nothing"), None, false);
    with_pages(&pagination, |pages| {
        pages
            .fetch(asked(Some(2), None, None), &Asking(&request, &script), &Fake)
            .now_or_never()
            .expect("nothing to wait for")
    })
    .expect("a page");
    let seen = script.seen.into_inner().expect("no panic").remove(0);
    let scope = json!({
        "query": {"q": ["x", "y"], "limit": 2},
        "url": "https://api.example.com/v1/items",
        "requestOptions": {"method": "GET", "body": null},
    });
    assert!(seen.contains(&format!("scope={scope}")), "{seen}");
}

#[test]
fn an_expression_that_gives_no_object_is_an_error() {
    for (pagination, expected) in [
        (
            dynamic(Some("text"), Some("nothing"), None, false),
            PageError::NoValues("get_initial_pagination_values_expression"),
        ),
        (dynamic(None, Some("text"), None, false), PageError::NoValues("get_pagination_values_expression")),
        (dynamic(None, None, Some("text"), false), PageError::NoValues("get_cursor_from_response_expression")),
    ] {
        let provider = Provider::of(Kind::Cursor, 3, 100);
        assert_eq!(error(page(&pagination, &provider, asked(None, None, None))), expected);
    }
    let provider = Provider::of(Kind::Cursor, 3, 100);
    let failed = error(page(&dynamic(None, Some("$oops"), None, false), &provider, asked(None, None, None)));
    assert!(matches!(failed, PageError::Expression(error) if error.message == "$oops is not known"));
}
