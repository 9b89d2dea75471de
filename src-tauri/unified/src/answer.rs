//! The answer to a unified call.

use http::HeaderMap;
use serde_json::{Value, json};

use crate::proxy::Page;

/// What a caller wants of the answer (`truto_response_format`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ResponseFormat {
    /// The model's records.
    #[default]
    Unified,
    /// The provider's, as the proxy API gives them.
    Raw,
}

/// An answer in the model's form, or a file as it is.
#[derive(Debug)]
pub enum UnifiedAnswer<F> {
    Data(Box<Answer>),
    File(F),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub content: Content,
    pub headers: HeaderMap,
}

/// The data, in the form of its method (contract section 8).
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    List {
        records: Value,
        count: usize,
        page: Page,
    },
    One(Value),
    Deleted {
        id: Value,
    },
    /// Of a custom method.
    Result {
        value: Value,
        page: Option<Page>,
    },
}

impl Answer {
    /// As it is on the wire.
    pub fn into_json(self) -> Value {
        match self.content {
            Content::List { records, count, page } => {
                // A client ends at an empty page (contract section 0.3).
                let next_cursor = page.next_cursor.filter(|_| count > 0);
                let mut list = json!({
                    "result": records, "next_cursor": next_cursor, "prev_cursor": page.prev_cursor, "result_count": count,
                });
                if page.is_partial {
                    list["is_partial_response"] = true.into();
                }
                list
            }
            Content::One(record) => record,
            Content::Deleted { id } => json!({ "id": id }),
            Content::Result { value, page: None } => json!({ "result": value }),
            Content::Result { value, page: Some(page) } => {
                json!({"result": value, "next_cursor": page.next_cursor, "prev_cursor": page.prev_cursor})
            }
        }
    }

    /// The cursor of what is behind a page without records, unless the mapping says that the page is partial.
    pub(crate) fn behind_empty(&self, goes_back: bool) -> Option<String> {
        let Content::List { count: 0, page, .. } = &self.content else { return None };
        let onward = if goes_back { &page.prev_cursor } else { &page.next_cursor };
        onward.clone().filter(|_| !page.is_partial)
    }

    pub(crate) const fn set_partial(&mut self) {
        if let Content::List { page, .. } = &mut self.content {
            page.is_partial = true;
        }
    }

    /// Of a list that goes on, also behind a page without records.
    pub fn next_cursor(&self) -> Option<&str> {
        let page = match &self.content {
            Content::List { page, .. } | Content::Result { page: Some(page), .. } => page,
            Content::One(_) | Content::Deleted { .. } | Content::Result { page: None, .. } => return None,
        };
        page.next_cursor.as_deref()
    }

    /// The records of a list, or the data.
    pub fn into_data(self) -> Value {
        match self.content {
            Content::List { records, .. } => records,
            Content::One(value) | Content::Result { value, .. } => value,
            Content::Deleted { id } => json!({ "id": id }),
        }
    }
}
