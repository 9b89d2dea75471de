//! How a provider divides its lists into pages. What a format means for requests and answers is in the crate `calls` (`pages`).

use std::num::NonZeroU32;

use crate::integration::{
    error::DefinitionError,
    header::HeaderName,
    identity::JsonPath,
    node::{Node, Object, listed},
};

/// One of the six formats of contract section 4.6.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pagination {
    /// Pages are numbered.
    Page(PagePagination),
    /// Each page names the next one.
    Cursor(Box<CursorPagination>),
    /// Each answer's `Link` header (RFC 8288) has the URL of the next page.
    LinkHeader(PageSize),
    /// A page begins at the number of a record.
    Offset(OffsetPagination),
    /// As [`Pagination::Offset`], in the headers `Range` and `Content-Range` (RFC 9110 §14).
    Range(RangePagination),
    /// JSONata decides.
    Dynamic(Box<DynamicPagination>),
}

/// How many records a page has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageSize {
    /// The parameter that asks for so many. Without one, the provider decides.
    pub key: Option<String>,
    /// The provider gives no more, whatever is asked for.
    pub max: Option<NonZeroU32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PagePagination {
    pub page_key: String,
    pub size: PageSize,
    /// The number of the first page.
    pub start_page: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetPagination {
    pub offset_key: String,
    pub size: PageSize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangePagination {
    pub unit: String,
    pub max: Option<NonZeroU32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "as many as the definition has switches, each apart from the others")]
pub struct CursorPagination {
    /// Where the cursor of the next page is.
    pub next: CursorPath,
    pub prev: Option<CursorPath>,
    /// The parameter that the cursor is sent as. In a body, dots lead into objects.
    pub cursor_key: String,
    /// What in the body says whether there is a next page at all.
    pub has_next: Option<JsonPath>,
    pub size: PageSize,
    pub limit_type: LimitType,
    pub in_query: bool,
    pub in_body: bool,
    pub source: CursorSource,
    /// Sent with each page's request.
    pub headers: Vec<(HeaderName, String)>,
    /// Whether only the first page's request has the limit.
    pub limits_first_page_only: bool,
    /// Whether a page with the same records as the one before it is the end.
    pub ends_at_repetition: bool,
    /// Whether the cursor stands percent-encoded in the answer.
    pub is_percent_encoded: bool,
    /// Whether an empty page is the end, even one with a cursor.
    pub ends_at_empty_page: bool,
}

/// Where an answer has a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CursorPath {
    Body(JsonPath),
    /// The name of a header, in lowercase.
    Header(HeaderName),
}

/// What a cursor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CursorSource {
    Value,
    /// A URL, whose query takes the place of the request's.
    LinkQuery,
    /// A URL, whose path and query take the place of the request's.
    Link,
}

/// How a limit stands in a JSON body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LimitType {
    #[default]
    Number,
    Text,
}

/// JSONata expressions. At least one of `values` and `cursor` is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DynamicPagination {
    /// Gives the first request's values.
    pub initial: Option<String>,
    /// Gives the next request's values.
    pub values: Option<String>,
    /// Gives a cursor out of an answer. Null or undefined: there is no next page.
    pub cursor: Option<String>,
    /// Whether the values go into the body, not into the query.
    pub in_body: bool,
}

type Result<T, E = DefinitionError> = std::result::Result<T, E>;

/// The keys of each format. Those that end in `_key` may end in `_param` instead.
const FORMATS: &[(&str, Decode, &[&str])] = &[
    ("page", page, &["page_key", "limit_key", "max_limit", "start_page"]),
    (
        "cursor",
        cursor,
        &[
            "cursor_path",
            "prev_cursor_path",
            "cursor_path_object",
            "cursor_key",
            "has_next_path",
            "limit_key",
            "max_limit",
            "limit_data_type",
            "is_link",
            "include_path",
            "headers",
            "add_to_body",
            "add_to_query",
            "ignore_limit_in_pagination",
            "use_content_hash",
            "is_cursor_url_encoded",
            "allow_empty_page_cursor",
        ],
    ),
    ("link_header", link_header, &["limit_key", "max_limit"]),
    ("offset", offset, &["offset_key", "limit_key", "max_limit"]),
    ("range", range, &["range_unit", "max_limit"]),
    (
        "dynamic",
        dynamic,
        &[
            "get_initial_pagination_values_expression",
            "get_pagination_values_expression",
            "get_cursor_from_response_expression",
            "add_to_body",
        ],
    ),
];

type Decode = fn(&Config<'_>) -> Result<Pagination>;

impl Pagination {
    /// Decodes `{"format", "config"}`.
    pub(in crate::integration) fn decode(node: &Node<'_>) -> Result<Self> {
        let object = node.object()?;
        refuse_unknown_keys(&object, &["format", "config"])?;
        let words: Vec<_> = FORMATS.iter().map(|(name, decode, keys)| (*name, (*decode, *keys))).collect();
        let (decode, keys) = object.need("format", "\"page\"")?.one_of(&words)?;
        let given = object.get("config").map(|node| node.object()).transpose()?;
        if let Some(given) = &given {
            let keys: Vec<String> =
                keys.iter().flat_map(|key| [Some((*key).to_owned()), param_of(key)]).flatten().collect();
            refuse_unknown_keys(given, &keys.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        decode(&Config { given, pagination: object })
    }
}

/// The other spelling of a key (contract section 4.6).
fn param_of(key: &str) -> Option<String> {
    key.strip_suffix("_key").map(|stem| format!("{stem}_param"))
}

/// A misspelled key would change which records a caller gets.
fn refuse_unknown_keys(object: &Object<'_>, known: &[&str]) -> Result<()> {
    for (key, node) in object.entries() {
        if !known.contains(&key) {
            node.fail_if_written(format_args!("is not known here and would have no effect; use {}", listed(known)))?;
        }
    }
    Ok(())
}

/// A format's `config`, which may be missing.
struct Config<'a> {
    given: Option<Object<'a>>,
    pagination: Object<'a>,
}

impl<'a> Config<'a> {
    fn map<T>(&self, key: &str, decode: impl FnOnce(Node<'a>) -> Result<T>) -> Result<Option<T>> {
        self.given.as_ref().map_or(Ok(None), |given| given.map(key, decode))
    }

    fn need(&self, key: &str, example: &str) -> Result<Node<'a>> {
        match &self.given {
            Some(given) => given.need(key, example),
            None => Err(self
                .pagination
                .fail(format_args!("\"config\" is missing; add one, such as {{{key:?}: {example}}}"))),
        }
    }

    /// The name of a parameter, under its `_key` or its `_param`.
    fn name(&self, key: &str) -> Result<Option<String>> {
        let read = |key: &str| self.map(key, |node| Ok((node.literal()?.to_owned(), node)));
        let param = param_of(key).map_or(Ok(None), |param| read(&param))?;
        match (read(key)?, param) {
            (Some((name, _)), Some((other, node))) if name != other => {
                Err(node.fail(format_args!("contradicts {key:?}, which means the same; remove one")))
            }
            (Some((name, _)), _) | (None, Some((name, _))) => Ok(Some(name)),
            (None, None) => Ok(None),
        }
    }

    fn flag(&self, key: &str) -> Result<bool> {
        Ok(self.map(key, |node| node.boolean())?.unwrap_or(false))
    }

    fn max_limit(&self) -> Result<Option<NonZeroU32>> {
        self.map("max_limit", |node| {
            let number = node.json().as_u64().and_then(|number| u32::try_from(number).ok());
            number
                .and_then(NonZeroU32::new)
                .ok_or_else(|| node.fail("must be a whole number of records from 1 on, without quotes"))
        })
    }

    fn size(&self) -> Result<PageSize> {
        Ok(PageSize { key: self.name("limit_key")?, max: self.max_limit()? })
    }

    fn expression(&self, key: &str) -> Result<Option<String>> {
        self.map(key, |node| node.text().map(str::to_owned))
    }
}

fn page(config: &Config<'_>) -> Result<Pagination> {
    let start_page = config.map("start_page", |node| {
        let number = node.json().as_u64().and_then(|number| u32::try_from(number).ok());
        number.ok_or_else(|| node.fail("must be the number of the first page, such as 0 or 1, without quotes"))
    })?;
    Ok(Pagination::Page(PagePagination {
        page_key: config.name("page_key")?.unwrap_or_else(|| "page".to_owned()),
        size: config.size()?,
        start_page: start_page.unwrap_or(1),
    }))
}

fn offset(config: &Config<'_>) -> Result<Pagination> {
    let PageSize { key, max } = config.size()?;
    Ok(Pagination::Offset(OffsetPagination {
        offset_key: config.name("offset_key")?.unwrap_or_else(|| "offset".to_owned()),
        size: PageSize { key: Some(key.unwrap_or_else(|| "limit".to_owned())), max },
    }))
}

fn range(config: &Config<'_>) -> Result<Pagination> {
    let unit = config.map("range_unit", |node| {
        let unit = node.literal()?;
        // A token (RFC 9110 §14.1), because it stands in a header.
        HeaderName::parse(unit).map_err(|_| node.fail("must be one word, such as \"items\""))?;
        Ok(unit.to_owned())
    })?;
    Ok(Pagination::Range(RangePagination {
        unit: unit.unwrap_or_else(|| "items".to_owned()),
        max: config.max_limit()?,
    }))
}

fn link_header(config: &Config<'_>) -> Result<Pagination> {
    config.size().map(Pagination::LinkHeader)
}

fn cursor(config: &Config<'_>) -> Result<Pagination> {
    let is_header = config.map("cursor_path_object", |node| node.one_of(&[("body", false), ("header", true)]))?;
    let path = |node: Node<'_>| {
        if is_header == Some(true) {
            node.parse(HeaderName::parse).map(CursorPath::Header)
        } else {
            node.parse(JsonPath::parse).map(CursorPath::Body)
        }
    };
    let limit_types = [("number", LimitType::Number), ("integer", LimitType::Number), ("string", LimitType::Text)];
    let in_body = config.flag("add_to_body")?;
    let (is_link, includes_path) = (config.flag("is_link")?, config.flag("include_path")?);
    Ok(Pagination::Cursor(Box::new(CursorPagination {
        next: path(config.need("cursor_path", "\"paging.next\"")?)?,
        prev: config.map("prev_cursor_path", path)?,
        cursor_key: config.name("cursor_key")?.unwrap_or_else(|| "cursor".to_owned()),
        has_next: config.map("has_next_path", |node| node.parse(JsonPath::parse))?,
        size: config.size()?,
        limit_type: config.map("limit_data_type", |node| node.one_of(&limit_types))?.unwrap_or_default(),
        in_query: config.flag("add_to_query")? || !in_body,
        in_body,
        source: match (is_link, includes_path) {
            (false, _) => CursorSource::Value,
            (true, false) => CursorSource::LinkQuery,
            (true, true) => CursorSource::Link,
        },
        headers: config.map("headers", |node| headers(&node))?.unwrap_or_default(),
        limits_first_page_only: config.flag("ignore_limit_in_pagination")?,
        ends_at_repetition: config.flag("use_content_hash")?,
        is_percent_encoded: config.flag("is_cursor_url_encoded")?,
        ends_at_empty_page: config.map("allow_empty_page_cursor", |node| node.boolean())? == Some(false),
    })))
}

fn headers(node: &Node<'_>) -> Result<Vec<(HeaderName, String)>> {
    let header = |(name, node): (&str, Node<'_>)| {
        let name = HeaderName::parse(name).map_err(|error| node.fail(error))?;
        let value = node.literal()?;
        if value.contains(|c: char| c.is_control() || !c.is_ascii()) {
            return Err(node.fail("is not the value of a header; use printable ASCII characters"));
        }
        Ok((name, value.to_owned()))
    };
    node.object()?.entries().map(header).collect()
}

fn dynamic(config: &Config<'_>) -> Result<Pagination> {
    let values = config.expression("get_pagination_values_expression")?;
    let cursor = config.expression("get_cursor_from_response_expression")?;
    if values.is_none() && cursor.is_none() {
        return Err(config.pagination.fail(
            "says nowhere how a list goes on; add \"get_pagination_values_expression\", \
             \"get_cursor_from_response_expression\" or both to its \"config\"",
        ));
    }
    Ok(Pagination::Dynamic(Box::new(DynamicPagination {
        initial: config.expression("get_initial_pagination_values_expression")?,
        values,
        cursor,
        in_body: config.flag("add_to_body")?,
    })))
}
