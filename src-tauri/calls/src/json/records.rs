//! The records of a page.

use bytes::Bytes;

use super::Json;

/// Records as a JSON list. What is no list counts as its one record, and null as none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    pub text: Bytes,
    pub count: usize,
}

impl Records {
    pub(crate) const NONE: Self = Self { text: Bytes::from_static(b"[]"), count: 0 };

    pub(crate) fn of(data: &Json) -> Self {
        match data.item_count() {
            Some(count) => Self { text: data.text(), count },
            None if data.is_null() => Self::NONE,
            None => Self { text: [b"[", &*data.text(), b"]"].concat().into(), count: 1 },
        }
    }
}
