//! Each format with all its keys, and what is refused.

use serde_json::{Value, json};

use super::*;
use crate::integration::{error::DefinitionError, node::Source, strictness::Strictness};

fn decoded(value: &Value, strictness: Strictness) -> Result<Pagination, DefinitionError> {
    let text = value.to_string();
    let source = Source::new(Some(&text), false, strictness);
    Pagination::decode(&source.root(value))
}

fn pagination(format: &str, config: &Value) -> Pagination {
    let value = json!({"format": format, "config": config});
    decoded(&value, Strictness::Written).unwrap_or_else(|error| panic!("{value}: {error}"))
}

fn size(key: Option<&str>, max: Option<u32>) -> PageSize {
    PageSize { key: key.map(str::to_owned), max: max.and_then(std::num::NonZeroU32::new) }
}

#[test]
fn the_defaults_of_each_format() {
    let page = PagePagination { page_key: "page".into(), size: size(None, None), start_page: 1 };
    let offset = OffsetPagination { offset_key: "offset".into(), size: size(Some("limit"), None) };
    let range = RangePagination { unit: "items".into(), max: None };
    for (format, expected) in [
        ("page", Pagination::Page(page)),
        ("offset", Pagination::Offset(offset)),
        ("range", Pagination::Range(range)),
        ("link_header", Pagination::LinkHeader(size(None, None))),
    ] {
        assert_eq!(pagination(format, &json!({})), expected);
        assert_eq!(decoded(&json!({"format": format}), Strictness::Written), Ok(expected), "without config");
    }
    let Pagination::Cursor(cursor) = pagination("cursor", &json!({"cursor_path": "next"})) else { panic!("a cursor") };
    assert_eq!((cursor.cursor_key.as_str(), cursor.in_query, cursor.in_body), ("cursor", true, false));
    assert_eq!((cursor.source, cursor.limit_type), (CursorSource::Value, LimitType::Number));
    assert!(!cursor.ends_at_empty_page && !cursor.ends_at_repetition && !cursor.limits_first_page_only);
}

#[test]
fn every_key_is_read() {
    let page = json!({"page_key": "p", "limit_key": "n", "max_limit": 50, "start_page": 0});
    let expected = PagePagination { page_key: "p".into(), size: size(Some("n"), Some(50)), start_page: 0 };
    assert_eq!(pagination("page", &page), Pagination::Page(expected));
    let offset = json!({"offset_key": "skip", "limit_key": "top", "max_limit": 1});
    let expected = OffsetPagination { offset_key: "skip".into(), size: size(Some("top"), Some(1)) };
    assert_eq!(pagination("offset", &offset), Pagination::Offset(expected));
    let expected = RangePagination { unit: "records".into(), max: std::num::NonZeroU32::new(9) };
    assert_eq!(pagination("range", &json!({"range_unit": "records", "max_limit": 9})), Pagination::Range(expected));
    let cursor = pagination(
        "cursor",
        &json!({
            "cursor_path": "X-Next", "prev_cursor_path": "X-Prev", "cursor_path_object": "header", "cursor_key": "after",
            "has_next_path": "more", "limit_key": "first", "max_limit": 7, "limit_data_type": "string", "is_link": true,
            "include_path": true, "headers": {"X-A": "1"}, "add_to_body": true, "add_to_query": true,
            "ignore_limit_in_pagination": true, "use_content_hash": true, "is_cursor_url_encoded": true,
            "allow_empty_page_cursor": false,
        }),
    );
    let header = |name: &str| crate::integration::HeaderName::parse(name).expect("a name");
    let expected = CursorPagination {
        next: CursorPath::Header(header("x-next")),
        prev: Some(CursorPath::Header(header("x-prev"))),
        cursor_key: "after".into(),
        has_next: Some(crate::integration::JsonPath::parse("more").expect("a path")),
        size: size(Some("first"), Some(7)),
        limit_type: LimitType::Text,
        in_query: true,
        in_body: true,
        source: CursorSource::Link,
        headers: vec![(header("x-a"), "1".into())],
        limits_first_page_only: true,
        ends_at_repetition: true,
        is_percent_encoded: true,
        ends_at_empty_page: true,
    };
    assert_eq!(cursor, Pagination::Cursor(Box::new(expected)));
    let dynamic = json!({
        "get_initial_pagination_values_expression": "a", "get_pagination_values_expression": "b",
        "get_cursor_from_response_expression": "c", "add_to_body": true,
    });
    let expected = DynamicPagination {
        initial: Some("a".into()),
        values: Some("b".into()),
        cursor: Some("c".into()),
        in_body: true,
    };
    assert_eq!(pagination("dynamic", &dynamic), Pagination::Dynamic(Box::new(expected)));
}

#[test]
fn a_param_is_a_key() {
    for (format, key) in
        [("page", "page"), ("page", "limit"), ("offset", "offset"), ("offset", "limit"), ("link_header", "limit")]
    {
        let with = |ending: &str| pagination(format, &json!({ format!("{key}{ending}"): "x" }));
        assert_eq!(with("_param"), with("_key"), "{format}: {key}");
    }
    let both = pagination("page", &json!({"page_key": "p", "page_param": "p"}));
    assert_eq!(both, pagination("page", &json!({"page_key": "p"})));
}

#[test]
fn what_is_wrong_is_an_error_with_its_place() {
    for (value, message) in [
        (json!([]), "must be an object in { }, not a list"),
        (json!({}), "\"format\" is missing; add one, such as \"page\""),
        (
            json!({"format": "pages"}),
            "line 1, column 11, format: \"pages\" is not known here; use \"page\", \"cursor\", \"link_header\", \
             \"offset\", \"range\" or \"dynamic\"",
        ),
        (
            json!({"format": "page", "page_key": "p"}),
            "line 1, column 29, page_key: is not known here and would have no effect; use \"format\" or \"config\"",
        ),
        (
            json!({"format": "range", "config": {"range_unt": "x"}}),
            "line 1, column 41, config.range_unt: is not known here and would have no effect; use \"range_unit\" or \
             \"max_limit\"",
        ),
        (
            json!({"format": "offset", "config": {"limit_key": "a", "limit_param": "b"}}),
            "line 1, column 60, config.limit_param: contradicts \"limit_key\", which means the same; remove one",
        ),
        (
            json!({"format": "page", "config": {"page_key": 1}}),
            "config.page_key: must be a string in quotes, not a number",
        ),
        (
            json!({"format": "page", "config": {"page_key": "{{p}}"}}),
            "config.page_key: contains a placeholder, which isn't filled here; write the value out",
        ),
        (
            json!({"format": "page", "config": {"max_limit": "100"}}),
            "config.max_limit: must be a whole number of records from 1 on, without quotes",
        ),
        (
            json!({"format": "page", "config": {"max_limit": 0}}),
            "config.max_limit: must be a whole number of records from 1 on, without quotes",
        ),
        (
            json!({"format": "page", "config": {"start_page": -1}}),
            "config.start_page: must be the number of the first page, such as 0 or 1, without quotes",
        ),
        (json!({"format": "cursor"}), "\"config\" is missing; add one, such as {\"cursor_path\": \"paging.next\"}"),
        (
            json!({"format": "cursor", "config": {"limit_key": "n"}}),
            "config: \"cursor_path\" is missing; add one, such as \"paging.next\"",
        ),
        (
            json!({"format": "cursor", "config": {"cursor_path": "a..b"}}),
            "config.cursor_path: \"a..b\" is not a path into the response, such as \"id\" or \"data.user.id\"",
        ),
        (
            json!({"format": "cursor", "config": {"cursor_path": "a", "is_link": "yes"}}),
            "config.is_link: must be true or false, not a string",
        ),
        (
            json!({"format": "cursor", "config": {"cursor_path": "a", "cursor_path_object": "headers"}}),
            "config.cursor_path_object: \"headers\" is not known here; use \"body\" or \"header\"",
        ),
        (
            json!({"format": "cursor", "config": {"cursor_path": "a", "headers": {"Host": "x"}}}),
            "config.headers.Host: the header \"Host\" is set by Relink itself; remove it",
        ),
        (
            json!({"format": "cursor", "config": {"cursor_path": "a", "headers": {"x": "a\r\nb"}}}),
            "config.headers.x: is not the value of a header; use printable ASCII characters",
        ),
        (
            json!({"format": "range", "config": {"range_unit": "a b"}}),
            "config.range_unit: must be one word, such as \"items\"",
        ),
        (
            json!({"format": "dynamic", "config": {"get_initial_pagination_values_expression": "1"}}),
            "says nowhere how a list goes on",
        ),
    ] {
        let error = decoded(&value, Strictness::Written).expect_err("an error").to_string();
        assert!(error.contains(message), "{value}: {error}");
        assert!(error.starts_with("line 1, column "), "{error}");
    }
}

#[test]
fn a_stored_definition_may_have_unknown_keys() {
    let value = json!({"format": "page", "config": {"new": 1}, "note": 2});
    assert_eq!(decoded(&value, Strictness::Loaded), Ok(pagination("page", &json!({}))));
}

#[test]
fn rate_limits_are_expressions() {
    let read = |value: &Value| {
        let source = Source::new(None, false, Strictness::Written);
        RateLimit::decode(&source.root(value)).map_err(|error| error.to_string())
    };
    let given = json!({
        "is_rate_limited": "status = 403", "retry_after_header_expression": "a", "rate_limit_header_expression": "b",
    });
    let expected = RateLimit {
        is_rate_limited: Some("status = 403".into()),
        retry_after: Some("a".into()),
        reset: Some("b".into()),
    };
    assert_eq!(read(&given), Ok(expected));
    assert_eq!(read(&json!({})), Ok(RateLimit::default()));
    assert_eq!(
        read(&json!({"retry_after": "x"})).expect_err("an error"),
        "retry_after: is not known here and would have no effect; use \"is_rate_limited\", \
         \"retry_after_header_expression\" or \"rate_limit_header_expression\""
    );
    let error = read(&json!({"is_rate_limited": true})).expect_err("an error");
    assert_eq!(error, "is_rate_limited: must be a string in quotes, not true or false");
}
