//! Asking for pages until one has a record.

use http::StatusCode;
use relink_domain::integration::resources::Pagination;

use super::{Asked, PageAnswer, PageError, PageRequest, Pages, cursor::Place};
use crate::expressions::Expressions;

/// So many pages are asked for, for one page of the caller's (contract section 0.3).
pub(super) const MAX_PAGES: usize = 10;

/// Sends the requests for pages.
pub trait PageSource {
    type Page: Page + Send;
    type Error: Send;

    /// The request for the first page of the list, or for another one, before it says which.
    fn outline(&self, is_later_page: bool) -> Result<PageRequest, Self::Error>;

    /// Gives the page that answers a request, which is a page's from [`Pages::fetch`].
    fn fetch(&self, request: &PageRequest) -> impl Future<Output = Result<Self::Page, Self::Error>> + Send;
}

/// A page as its source has it.
pub trait Page {
    fn answer(&self) -> PageAnswer<'_>;
}

/// A page with the cursors to its neighbors.
#[derive(Debug, PartialEq)]
pub struct Fetched<P> {
    pub page: P,
    /// The records before it once more, so that the caller gets none of them.
    pub is_repetition: bool,
    /// A page without records has none.
    pub next_cursor: Option<String>,
    pub prev_cursor: Option<String>,
    /// Whether the list may go on after too many pages without records (`is_partial_response` in the contract).
    pub is_partial: bool,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum FetchError<E> {
    #[error(transparent)]
    Page(#[from] PageError),
    #[error("the page's source failed")]
    Source(E),
}

impl Pages<'_> {
    /// Whether an answer with this status is an empty page although it is an error: a range behind the last record (RFC 9110
    /// §15.5.17). The source of the pages asks.
    pub fn is_behind_the_end(&self, status: StatusCode) -> bool {
        matches!(self.pagination, Pagination::Range(_)) && status == StatusCode::RANGE_NOT_SATISFIABLE
    }

    /// The page that a caller asks for. An empty page is skipped: there may be records behind it, and a client of Truto ends at
    /// it.
    pub async fn fetch<S: PageSource>(
        &self,
        asked: Asked,
        source: &S,
        expressions: &impl Expressions,
    ) -> Result<Fetched<S::Page>, FetchError<S::Error>> {
        let mut asked = asked;
        let mut left = MAX_PAGES;
        loop {
            let mut request = source.outline(asked.is_later_page()).map_err(FetchError::Source)?;
            let place = self.begin(&mut request, &asked, expressions).await?;
            let page = source.fetch(&request).await.map_err(FetchError::Source)?;
            let answer = page.answer();
            let around = self.around(place.as_ref(), &request, &asked, &answer, expressions).await?;
            let is_empty = answer.records.count == 0 || around.is_repetition;
            left -= 1;
            let onward = if asked.goes_back { &around.prev } else { &around.next };
            match onward {
                Some(onward) if is_empty && left > 0 => asked = asked.at(onward.clone()),
                _ => {
                    let is_partial = is_empty && onward.is_some();
                    let next = around.next.filter(|_| !is_empty);
                    let cursor = |place: Place| {
                        if place.has_secret(answer.withheld) {
                            return Err(PageError::SecretInCursor);
                        }
                        place.encode(self.seal)
                    };
                    return Ok(Fetched {
                        is_repetition: around.is_repetition,
                        is_partial,
                        next_cursor: next.map(cursor).transpose()?,
                        prev_cursor: around.prev.map(cursor).transpose()?,
                        page,
                    });
                }
            }
        }
    }
}
