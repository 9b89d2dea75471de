//! Pages of a provider's lists, in the six formats of contract section 4.6, and Relink's cursors to them.
//!
//! [`Pages`] changes the request for a page, and reads in its answer where the list goes on. It sends nothing itself: whoever
//! does gives a [`PageSource`], and [`Pages::fetch`] asks it until a page has a record (contract section 0.3).
//!
//! Invariants:
//! - A caller's cursor names a place in a list, never an origin. What is a URL at the provider becomes a path below its base URL,
//!   without the parameters that carry a credential, and what has one elsewhere is an error. Only the list that gave a cursor takes it back ([`Seal`]).
//! - A page that leads to itself is the last one, so that every walk over a list ends.

mod answer;
mod cursor;
mod dynamic;
mod fetch;
mod link;
mod request;
mod seal;

#[cfg(test)]
mod tests;

use std::num::NonZeroU32;

use http::{HeaderMap, Method, StatusCode};
use relink_domain::integration::resources::Pagination;
use serde_json::Value;
use url::Url;

use self::cursor::Place;
pub(crate) use self::cursor::provider_cursor;
pub(crate) use self::link::below_base;
pub use self::{
    cursor::{sealed, unsealed},
    fetch::{FetchError, Fetched, Page, PageSource},
    link::url_of_relation,
    seal::Seal,
};
use crate::{
    expressions::ExpressionError,
    json::{Json, Records},
    withheld::Withheld,
};

/// The pages of a method's lists, for an account.
#[derive(Debug, Clone, Copy)]
pub struct Pages<'a> {
    pub pagination: &'a Pagination,
    /// The URL that the method's path is below, for the account.
    pub base: &'a Url,
    pub seal: &'a Seal,
}

/// Names and values of a query, decoded.
pub type Query = Vec<(String, String)>;

/// A request for a list, before the account's credential is added.
#[derive(Debug, Clone, PartialEq)]
pub struct PageRequest {
    pub method: Method,
    /// Percent-encoded, below the base URL: empty, or it begins with a slash.
    pub path: String,
    pub query: Query,
    /// What follows it: percent-encoded, as somebody else wrote it.
    pub raw_query: Option<String>,
    pub headers: HeaderMap,
    /// The JSON of its body, before it is brought into the method's `body_format`.
    pub body: Option<Value>,
    /// Whether it isn't the first page's, which a method may give another path or no body.
    pub is_later_page: bool,
}

/// The provider's answer to such a request.
#[derive(Debug, Clone, Copy)]
pub struct PageAnswer<'a> {
    pub status: StatusCode,
    pub headers: &'a HeaderMap,
    /// A text, if it isn't JSON.
    pub body: &'a Json,
    /// What the caller gets: the list at the method's `response_path`.
    pub records: &'a Records,
    /// What no cursor has of its links.
    pub withheld: &'a Withheld,
}

/// Which page a caller asks for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asked {
    limit: Option<NonZeroU32>,
    place: Option<Place>,
    /// Whether the caller goes to the beginning of the list.
    goes_back: bool,
}

/// Why a page can't be asked for, or can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    #[error("\"limit\" must be a whole number from 1 on. It says how many records a page may have.")]
    Limit,
    #[error("This cursor can't be read. Send \"next_cursor\" or \"prev_cursor\" exactly as a list gave it to you.")]
    Cursor,
    #[error(
        "This cursor is from another list, or its integration has changed. Begin the list again, without a cursor."
    )]
    ForeignCursor,
    #[error("\"next_cursor\" and \"prev_cursor\" lead to two pages. Send one of them.")]
    TwoCursors,
    #[error("The page's cursor goes into the request's body, but the body isn't an object.")]
    Body,
    /// With the host. Nothing is sent there.
    #[error("The provider's next page is outside of its API, at {0}, where the account's credential doesn't go.")]
    ForeignLink(String),
    #[error("The provider's cursor has more than {} characters, which is too much for a URL.", cursor::MAX_CHARS)]
    LongCursor,
    #[error(
        "The provider's cursor for another page has a secret of the account in it, which no caller gets. The integration's \"pagination\" must \
         be one without it, or null."
    )]
    SecretInCursor,
    #[error("An expression of the integration's pagination can't be evaluated: {0}")]
    Expression(#[from] ExpressionError),
    /// With the key of the expression.
    #[error("{0} gives no object, so the next page can't be asked for.")]
    NoValues(&'static str),
}

impl PageError {
    /// Whether the caller's request is at fault. Otherwise the provider or the integration's definition is.
    pub const fn is_the_callers(&self) -> bool {
        matches!(self, Self::Limit | Self::Cursor | Self::ForeignCursor | Self::TwoCursors | Self::Body)
    }

    /// The stable error code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Limit => "limit_invalid",
            Self::Cursor | Self::TwoCursors => "cursor_invalid",
            Self::ForeignCursor => "cursor_of_another_list",
            Self::Body => "body_not_an_object",
            Self::ForeignLink(_) => "page_outside_of_api",
            Self::LongCursor => "page_cursor_too_long",
            Self::SecretInCursor => "page_cursor_has_secret",
            Self::Expression(_) | Self::NoValues(_) => "pagination_expression_failed",
        }
    }
}

impl Asked {
    /// Reads the parameters of a caller. An empty one is as good as none: a client of Truto begins with `next_cursor=`.
    pub fn read(
        limit: Option<&str>,
        next_cursor: Option<&str>,
        prev_cursor: Option<&str>,
        seal: &Seal,
    ) -> Result<Self, PageError> {
        let given = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let limit = given(limit).map(|text| text.parse().map_err(|_| PageError::Limit)).transpose()?;
        let (next, prev) = (given(next_cursor), given(prev_cursor));
        if next.is_some() && prev.is_some() {
            return Err(PageError::TwoCursors);
        }
        let goes_back = prev.is_some();
        let place = next.or(prev).map(|text| Place::decode(&text, seal)).transpose()?;
        Ok(Self { limit, place, goes_back })
    }

    /// Whether it is a later page than the first one.
    pub const fn is_later_page(&self) -> bool {
        self.place.is_some()
    }

    /// The page at another place.
    const fn at(&self, place: Place) -> Self {
        Self { limit: self.limit, place: Some(place), goes_back: self.goes_back }
    }
}
