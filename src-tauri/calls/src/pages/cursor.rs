//! Relink's cursors: opaque to callers, and good for the list that they are from.

use std::num::NonZeroU32;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    PageError,
    seal::{Seal, TAG_BYTES},
};
use crate::withheld::Withheld;

/// The version of what is below. Another one can't be read.
const VERSION: u8 = 1;
/// A cursor goes into a URL, and servers refuse long ones.
pub(super) const MAX_CHARS: usize = 8192;

/// The place of a page in its list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "f", rename_all = "snake_case")]
pub(super) enum Place {
    /// A page's number, which means something only with its size.
    Page {
        n: u32,
        limit: Option<NonZeroU32>,
    },
    /// The provider's own cursor.
    Cursor {
        c: Value,
        seen: Option<String>,
    },
    /// A path and a query below the base URL.
    Link {
        to: String,
        seen: Option<String>,
    },
    Offset(Start),
    Range(Start),
    /// The values of the next request.
    Dynamic {
        values: Map<String, Value>,
    },
}

/// The number of a page's first record, from 0 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Start {
    pub(super) at: u64,
    /// How many records the page before has.
    pub(super) back: Option<u32>,
    /// How many records the page must have, so that it ends where the next one begins.
    pub(super) limit: Option<NonZeroU32>,
}

#[derive(Serialize, Deserialize)]
struct Envelope<P> {
    v: u8,
    #[serde(flatten)]
    place: P,
}

#[derive(Deserialize)]
struct Version {
    v: u8,
}

impl Place {
    /// Whether what it repeats of the provider's answer has a secret of the account in it.
    pub(super) fn has_secret(&self, withheld: &Withheld) -> bool {
        match self {
            Self::Cursor { c, .. } => withheld.finds_in(c),
            Self::Link { to, .. } => withheld.finds(to),
            Self::Dynamic { values } => values.iter().any(|(name, it)| withheld.finds(name) || withheld.finds_in(it)),
            Self::Page { .. } | Self::Offset(_) | Self::Range(_) => false,
        }
    }

    /// Base64url (RFC 4648 §5) of JSON and its signature.
    pub(super) fn encode(&self, seal: &Seal) -> Result<String, PageError> {
        let mut bytes = serde_json::to_vec(&Envelope { v: VERSION, place: self }).map_err(|_| PageError::Cursor)?;
        bytes.extend(seal.tag(&bytes));
        let text = BASE64_URL_SAFE_NO_PAD.encode(bytes);
        if text.len() > MAX_CHARS { Err(PageError::LongCursor) } else { Ok(text) }
    }

    pub(super) fn decode(text: &str, seal: &Seal) -> Result<Self, PageError> {
        if text.len() > MAX_CHARS {
            return Err(PageError::Cursor);
        }
        // Some clients add the padding.
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| PageError::Cursor)?;
        let (json, tag) = bytes.split_last_chunk::<TAG_BYTES>().ok_or(PageError::Cursor)?;
        if !seal.is_of(json, tag) {
            return Err(PageError::ForeignCursor);
        }
        let Version { v } = serde_json::from_slice(json).map_err(|_| PageError::Cursor)?;
        if v != VERSION {
            return Err(PageError::ForeignCursor);
        }
        let envelope: Envelope<Self> = serde_json::from_slice(json).map_err(|_| PageError::Cursor)?;
        Ok(envelope.place)
    }
}

/// The provider's own cursor in a cursor of Relink's: its text or value, the link to the page, or the number that the page begins with.
pub(crate) fn provider_cursor(text: &str, seal: &Seal) -> Option<Value> {
    Some(match Place::decode(text, seal).ok()? {
        Place::Page { n, .. } => n.into(),
        Place::Cursor { c, .. } => c,
        Place::Link { to, .. } => to.into(),
        Place::Offset(start) | Place::Range(start) => start.at.into(),
        Place::Dynamic { values } => values.into(),
    })
}

/// A cursor of Relink's for a value that isn't the proxy API's. `None`: it would be too long.
pub fn sealed(value: &Value, seal: &Seal) -> Option<String> {
    Place::Cursor { c: value.clone(), seen: None }.encode(seal).ok()
}

/// The value of such a cursor, if it is of this seal.
pub fn unsealed(text: &str, seal: &Seal) -> Option<Value> {
    match Place::decode(text, seal) {
        Ok(Place::Cursor { c, .. }) => Some(c),
        Ok(_) | Err(_) => None,
    }
}

impl Start {
    pub(super) const FIRST: Self = Self { at: 0, back: None, limit: None };

    pub(super) fn next(self, records: u32) -> Self {
        Self { at: self.at.saturating_add(records.into()), back: Some(records), limit: None }
    }

    /// The page before, which has as many records as the one that led here, or as many as were asked for.
    pub(super) fn prev(self, asked: Option<u32>) -> Option<Self> {
        let size = self.back.or(asked).filter(|size| *size > 0)?;
        let at = self.at.saturating_sub(size.into());
        let limit = NonZeroU32::new(u32::try_from(self.at - at).ok()?)?;
        Some(Self { at, back: Some(size), limit: Some(limit) })
    }
}
